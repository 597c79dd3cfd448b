// SPDX-License-Identifier: MIT
// Convolutions of 4 x 4 taps with stride 2, and transposed ones. Each line of taps is two pairs: one meets the numbers at even places, the other
// those at odd ones; transposed, one makes the even places, the other the odd ones. A pair is F(3, 2), interpolation at 0, 1, -1 and infinity: four
// products for three outputs. Both ways that is 64 products where 144 taps are.
#include "cpu/winograd_pair.h"
#include <string.h>

enum { SIDE = 4, PLANES = SIDE * SIDE, PARTS = 4, TAPS = 4, CHUNK = 32, LANES = WEFT_WINOGRAD_LANES };

// --- Weights. ---

// Of a pair of taps.
static inline void weights_line(const float *restrict a, const float *restrict b, float *restrict out, int64_t step)
{
    for (int i = 0; i < LANES; i++)
        out[i] = a[i], out[step + i] = (a[i] + b[i]) / 2, out[2 * step + i] = (a[i] - b[i]) / 2, out[3 * step + i] = b[i];
}

// The pair begins at tap (y, x); planes are PARTS apart.
WEFT_CLONES static void weights_part(float in[restrict][LANES], int y, int x, float out[restrict][LANES])
{
    float half[2][SIDE][LANES]; // [x][row]
    for (int k = 0; k < 2; k++) weights_line(in[TAPS * y + x + 2 * k], in[TAPS * (y + 2) + x + 2 * k], half[k][0], LANES);
    for (int r = 0; r < SIDE; r++) weights_line(half[0][r], half[1][r], out[PARTS * SIDE * r], PARTS * LANES);
}

static void weights_down(float in[][LANES], float out[][LANES])
{
    for (int p = 0; p < PARTS; p++) weights_part(in, p / 2, p % 2, out + p);
}

// Turned as they come, the pair of even places begins at tap 1.
static void weights_up(float in[][LANES], float out[][LANES])
{
    for (int p = 0; p < PARTS; p++) weights_part(in, 1 - p / 2, 1 - p % 2, out + p);
}

// --- Input. ---

static inline void row_in(const float *restrict in, float *restrict o0, float *restrict o1, float *restrict o2, float *restrict o3, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float a = in[M * i], b = in[M * i + 1], c = in[M * i + 2], d = in[M * i + 3];
        o0[i] = a - c, o1[i] = b + c, o2[i] = c - b, o3[i] = d - b;
    }
}
WEFT_CLONES static void row_in_to(const float *in, float *to, int64_t plane, int64_t count) { row_in(in, to, to + plane, to + 2 * plane, to + 3 * plane, count); }

static void lift_up(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const float *in)
{
    float half[SIDE * LINE];
    const int64_t lanes = weft_winograd_lanes(s, r->at, r->count), plane = weft_winograd_at(&weft_winograd_up_four, 1, z->ci, s->lead);
    float *v = s->v + channel * s->lead + r->at;
    columns_in(in, in + LINE, in + 2 * LINE, in + 3 * LINE, half, M * lanes + LANES);
    for (int k = 0; k < SIDE; k++) row_in_to(half + k * LINE, v + k * SIDE * plane, plane, lanes);
}

WEFT_CLONES static void part(const float *restrict in, float *restrict even, float *restrict odd, int64_t count)
{
    for (int64_t i = 0; i < count; i++) even[i] = in[2 * i], odd[i] = in[2 * i + 1];
}

static void lift_down(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const float *in)
{
    float half[SIDE * LINE], even[LINE], odd[LINE];
    const int64_t lanes = weft_winograd_lanes(s, r->at, r->count), pairs = M * lanes + LANES / 2;
    const int64_t plane = weft_winograd_at(&weft_winograd_down_four, 1, PARTS * z->ci, s->lead);
    for (int y = 0; y < 2; y++, in += LINE) {
        float *v = s->v + (2 * y * z->ci + channel) * s->lead + r->at;
        columns_in(in, in + 2 * LINE, in + 4 * LINE, in + 6 * LINE, half, 2 * pairs);
        for (int k = 0; k < SIDE; k++) {
            part(half + k * LINE, even, odd, pairs);
            row_in_to(even, v + k * SIDE * plane, plane, lanes);
            row_in_to(odd, v + z->ci * s->lead + k * SIDE * plane, plane, lanes);
        }
    }
}

// --- Output. ---

WEFT_CLONES static void rows_out(const float *m, int64_t plane, float *out, int64_t count)
{
    for (int r = 0; r < SIDE; r++, m += SIDE * plane, out += LINE) points_out(m, m + plane, m + 2 * plane, m + 3 * plane, out, count);
}

static void sums_up(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const int64_t skip[2],
                    int64_t height, int64_t width, float *to, int64_t stride)
{
    float half[SIDE * LINE], places[PARTS][M * LINE], whole[LINE];
    const int64_t lanes = weft_winograd_lanes(s, r->at, r->count), plane = weft_winograd_at(&weft_winograd_up_four, 1, PARTS * z->co, s->lead);
    for (int p = 0; p < PARTS; p++) {
        rows_out(s->m + (p * z->co + channel) * s->lead + r->at, plane, half, lanes);
        columns_out(half, places[p], M * lanes);
    }
    for (int64_t k = 0; k < height; k++) {
        const int64_t row = k + skip[0];
        mix(places[row % 2 * 2] + row / 2 * LINE, places[row % 2 * 2 + 1] + row / 2 * LINE, whole, M * lanes);
        memcpy(to + k * stride, whole + skip[1], (size_t) width * sizeof *to);
    }
}

static void sums_down(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const int64_t skip[2],
                      int64_t height, int64_t width, float *to, int64_t stride)
{
    float half[SIDE * LINE], places[M * LINE];
    const int64_t lanes = weft_winograd_lanes(s, r->at, r->count), plane = weft_winograd_at(&weft_winograd_down_four, 1, z->co, s->lead);
    (void) skip; // there are none
    rows_out(s->m + channel * s->lead + r->at, plane, half, lanes);
    columns_out(half, places, M * lanes);
    for (int64_t k = 0; k < height; k++) memcpy(to + k * stride, places + k * LINE, (size_t) width * sizeof *to);
}

const weft_winograd_scheme weft_winograd_down_four = { "four down 3x3", TAPS, PARTS, 1, SIDE, 1, M, 2 * M, 2 * M + 2, CHUNK, false, weights_down, lift_down, sums_down };
const weft_winograd_scheme weft_winograd_up_four = { "four up 6x6", TAPS, 1, PARTS, SIDE, 1, 2 * M, M, M + 1, CHUNK, false, weights_up, lift_up, sums_up };
