// SPDX-License-Identifier: MIT
// What the kernels on matrix units have in common: shaders/matmul_matrix.comp and shaders/glsl/conv_matrix.glsl.
#pragma once
#include "graph/op.h"

// k of a step: small subgroups hold more of it in each invocation.
static inline uint32_t weft_matrix_deep(const weft_caps *caps) { return caps->matrix_subgroup >= 32 ? 32 : 16; }

static inline bool weft_matrix_serves(const weft_caps *caps)
{
    for (int i = 0; i < 3; i++)
        if (caps->matrix[i] < 4 || caps->matrix[i] & (caps->matrix[i] - 1)) return false;
    return weft_matrix_deep(caps) % caps->matrix[2] == 0 && caps->matrix_subgroup >= 4;
}

// A cut: subgroups down and across, matrices of a subgroup down and across. What it does with what it reads, for matrices of 16 x 16 x 16: a
// subgroup's ROWS x COLUMNS matrices do 16 R C / (R + C) flops for every byte that they read from shared memory, a tile of T x W does
// T W / (T + W) for every byte from outside it. Data sheets' f16 peak (f32 sums) over shared memory of 128 bytes a clock and unit: NVIDIA A100 16,
// RTX 4090 4, AMD RDNA 3 4 (whose subgroups read everything twice: 8), Intel Xe2 16; over memory: A100 200, 4090 165, RX 7900 XTX 128.
//   cut        tile       shared  outside  sums in registers, of each of 32 invocations
//   2 2 4 4    128 x 128    32      64       128
//   2 4 4 2    128 x 128    21      64        64
//   2 2 4 2    128 x 64     21      43        64
//   2 2 2 2    64 x 64      16      32        32
//   4 1 2 2    128 x 32     16      26        32   few channels
//   4 2 1 2    64 x 64      11      32        16
//   1 4 2 1    32 x 64      11      21        16   few rows
//   2 1 1 2    32 x 32      11      16        16   little work
// So the first that leaves enough workgroups for the device comes first, and a step's loads fly while the one before is computed.
enum { WEFT_MATRIX_DOWN, WEFT_MATRIX_ACROSS, WEFT_MATRIX_ROWS, WEFT_MATRIX_COLUMNS };
static inline uint32_t weft_matrix_threads(const weft_caps *caps, const uint8_t *cut)
{
    return (uint32_t) cut[WEFT_MATRIX_DOWN] * cut[WEFT_MATRIX_ACROSS] * caps->matrix_subgroup;
}
static inline uint32_t weft_matrix_tall(const weft_caps *caps, const uint8_t *cut)
{
    return (uint32_t) cut[WEFT_MATRIX_DOWN] * cut[WEFT_MATRIX_ROWS] * caps->matrix[0];
}
static inline uint32_t weft_matrix_wide(const weft_caps *caps, const uint8_t *cut)
{
    return (uint32_t) cut[WEFT_MATRIX_ACROSS] * cut[WEFT_MATRIX_COLUMNS] * caps->matrix[1];
}

// Whether the device can take such a cut: every invocation loads fours of one line or one k apart, small subgroups hold at most `few`
// matrices (Intel: more spill), and there is `shared` memory. Processors need half a minute to compile large cuts.
static inline bool weft_matrix_fits(const weft_caps *caps, const uint8_t *cut, int few, uint32_t shared)
{
    const uint32_t threads = weft_matrix_threads(caps, cut);
    if (weft_matrix_tall(caps, cut) / 4 > threads || weft_matrix_wide(caps, cut) / 4 > threads) return false;
    if (caps->matrix_subgroup < 32 && cut[WEFT_MATRIX_ROWS] * cut[WEFT_MATRIX_COLUMNS] > (caps->is_software ? 4 : few)) return false;
    if (caps->is_software && cut[WEFT_MATRIX_DOWN] * cut[WEFT_MATRIX_ACROSS] > 4) return false;
    return threads <= caps->max_group && shared <= caps->shared_bytes;
}
