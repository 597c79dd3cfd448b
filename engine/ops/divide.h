// SPDX-License-Identifier: MIT
// Division of whole numbers, not negative.
#pragma once
#include <stdint.h>

static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// By a number known beforehand as a multiplication, for shaders: shaders/glsl/divide.glsl does the other half.
// n / d = high half of n magic, shifted right by `shift`, for n below 2^31 (Granlund and Montgomery 1994); d = 1 has magic 0.
static inline void weft_divisor(uint32_t d, uint32_t *magic, uint32_t *shift)
{
    uint32_t bits = 0; // 2^bits >= d
    *magic = *shift = 0;
    if (d <= 1) return;
    while (bits < 31 && UINT32_C(1) << bits < d) bits++;
    *magic = (uint32_t) (((UINT64_C(1) << (31 + bits)) + d - 1) / d);
    *shift = bits - 1;
}
