// SPDX-License-Identifier: MIT
// F(4 x 4, 3 x 3): interpolation at 0, 1, -1, 2, -2 and infinity. Both transforms of a tile are those of its columns and of its rows: the
// first run along rows of the image as they lie, and only the second have to tell a tile's columns apart.
#include "cpu/clones.h"
#include "cpu/winograd.h"

enum { M = 4, SIDE = 6, PLANES = SIDE * SIDE, CHUNK = 64, WIDE = M * CHUNK, LINE = WEFT_WINOGRAD_LINE, LANES = WEFT_WINOGRAD_LANES };

// --- Weights: G w G^T. ---

static inline void weights_line(const float *restrict in, int64_t step, float *restrict out, int64_t out_step)
{
    for (int i = 0; i < LANES; i++) {
        const float a = in[i], b = in[step + i], c = in[2 * step + i], even = a + c, far = a + 4 * c;
        out[i] = a / 4, out[out_step + i] = -(even + b) / 6, out[2 * out_step + i] = -(even - b) / 6;
        out[3 * out_step + i] = (far + 2 * b) / 24, out[4 * out_step + i] = (far - 2 * b) / 24, out[5 * out_step + i] = c;
    }
}

WEFT_CLONES static void weights(float in[restrict][LANES], float out[restrict][LANES])
{
    float half[3][SIDE][LANES]; // [kx][row]
    for (int k = 0; k < 3; k++) weights_line(in[k], 3 * LANES, half[k][0], LANES);
    for (int r = 0; r < SIDE; r++) weights_line(half[0][r], SIDE * LANES, out[SIDE * r], LANES);
}

// --- Input: B^T x B. ---

WEFT_CLONES static void columns_in(const float *restrict in, float *restrict out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float a = in[i], b = in[LINE + i], c = in[2 * LINE + i], d = in[3 * LINE + i], e = in[4 * LINE + i], f = in[5 * LINE + i];
        const float even = e - 4 * c, odd = d - 4 * b, far = e - c, twice = 2 * (d - b);
        out[i] = 4 * a - 5 * c + e, out[LINE + i] = even + odd, out[2 * LINE + i] = even - odd;
        out[3 * LINE + i] = far + twice, out[4 * LINE + i] = far - twice, out[5 * LINE + i] = 4 * b - 5 * d + f;
    }
}

static inline void row_in(const float *restrict in, float *restrict o0, float *restrict o1, float *restrict o2, float *restrict o3,
                          float *restrict o4, float *restrict o5, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float a = in[M * i], b = in[M * i + 1], c = in[M * i + 2], d = in[M * i + 3], e = in[M * i + 4], f = in[M * i + 5];
        const float even = e - 4 * c, odd = d - 4 * b, far = e - c, twice = 2 * (d - b);
        o0[i] = 4 * a - 5 * c + e, o1[i] = even + odd, o2[i] = even - odd;
        o3[i] = far + twice, o4[i] = far - twice, o5[i] = 4 * b - 5 * d + f;
    }
}

WEFT_CLONES static void rows_in(const float *in, float *out, int64_t plane, int64_t count)
{
    for (int r = 0; r < SIDE; r++, in += LINE, out += SIDE * plane)
        row_in(in, out, out + plane, out + 2 * plane, out + 3 * plane, out + 4 * plane, out + 5 * plane, count);
}

// The next channel of all planes, where runs are too short for the processor to see where they lead.
static void ahead(const weft_winograd_run *r, const float *at, int64_t plane, int64_t lead, int64_t count, bool writes)
{
    for (int p = 0; p < PLANES && r->count < LANES; p++)
        for (int64_t i = 0; i < count; i += LANES) {
            if (writes) WEFT_AHEAD(at + p * plane + lead + i, 1);
            else WEFT_AHEAD(at + p * plane + lead + i, 0);
        }
}

static void lift(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const float *in)
{
    float half[SIDE * LINE];
    const int64_t lanes = weft_winograd_lanes(s, r->at, r->count);
    const int64_t plane = weft_winograd_at(&weft_winograd_same, 1, z->ci, s->lead);
    float *v = s->v + channel * s->lead + r->at;
    ahead(r, v, plane, s->lead, lanes, true);
    columns_in(in, half, M * lanes + LANES);
    rows_in(half, v, plane, lanes);
}

// --- Output: A^T m A. ---

WEFT_CLONES static void rows_out(const float *restrict in, int64_t plane, float *restrict out, int64_t count)
{
    for (int r = 0; r < SIDE; r++, in += SIDE * plane, out += LINE)
        for (int64_t i = 0; i < count; i++) {
            const float b = in[plane + i], c = in[2 * plane + i], d = in[3 * plane + i], e = in[4 * plane + i];
            const float near = b + c, near_odd = b - c, far = d + e, far_odd = d - e;
            out[M * i] = in[i] + near + far, out[M * i + 1] = near_odd + 2 * far_odd;
            out[M * i + 2] = near + 4 * far, out[M * i + 3] = near_odd + 8 * far_odd + in[5 * plane + i];
        }
}

static inline void columns_out(const float *restrict in, float *restrict o0, float *restrict o1, float *restrict o2, float *restrict o3, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float b = in[LINE + i], c = in[2 * LINE + i], d = in[3 * LINE + i], e = in[4 * LINE + i];
        const float near = b + c, near_odd = b - c, far = d + e, far_odd = d - e;
        o0[i] = in[i] + near + far, o1[i] = near_odd + 2 * far_odd;
        o2[i] = near + 4 * far, o3[i] = near_odd + 8 * far_odd + in[5 * LINE + i];
    }
}

// Rows past `height` go to `rest`.
WEFT_CLONES static void columns_out_to(const float *in, float *to, int64_t stride, int64_t height, float *rest, int64_t count)
{
    columns_out(in, to, height > 1 ? to + stride : rest, height > 2 ? to + 2 * stride : rest + WIDE, height > 3 ? to + 3 * stride : rest + 2 * WIDE, count);
}

static void sums(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const int64_t skip[2],
                 int64_t height, int64_t width, float *to, int64_t stride)
{
    float half[SIDE * LINE], rest[3 * WIDE];
    (void) skip; // there are none
    const int64_t plane = weft_winograd_at(&weft_winograd_same, 1, z->co, s->lead), lanes = weft_winograd_lanes(s, r->at, r->rows * r->count);
    const float *m = s->m + channel * s->lead + r->at;
    ahead(r, m, plane, s->lead, lanes, false);
    rows_out(m, plane, half, lanes);
    for (int64_t k = 0; k < r->rows; k++) columns_out_to(half + k * M * r->count, to + k * M * stride, stride, height - k * M, rest, width);
}

const weft_winograd_scheme weft_winograd_same = { "same 4x4", 3, 1, 1, SIDE, 1, M, M, SIDE, CHUNK, true, weights, lift, sums };
