// SPDX-License-Identifier: MIT
// Work cut into chunks short enough that a device is never held for long. Plain data.
#pragma once
#include "base/arena.h"
#include "graph/program.h"

typedef struct weft_vk_piece { // workgroups [base, base + size) of a step
    int step;
    uint32_t base[3], size[3];
    bool sliced;       // the step has several pieces
    bool starts_chunk;
    double cost;       // in flops
} weft_vk_piece;

typedef struct weft_vk_slices {
    weft_vk_piece *pieces;
    int piece_count, chunk_count;
} weft_vk_slices;

// limit: the cost of a chunk, and of a single piece where a dispatch can be cut. most: workgroups per dimension that
// the device takes. The error names the node whose grid is too large.
weft_result weft_vk_slice(const weft_program *p, double limit, const uint32_t most[3], weft_arena *arena, weft_vk_slices *out);
