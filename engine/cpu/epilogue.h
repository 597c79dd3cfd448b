// SPDX-License-Identifier: MIT
// What follows a library convolution: scale, noise, activation, gate and residual over contiguous channels, vectorised by the compiler.
#pragma once
#include "base/threads.h"
#include "ops/conv.h"

typedef struct weft_cpu_plane { // one channel of one image; pointers may be NULL
    const float *sum, *gate, *r, *noise;
    float scale, strength, bias; // of what comes before the activation: scale sum + strength noise + bias
} weft_cpu_plane;
// y[i] = finish(...) for `count` elements; y may be p->sum. `styled`: the three numbers and the noise count.
void weft_cpu_epilogue(const weft_conv_attrs *at, const weft_cpu_plane *p, bool styled, float *y, int64_t count);
