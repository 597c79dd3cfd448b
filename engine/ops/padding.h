// SPDX-License-Identifier: MIT
// What lies beyond the edge of a tensor. Shared by convolutions and `pad`; shaders/glsl/padding.glsl says the same.
#pragma once
#include <stdint.h>

#define WEFT_PAD_MODES "zero|reflect|replicate|circular"
enum { WEFT_PAD_ZERO, WEFT_PAD_REFLECT, WEFT_PAD_REPLICATE, WEFT_PAD_CIRCULAR };

// The position inside [0, size) that stands for `i`, -1: nothing does (zero). |i| may exceed the size by any amount.
static inline int64_t weft_pad_at(int mode, int64_t i, int64_t size)
{
    if (i >= 0 && i < size) return i;
    if (mode == WEFT_PAD_ZERO) return -1;
    if (mode == WEFT_PAD_REPLICATE || size == 1) return i < 0 ? 0 : size - 1;
    const int64_t period = mode == WEFT_PAD_REFLECT ? 2 * (size - 1) : size; // the edge itself is not repeated
    const int64_t k = (i % period + period) % period;
    return k < size ? k : period - k;
}
