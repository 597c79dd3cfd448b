// SPDX-License-Identifier: MIT
// Sums of scaled lines, vectorised by the compiler: what convolutions of one tap, products of few rows, filters and resampling are made of.
#pragma once
#include <stdint.h>

// y[i] += by x[i]
void weft_cpu_add(float *restrict y, const float *restrict x, float by, int64_t count);
// The same of four lines, `step` apart, of which y is read and written once.
void weft_cpu_add_four(float *restrict y, const float *restrict x, int64_t step, const float by[4], int64_t count);
