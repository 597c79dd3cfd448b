// SPDX-License-Identifier: MIT
// F(3, 2), interpolation at 0, 1, -1 and infinity, for what has two taps of a line to itself: lines of LINE numbers, one a tile.
#pragma once
#include "cpu/clones.h"
#include "cpu/winograd.h"

enum { M = 3, LINE = WEFT_WINOGRAD_LINE }; // outputs of a line

// The four points of lines a, b, c, d.
WEFT_CLONES static void columns_in(const float *restrict a, const float *restrict b, const float *restrict c, const float *restrict d, float *restrict out,
                                   int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = a[i] - c[i], out[LINE + i] = b[i] + c[i], out[2 * LINE + i] = c[i] - b[i], out[3 * LINE + i] = d[i] - b[i];
}

// Outputs of a line lie side by side, those of tiles M apart.
static inline void points_out(const float *restrict a, const float *restrict b, const float *restrict c, const float *restrict d, float *restrict out,
                              int64_t count)
{
    for (int64_t i = 0; i < count; i++) out[M * i] = a[i] + b[i] + c[i], out[M * i + 1] = b[i] - c[i], out[M * i + 2] = b[i] + c[i] + d[i];
}

WEFT_CLONES static void columns_out(const float *restrict in, float *restrict out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float a = in[i], b = in[LINE + i], c = in[2 * LINE + i], d = in[3 * LINE + i];
        out[i] = a + b + c, out[LINE + i] = b - c, out[2 * LINE + i] = b + c + d;
    }
}

// Lines of the two parities as one.
WEFT_CLONES static void mix(const float *restrict even, const float *restrict odd, float *restrict out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) out[2 * i] = even[i], out[2 * i + 1] = odd[i];
}
