// SPDX-License-Identifier: MIT
// What follows a library convolution: activation, gate and residual over contiguous channels, vectorised by the compiler.
#pragma once
#include "base/threads.h"
#include "ops/conv.h"

// y[i] = finish(sum[i], gate[i], r[i]) for `count` elements; gate and r may be NULL; y may be sum.
void weft_cpu_epilogue(const weft_conv_attrs *at, const float *sum, const float *gate, const float *r, float *y, int64_t count);
