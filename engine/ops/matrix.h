// SPDX-License-Identifier: MIT
// What the kernels on matrix units have in common: shaders/glsl/matmul_matrix.glsl and shaders/glsl/conv_matrix.glsl.
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

// --- Matrices as large as a workgroup's tile, *_matrix2: the driver cuts them. ---

// A cut: rows and columns of the tile and invocations of the workgroup, all in eights.
enum { WEFT_MATRIX2_TALL, WEFT_MATRIX2_WIDE, WEFT_MATRIX2_THREADS };
typedef struct weft_matrix2 { // what a cut means on a device
    uint32_t tall, wide, threads, scope;
} weft_matrix2;

static inline weft_matrix2 weft_matrix2_of(const weft_caps *caps, const uint8_t *cut)
{
    weft_matrix2 t = { 8u * cut[WEFT_MATRIX2_TALL], 8u * cut[WEFT_MATRIX2_WIDE], 8u * cut[WEFT_MATRIX2_THREADS], 0 };
    for (int i = 0; i < WEFT_MATRIX_FORMS; i++)
        if (caps->matrix_form[i].threads == t.threads) t.scope = caps->matrix_form[i].scope;
    return t;
}

// Whether the device can take matrices of such a tile, shared by a form's workgroup, and it is worth it: no invocation has more sums than
// registers (of narrow subgroups as in weft_matrix_fits; processors take long to compile more), and large workgroups have enough to do. An
// invocation's loads are of one line or one k apart.
static inline bool weft_matrix2_fits(const weft_caps *caps, const weft_matrix_form *f, uint32_t tall, uint32_t wide, uint32_t shared)
{
    const uint32_t deep = weft_matrix_deep(caps), most = caps->matrix_most, each = f->threads ? tall * wide / f->threads : 0;
    const uint32_t most_each = caps->few_registers || caps->is_software ? 32 : caps->matrix_subgroup < 32 ? 64 : 128;
    if (f->threads < 8 || f->threads % 8 || f->threads & (f->threads - 1) || !weft_matrix_serves(caps)) return false;
    if (tall % f->m || wide % f->n || deep % f->k || tall > most || wide > most || deep > most) return false;
    if (tall / 4 > f->threads || wide / 4 > f->threads || each < f->threads / 8 || each > most_each) return false;
    return f->threads <= caps->max_group && shared + caps->matrix_reserved <= caps->shared_bytes;
}

// Tiles that are tried with every form, the smallest first.
enum { WEFT_MATRIX2_TILES = 10 };
static const uint8_t weft_matrix2_tiles[WEFT_MATRIX2_TILES][2] = {
    { 16, 16 }, { 16, 32 }, { 32, 16 }, { 32, 32 }, { 32, 64 }, { 64, 32 }, { 64, 64 }, { 64, 128 }, { 128, 64 }, { 128, 128 },
};
