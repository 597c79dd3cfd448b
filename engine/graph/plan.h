// SPDX-License-Identifier: MIT
// Where temporary tensors lie in one block of memory: those that are never alive together may overlap.
#pragma once
#include "base/context.h"

typedef struct weft_life {
    size_t bytes;
    int first, last;  // steps in which it is alive, both included; first > last: never, takes no room
    size_t offset;    // result, a multiple of the alignment
} weft_life;

typedef struct weft_plan {
    size_t bytes; // of the block
    size_t least; // the largest sum of sizes alive in one step: no plan can be smaller
} weft_plan;

// Greedy (Pisarchyk and Lee, 2020): tensors in some order - by size, by size and time, by when most is alive, ... - each in the tightest
// gap between those that are alive with it; the best of several orders, changed here and there while that is worth it. The same lives
// always give the same plan. `align` is a power of two.
weft_result weft_plan_memory(weft_context *ctx, weft_life *lives, int count, size_t align, weft_plan *out);
// The same for memory that comes in blocks of `cut` bytes, a multiple of `align`: no tensor crosses a multiple of it.
// Tensors larger than a block are the caller's to refuse.
weft_result weft_plan_blocks(weft_context *ctx, weft_life *lives, int count, size_t align, size_t cut, weft_plan *out);
