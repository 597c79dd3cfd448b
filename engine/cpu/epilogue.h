// SPDX-License-Identifier: MIT
// What follows a library convolution: scale, noise, activation, gate and residual over contiguous channels, vectorised by the compiler.
#pragma once
#include "base/threads.h"
#include "ops/conv.h"

typedef struct weft_cpu_plane { // one channel of one image; pointers may be NULL
    const float *sum, *gate, *r, *noise;
    float scale, strength, bias; // of what comes before the activation: scale sum + strength noise + bias
} weft_cpu_plane;

// Which of a node's inputs an epilogue's numbers are.
typedef struct weft_cpu_ending { int b, noise, strength, d; } weft_cpu_ending;
static const weft_cpu_ending weft_cpu_conv_ending = { WEFT_CONV_B, WEFT_CONV_NOISE, WEFT_CONV_STRENGTH, WEFT_CONV_D };
// The numbers for `plane` (of n * c of output 0) from `pixel` on; sum, gate and r are left to the caller.
weft_cpu_plane weft_cpu_plane_of(const weft_node *n, const float *const *in, const weft_cpu_ending *e, int64_t plane, int64_t pixel);

// y[i] = finish(...) for `count` elements; y may be p->sum. `styled`: the three numbers and the noise count.
void weft_cpu_epilogue(const weft_conv_attrs *at, const weft_cpu_plane *p, bool styled, float *y, int64_t count);

// y[i] = act(y[i]); vectorised for the common ones.
void weft_cpu_activate(int act, float a, float b, float *y, int64_t count);
