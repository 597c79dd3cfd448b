// SPDX-License-Identifier: MIT
// e^x and tanh without branches, so that loops vectorise.
#pragma once
#include <stdint.h>
#include <string.h>

// To 2 ulp: e^x = 2^n e^r with |r| <= ln 2 / 2, and e^r by its Taylor series.
static inline float weft_exp_fast(float x)
{
    const float shift = 0x1.8p23f; // adding it rounds to a whole number
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float t = x * 1.44269504f + shift, n = t - shift;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    const float p = 1.0f + r * (1.0f + r * (0.5f + r * (0.16666667f + r * (0.041666668f + r * (0.008333334f + r * (0.0013888889f + r * 1.984127e-4f))))));
    uint32_t bits; // of no sign: what is not a number may overflow
    float scale;
    memcpy(&bits, &t, 4);
    bits = (bits - 0x4b400000u + 127u) << 23;
    memcpy(&scale, &bits, 4);
    return p * scale;
}

// What lies so far below the largest, as what is masked does, weighs nothing at all.
static inline float weft_exp_weight(float x) { return x < -87.0f ? 0 : weft_exp_fast(x); }

// To some ulp: near 0, where the difference would lose digits, the first terms of the series.
static inline float weft_tanh_fast(float x)
{
    const float q = x * x, e = weft_exp_fast(2 * x), far = (e - 1) / (e + 1);
    const float near = x * (1 + q * (-0.33333333f + q * (0.13333333f + q * (-0.053968254f + q * (0.021869489f + q * -0.0088632355f)))));
    return q < 0.09f ? near : far;
}
