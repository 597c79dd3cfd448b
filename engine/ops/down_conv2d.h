// SPDX-License-Identifier: MIT
// A filter and a convolution of what it leaves, as one node: what goes down in StyleGAN2, and the gradient of what goes up.
#pragma once
#include "ops/conv.h"
#include "ops/upfirdn2d.h"

// Inputs: conv2d's, where x is not filtered yet, then the filter.
enum { WEFT_DOWN_CONV_F = WEFT_CONV_INPUTS, WEFT_DOWN_CONV_INPUTS };
typedef struct weft_down_conv_attrs {
    weft_conv_attrs conv;      // of what is filtered; comes first, so that it can be read as a convolution's
    weft_upfirdn_attrs filter; // up and down are 1, nothing follows it
} weft_down_conv_attrs;

// Whether there is a kernel that does both at once: worth making one node of two. Shapes of w and f.
bool weft_down_conv_serves(const weft_down_conv_attrs *at, weft_shape w, weft_shape f);
