// SPDX-License-Identifier: MIT
// The CPU interpreter: walks a bound graph and calls the rows.
#pragma once
#include "cpu/weights.h"
#include "graph/graph.h"
#include <weft/session.h>

typedef struct weft_cpu_run weft_cpu_run;

// fast: expand, fold, fuse, and use the library-backed versions of heavy rows. Otherwise the plain truth.
// `bound` must live as long as the run.
weft_result weft_cpu_run_create(weft_context *ctx, const weft_graph *bound, const weft_session_params *params, bool fast,
                                weft_cpu_run **out);
// The same with what other sessions made of weights; `weights` must live as long as the run.
weft_result weft_cpu_run_create_shared(weft_context *ctx, weft_cpu_weights *weights, const weft_graph *bound, const weft_session_params *params,
                                       bool fast, weft_cpu_run **out);
void weft_cpu_run_destroy(weft_cpu_run *run);

// in and out: packed data in port order, f32 or i32; out[i] NULL: not wanted. Allocates nothing.
weft_result weft_cpu_run_go(weft_cpu_run *run, const void *const *in, void *const *out);
// `count` runs with the inputs of the last.
weft_result weft_cpu_run_repeat(weft_cpu_run *run, int64_t count);

// State `index`: packed f32 or i32. Setting it to NULL: what it begins as.
void weft_cpu_run_set_state(weft_cpu_run *run, int index, const void *data);
void weft_cpu_run_get_state(const weft_cpu_run *run, int index, void *data);

void weft_cpu_run_measure(const weft_cpu_run *run, weft_session_facts *facts);
// Value `origin` of the entry, NULL when no such value was kept; with `node` set to who made it.
const void *weft_cpu_run_value(const weft_cpu_run *run, int origin, const weft_node **node, weft_value_def *def);
