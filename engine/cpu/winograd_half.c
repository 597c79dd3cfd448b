// SPDX-License-Identifier: MIT
// Convolutions with stride 2, and transposed ones. Of the taps of a line, the two outer ones meet numbers of one parity - which is F(3, 2),
// interpolation at 0, 1, -1 and infinity, four products for three outputs - and the middle one meets the others, as they are. Both ways that is
// 49 products where 81 taps are.
#include "cpu/winograd_pair.h"
#include <string.h>

enum { POINTS = 4, SIDE = POINTS + 1, LINES = POINTS + M, CHUNK = 32, LANES = WEFT_WINOGRAD_LANES };

static inline void weights_line(const float *restrict in, int64_t step, float *restrict out, int64_t out_step)
{
    for (int i = 0; i < LANES; i++) {
        const float a = in[i], b = in[step + i], c = in[2 * step + i];
        out[i] = a, out[out_step + i] = (a + c) / 2, out[2 * out_step + i] = (a - c) / 2, out[3 * out_step + i] = c, out[4 * out_step + i] = b;
    }
}

WEFT_CLONES static void weights(float in[restrict][LANES], float out[restrict][LANES])
{
    float half[3][SIDE][LANES]; // [kx][row]
    for (int k = 0; k < 3; k++) weights_line(in[k], 3 * LANES, half[k][0], LANES);
    for (int r = 0; r < SIDE; r++) weights_line(half[0][r], SIDE * LANES, out[SIDE * r], LANES);
}

// Where the seven numbers of row `line` of tiles (the points, then the plain ones) go or come from, `steps` apart for points and plain ones.
typedef struct place { float *points, *plain; int64_t point_step, plain_step; } place;
static place place_of(const weft_winograd_scheme *c, float *base, int64_t channels, const weft_winograd_strip *s, int64_t channel, int64_t at, int line)
{
    const int r = line < POINTS ? line : POINTS, sub = line < POINTS ? 0 : line - POINTS, subs = r == POINTS ? M : 1;
    float *points = base + weft_winograd_at(c, SIDE * r, channels, s->lead) + (channel * subs + sub) * s->lead + at;
    float *plain = base + weft_winograd_at(c, SIDE * r + POINTS, channels, s->lead) + (channel * subs + sub) * M * s->lead + at;
    return (place) { points, plain, weft_winograd_at(c, SIDE * r + 1, channels, s->lead) - weft_winograd_at(c, SIDE * r, channels, s->lead), s->lead };
}

// --- Input. ---

// in: [M i + 0 .. 3] are the line's own parity, others [M i + 0 .. 2] the other's.
static inline void row_in(const float *restrict in, const float *restrict others, float *restrict o0, float *restrict o1, float *restrict o2,
                          float *restrict o3, float *restrict p0, float *restrict p1, float *restrict p2, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float a = in[M * i], b = in[M * i + 1], c = in[M * i + 2], d = in[M * i + 3];
        o0[i] = a - c, o1[i] = b + c, o2[i] = c - b, o3[i] = d - b;
    }
    for (int64_t i = 0; i < count; i++) p0[i] = others[M * i], p1[i] = others[M * i + 1], p2[i] = others[M * i + 2];
}

WEFT_CLONES static void row_in_to(const float *in, const float *others, const place *p, int64_t count)
{
    float *o = p->points;
    const int64_t k = p->point_step;
    row_in(in, others, o, o + k, o + 2 * k, o + 3 * k, p->plain, p->plain + p->plain_step, p->plain + 2 * p->plain_step, count);
}

// Numbers before and at the outputs' places are one parity, those at them the other: the same numbers here.
static void lift_up(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const float *in)
{
    float half[POINTS * LINE];
    const int64_t lanes = weft_winograd_lanes(s, r->at, r->count);
    columns_in(in, in + LINE, in + 2 * LINE, in + 3 * LINE, half, M * lanes + LANES);
    for (int k = 0; k < LINES; k++) {
        const place p = place_of(&weft_winograd_up, s->v, z->ci, s, channel, r->at, k);
        const float *line = k < POINTS ? half + k * LINE : in + (k - POINTS + 1) * LINE;
        row_in_to(line, line + 1, &p, lanes);
    }
}

