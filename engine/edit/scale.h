// SPDX-License-Identifier: MIT
// Pictures as planes of floats, and their scaling with a filter that widens where they shrink.
#pragma once
#include "edit/mask.h"

typedef enum weft_filter {
    WEFT_FILTER_LANCZOS,  // three lobes: sharp, may overshoot
    WEFT_FILTER_TRIANGLE, // weights above 0: stays between what it mixes
} weft_filter;

// A plane [h, w] -> [to_h, to_w].
weft_result weft_scale(weft_context *ctx, weft_filter filter, const float *from, int w, int h, float *to, int to_w, int to_h);
