// SPDX-License-Identifier: MIT
// Holes: which pixels of a photo are to be filled.
#pragma once
#include "edit/image.h"
#include <weft/edit.h>

typedef struct weft_hole {
    weft_context *ctx;
    int width, height;
    uint8_t *at; // 1: hole
    int64_t count;
} weft_hole;

weft_result weft_hole_make(const weft_image *mask, weft_mask_mode mode, int width, int height, weft_hole *out);
void weft_hole_free(weft_hole *h);

typedef struct weft_window { int x, y, w, h; } weft_window;

// Boxes that together cover every hole, each with `margin` pixels around its holes where the picture has them,
// none overlapping another. Freed with weft_delete.
weft_result weft_hole_windows(const weft_hole *h, int margin, weft_window **out, int *count);

// Position `i` of a row of `n` mirrored at its ends, ... 1 0 | 0 1 ... n-1 | n-1 n-2 ...
static inline int64_t weft_mirror(int64_t i, int64_t n)
{
    i %= 2 * n;
    if (i < 0) i += 2 * n;
    return i < n ? i : 2 * n - 1 - i;
}
