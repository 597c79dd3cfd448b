// SPDX-License-Identifier: MIT
// IEEE 754 binary16 <-> binary32, round to nearest even; NaN and infinity kept.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline float weft_half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t) (h & 0x8000u) << 16, exponent = (h >> 10) & 31, fraction = h & 1023;
    uint32_t bits;
    float f;
    if (exponent == 31) bits = sign | 0x7f800000u | fraction << 13;
    else if (exponent) bits = sign | (exponent + 112) << 23 | fraction << 13;
    else { // zero and subnormal: fraction x 2^-24, exact in f32
        f = (float) fraction * 0x1p-24f;
        memcpy(&bits, &f, 4);
        bits |= sign;
    }
    memcpy(&f, &bits, 4);
    return f;
}

static inline uint16_t weft_float_to_half(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    const uint16_t sign = (uint16_t) (bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return sign | 0x7e00u;                 // NaN
    if (bits >= 0x477ff000u) return sign | 0x7c00u;                // rounds to infinity
    if (bits < 0x38800000u) {                                      // subnormal half: let f32 addition round
        float a, magic = 0.5f;
        memcpy(&a, &bits, 4);
        a += magic;
        memcpy(&bits, &a, 4);
        return (uint16_t) (sign | (bits - 0x3f000000u));
    }
    bits += 0xfffu + (bits >> 13 & 1);                             // to nearest even
    return (uint16_t) (sign | ((bits - 0x38000000u) >> 13));
}
