// SPDX-License-Identifier: MIT
#pragma once
#include "graph/op.h"

// Where a tensor's memory may begin on every device: 256 bytes (the most that Vulkan lets a device ask for) of elements in f16.
enum { WEFT_PART_ALIGN = 128 };

typedef struct weft_part_attrs {
    weft_list shape;
    int32_t begin; // a multiple of WEFT_PART_ALIGN
} weft_part_attrs;

// slice.c: whether a slice is one stretch of its input, in row order, and where it begins.
bool weft_slice_is_stretch(const weft_node *slice, int64_t *begin);
// And whether each of so many rows is, which are a step apart.
bool weft_slice_is_rows(const weft_node *slice, int64_t rows, int64_t *begin, int64_t *step);
