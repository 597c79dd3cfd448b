// SPDX-License-Identifier: MIT
// A transposed convolution and a filter over it, as one node: what goes up in StyleGAN2.
#pragma once
#include "ops/conv.h"
#include "ops/upfirdn2d.h"

// Inputs: x, w, f, upfirdn2d's from b on, all of them one later, and s.
enum { WEFT_UP_CONV_X, WEFT_UP_CONV_W, WEFT_UP_CONV_F, WEFT_UP_CONV_S = 2 + WEFT_BIAS_INPUTS, WEFT_UP_CONV_INPUTS };
typedef struct weft_up_conv_attrs {
    int32_t stride[2], crop[4];  // of the convolution: crop is its pads
    weft_upfirdn_attrs filter;   // up and down are 1
} weft_up_conv_attrs;

// Whether there is a kernel that does both at once: worth making one node of two. Shapes of w and f.
bool weft_up_conv_serves(const weft_up_conv_attrs *at, weft_shape w, weft_shape f);
