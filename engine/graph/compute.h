// SPDX-License-Identifier: MIT
// Computing on the CPU: one node by its truth, one weight as plain numbers.
#pragma once
#include "base/threads.h"
#include "graph/graph.h"

// Runs the row's `cpu` over all its items, on the pool. out and in as in weft_cpu_args.
void weft_node_compute(weft_pool *pool, const weft_node *n, void *const *out, const void *const *in);

// Elements [begin, end) of the weight as packed f32 or i32.
void weft_weight_unpack(const weft_weight *w, int64_t begin, int64_t end, void *out);
// The weight as packed f32 or i32: its own data where that is possible, else widened into the arena. NULL: no memory.
const void *weft_weight_numbers(weft_arena *arena, const weft_weight *w);
