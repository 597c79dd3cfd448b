// SPDX-License-Identifier: MIT
// Seeded numbers for checks and tests: the same everywhere (PCG32, O'Neill 2014).
#pragma once
#include <stdint.h>

typedef struct weft_random { uint64_t state; } weft_random;

static inline uint32_t weft_random_u32(weft_random *r)
{
    const uint64_t s = r->state;
    r->state = s * 6364136223846793005u + 1442695040888963407u;
    const uint32_t x = (uint32_t) (((s >> 18) ^ s) >> 27), turn = (uint32_t) (s >> 59);
    return x >> turn | x << (-turn & 31);
}
static inline double weft_random_uniform(weft_random *r, double low, double high) // [low, high)
{
    return low + (high - low) * (weft_random_u32(r) * 0x1p-32);
}
