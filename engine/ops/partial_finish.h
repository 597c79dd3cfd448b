// SPDX-License-Identifier: MIT
// The last step of a partial convolution: from the two sums of a window to its value and the new mask.
#pragma once
#include "graph/op.h"

enum { WEFT_PARTIAL_NVIDIA, WEFT_PARTIAL_NAOTO };
typedef struct weft_partial {
    int32_t variant, multi_channel;
    float window, eps;
} weft_partial;

// known: the mask's sum, sum: that of x * mask * w.
double weft_partial_value(const weft_partial *how, double sum, double known, double bias, bool has_bias, double *mask);
