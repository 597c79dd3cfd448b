// SPDX-License-Identifier: MIT
// Zeros between the pixels of an image, a filter over it, some of the pixels of that.
#pragma once
#include "graph/op.h"

typedef struct weft_upfirdn_attrs {
    int32_t up[2], down[2], pads[4]; // y, x; top, left, bottom, right
    float gain;
    int32_t flip;
} weft_upfirdn_attrs;
