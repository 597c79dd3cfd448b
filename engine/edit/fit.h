// SPDX-License-Identifier: MIT
// A photo, its mask and its segments as a generator of a fixed size sees them, and back again.
#pragma once
#include "edit/scale.h"
#include <weft/invert.h>

typedef struct weft_fit {
    weft_context *ctx;
    int width, height;  // of the generator
    weft_window part;   // of the photo
    float *target;      // [3, h, w] in -1..1
    float *mask;        // [h, w], 1: counts; NULL: all does
    float *segments;    // [count, h, w]; NULL: none
} weft_fit;

// The middle of the photo in the generator's proportions, or all of it, stretched. A pixel that is partly hidden shows the mean of
// what is not, and counts by how much that is.
weft_result weft_fit_make(weft_context *ctx, const weft_invert_job *job, bool stretch, int width, int height, weft_fit *out);
void weft_fit_free(weft_fit *f);

// [3, h, w] in -1..1 as a picture of 8 bits.
weft_result weft_fit_image(weft_context *ctx, const float *planes, int width, int height, weft_image **out);

// The photo with its hole filled from `planes`, of the generator's size.
weft_result weft_fit_fill(const weft_fit *f, const weft_invert_job *job, const float *planes, weft_image **out);
