// SPDX-License-Identifier: MIT
// The Vulkan interpreter: a bound graph as recorded command buffers.
#pragma once
#include "graph/graph.h"
#include "vk/device.h"

typedef struct weft_vk_run weft_vk_run;

// Passes, plan, memory, pipelines, recording. `bound` must live as long as the run.
weft_result weft_vk_run_create(weft_vk_device *dev, const weft_graph *bound, const weft_session_params *params, weft_vk_run **out);
// The same with a way forced: see weft_caps.
weft_result weft_vk_run_create_forced(weft_vk_device *dev, const weft_graph *bound, const weft_session_params *params, const char *force, weft_vk_run **out);
void weft_vk_run_destroy(weft_vk_run *run); // NULL is fine

// in and out: packed data in port order, f32 or i32; out[i] NULL: not wanted. Allocates nothing, records nothing.
weft_result weft_vk_run_go(weft_vk_run *run, const void *const *in, void *const *out);
// `count` runs with the inputs of the last. Allocates nothing, records nothing.
weft_result weft_vk_run_repeat(weft_vk_run *run, int64_t count);

// State `index`: packed f32 or i32. Setting it to NULL: what it begins as. Allocates nothing.
weft_result weft_vk_run_set_state(weft_vk_run *run, int index, const void *data);
weft_result weft_vk_run_reset_states(weft_vk_run *run); // all of them
weft_result weft_vk_run_get_state(weft_vk_run *run, int index, void *data);

void weft_vk_run_measure(const weft_vk_run *run, weft_session_facts *facts);

// With keep_values: value `origin` of the entry as row-major f32 (I32 values converted), after a run. data NULL: its shape alone.
weft_result weft_vk_run_value(weft_vk_run *run, int origin, weft_shape *shape, float *data, size_t count);