WEFT_CLONES static void part(const float *restrict in, float *restrict even, float *restrict odd, int64_t count)
{
    for (int64_t i = 0; i < count; i++) even[i] = in[2 * i], odd[i] = in[2 * i + 1];
}

static void lift_down(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const float *in)
{
    float half[POINTS * LINE], even[LINE], odd[LINE];
    const int64_t lanes = weft_winograd_lanes(s, r->at, r->count), pairs = M * lanes + LANES / 2;
    columns_in(in, in + 2 * LINE, in + 4 * LINE, in + 6 * LINE, half, 2 * pairs);
    for (int k = 0; k < LINES; k++) {
        const place p = place_of(&weft_winograd_down, s->v, z->ci, s, channel, r->at, k);
        const float *line = k < POINTS ? half + k * LINE : in + (2 * (k - POINTS) + 1) * LINE;
        part(line, even, odd, pairs);
        row_in_to(even, odd, &p, lanes);
    }
}

// --- Output. ---

static inline void plain_out(const float *restrict a, const float *restrict b, const float *restrict c, float *restrict out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) out[M * i] = a[i], out[M * i + 1] = b[i], out[M * i + 2] = c[i];
}

// Sums of the points and plain numbers, apart.
WEFT_CLONES static void row_out(const place *p, float *points, float *plain, int64_t count)
{
    const float *m = p->points;
    const int64_t k = p->point_step;
    points_out(m, m + k, m + 2 * k, m + 3 * k, points, count);
    plain_out(p->plain, p->plain + p->plain_step, p->plain + 2 * p->plain_step, plain, count);
}

// Places of one parity receive two taps each way, of the other the middle one.
static void sums_up(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const int64_t skip[2],
                    int64_t height, int64_t width, float *to, int64_t stride)
{
    float even[LINES * LINE], odd[LINES * LINE], whole[LINE]; // parities of columns
    const int64_t lanes = weft_winograd_lanes(s, r->at, r->count);
    for (int k = 0; k < LINES; k++) {
        const place p = place_of(&weft_winograd_up, s->m, z->co, s, channel, r->at, k);
        row_out(&p, even + k * LINE, odd + k * LINE, lanes);
    }
    float points_even[M * LINE], points_odd[M * LINE];
    columns_out(even, points_even, M * lanes);
    columns_out(odd, points_odd, M * lanes);
    for (int64_t k = 0; k < height; k++) {
        const int64_t row = k + skip[0], i = row / 2;
        const float *a = row % 2 ? even + (POINTS + i) * LINE : points_even + i * LINE, *b = row % 2 ? odd + (POINTS + i) * LINE : points_odd + i * LINE;
        float *y = to + k * stride;
        mix(a, b, skip[1] ? whole : y, skip[1] ? M * lanes : width / 2);
        if (skip[1]) memcpy(y, whole + skip[1], (size_t) width * sizeof *y);
        else if (width % 2) y[width - 1] = a[width / 2];
    }
}

WEFT_CLONES static void add(const float *restrict a, const float *restrict b, float *restrict to, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = a[i] + b[i];
}

static void sums_down(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, int64_t channel, const int64_t skip[2],
                      int64_t height, int64_t width, float *to, int64_t stride)
{
    float lines[LINES * LINE], points[M * LINE], plain[LINE], both[LINE];
    const int64_t lanes = weft_winograd_lanes(s, r->at, r->count);
    (void) skip; // there are none
    for (int k = 0; k < LINES; k++) {
        const place p = place_of(&weft_winograd_down, s->m, z->co, s, channel, r->at, k);
        row_out(&p, both, plain, lanes);
        add(both, plain, lines + k * LINE, M * lanes);
    }
    columns_out(lines, points, M * lanes);
    for (int64_t k = 0; k < height; k++) add(points + k * LINE, lines + (POINTS + k) * LINE, to + k * stride, width);
}

const weft_winograd_scheme weft_winograd_down = { "down 3x3", 3, 1, 1, SIDE, M, M, 2 * M, 2 * M + 1, CHUNK, false, weights, lift_down, sums_down };
const weft_winograd_scheme weft_winograd_up = { "up 6x6", 3, 1, 1, SIDE, M, 2 * M, M, M + 1, CHUNK, false, weights, lift_up, sums_up };
