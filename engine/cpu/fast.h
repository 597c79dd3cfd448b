// SPDX-License-Identifier: MIT
// Fast versions of the few heavy rows, by a library or by loops that vectorise. Checked against the rows' own truth.
#pragma once
#include "base/threads.h"
#include "cpu/weights.h"
#include "graph/graph.h"

typedef struct weft_cpu_fast {
    const char *op;
    // Made once per node and session: packed weights, library objects. constant_in[i] is the data of a weight, NULL for
    // other inputs. *state NULL on success means: not this node, ask the operator's next version or the truth. *scratch: bytes that run needs.
    weft_result (*prepare)(weft_context *ctx, const weft_node *n, const void *const *constant_in, void **state, size_t *scratch);
    // scratch is aligned to 64 and shared by the nodes of a session: nothing in it outlives the call.
    weft_result (*run)(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch);
    void (*destroy)(weft_context *ctx, void *state); // NULL: state is nobody's to give back
    // NULL, or called once after prepare: puts constants in the form that run wants, where sessions share them; `taken` counts them.
    // Bit i of *unread: input i was a constant, and run does not look at it any more.
    weft_result (*pack)(void *state, weft_context *ctx, const weft_node *n, weft_cpu_weights *weights, weft_cpu_taken *taken, uint32_t *unread);
} weft_cpu_fast;

// An operator's fast versions, best first: the first for `after` NULL, else the one behind it. NULL: there is no (other) one.
const weft_cpu_fast *weft_cpu_fast_next(const char *op, const weft_cpu_fast *after);
const char *weft_cpu_fast_library(void); // "oneDNN 2.7.2", or "none"
