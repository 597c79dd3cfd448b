// SPDX-License-Identifier: MIT
// What ends a layer of a style-based generator.
#pragma once
#include "ops/activation.h"

typedef struct weft_bias_act_attrs {
    int32_t act;
    float a, b;
    float gain, clamp;
} weft_bias_act_attrs;

// Inputs of bias_act; those of bias_act_grad are dy and then the same.
enum { WEFT_BIAS_X, WEFT_BIAS_B, WEFT_BIAS_NOISE, WEFT_BIAS_STRENGTH, WEFT_BIAS_D, WEFT_BIAS_INPUTS };
