// SPDX-License-Identifier: MIT
// The fusing step of contextual attention: scores of patches that are neighbours on both sides support each other.
#pragma once
#include "graph/op.h"

enum { WEFT_PATCH_FUSE_MOST = 31 };
typedef struct weft_patch_fuse {
    int32_t from[2], to[2]; // patches along y and x of the two images
    int32_t size;           // of the window along a diagonal; odd, at most WEFT_PATCH_FUSE_MOST
    int32_t turned;         // 1: by columns first
    int32_t y_rows[2], x_rows[2], before[2], after[2]; // rows of the second image: first, how many (0: to the last)
} weft_patch_fuse;

// In place on a matrix [from[0] from[1], to[0] to[1]].
void weft_patch_fuse_truth(const weft_patch_fuse *p, weft_real *a);
