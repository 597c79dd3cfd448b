// SPDX-License-Identifier: MIT
// Interpolation at 0, 1, -1, 2, -2 and infinity. Both transforms of a tile are those of its columns and of its rows: the first run along
// rows of the image as they lie, and only the second have to tell a tile's columns apart.
#include "cpu/winograd.h"
#include "cpu/clones.h"
#include "cpu/epilogue.h"
#include <string.h>

enum { M = 4, SIDE = 6, PLANES = WEFT_WINOGRAD_PLANES, CHUNK = 64, WIDE = M * CHUNK, LINE = WIDE + 16, LANES = 16 };

typedef struct run { int64_t image, row, column, count; } run; // tiles that lie side by side
static run run_at(const weft_winograd_sizes *z, int64_t tile, int64_t most)
{
    const int64_t column = tile % z->columns, left = z->columns - column, row = tile / z->columns;
    return (run) { row / z->rows, row % z->rows, column, left < most ? left : most };
}

// --- Weights: G w G^T. ---

static inline void weights_line(const float *restrict in, int64_t step, float *restrict out, int64_t out_step)
{
    for (int i = 0; i < LANES; i++) {
        const float a = in[i], b = in[step + i], c = in[2 * step + i], even = a + c, far = a + 4 * c;
        out[i] = a / 4, out[out_step + i] = -(even + b) / 6, out[2 * out_step + i] = -(even - b) / 6;
        out[3 * out_step + i] = (far + 2 * b) / 24, out[4 * out_step + i] = (far - 2 * b) / 24, out[5 * out_step + i] = c;
    }
}

WEFT_CLONES static void weights_block(float in[restrict 9][LANES], float out[restrict PLANES][LANES])
{
    float half[3][SIDE][LANES]; // [kx][row]
    for (int k = 0; k < 3; k++) weights_line(in[k], 3 * LANES, half[k][0], LANES);
    for (int r = 0; r < SIDE; r++) weights_line(half[0][r], SIDE * LANES, out[SIDE * r], LANES);
}

void weft_cpu_winograd_weights(const weft_winograd_sizes *z, const float *w, bool turned, float *u, int64_t begin, int64_t end)
{
    float in[9][LANES] = { { 0 } }, out[PLANES][LANES];
    for (int64_t c = begin; c < end; c++)
        for (int64_t o = 0; o < z->co; o += LANES) {
            const int64_t count = z->co - o < LANES ? z->co - o : LANES;
            for (int64_t i = 0; i < count; i++) {
                const float *from = w + (turned ? c * z->co + o + i : (o + i) * z->ci + c) * 9;
                for (int k = 0; k < 9; k++) in[k][i] = from[turned ? 8 - k : k];
            }
            weights_block(in, out);
            for (int p = 0; p < PLANES; p++) memcpy(u + (p * z->ci + c) * z->co + o, out[p], (size_t) count * sizeof *u);
        }
}

// --- Input: B^T x B. ---

WEFT_CLONES static void times(float *restrict to, const float *restrict from, float by, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = from[i] * by;
}

// What the next channel will touch: it lies too far away for the processor to guess.
#if defined(__GNUC__)
#define AHEAD(address, writes) __builtin_prefetch(address, writes)
#else
#define AHEAD(address, writes) ((void) (address))
#endif
enum { CACHE_LINE = 64 / sizeof(float) };

// `count` numbers of a padded row, from column x of the image on. What lies beyond the padding is 0: it has no part in what is kept.
static void fetch(const weft_winograd_sizes *z, const float *plane, float by, int64_t y, int64_t x, int64_t count, float *to)
{
    const int64_t from = y < z->ho + 2 - z->top ? weft_pad_at(z->mode, y, z->h) : -1;
    const int64_t begin = x < 0 ? -x : 0, end = z->w - x < count ? z->w - x : count;
    if (from < 0) {
        memset(to, 0, (size_t) count * sizeof *to);
        return;
    }
    plane += from * z->w;
    for (int64_t i = begin; i < end; i += CACHE_LINE) AHEAD(plane + z->h * z->w + x + i, 0);
    for (int64_t i = 0; i < count; i++) {
        if (i == begin && end > begin) {
            times(to + i, plane + x + i, by, end - begin);
            if ((i = end) == count) break;
        }
        const int64_t at = x + i < z->wo + 2 - z->left ? weft_pad_at(z->mode, x + i, z->w) : -1;
        to[i] = at < 0 ? 0 : plane[at] * by;
    }
}

// One of the six results of each column: rows of `in` are LINE apart.
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

void weft_cpu_winograd_in(const weft_winograd_sizes *z, const weft_winograd_strip *s, const float *x, const float *scale, int64_t channel)
{
    float rows[SIDE * LINE], half[SIDE * LINE];
    for (int64_t done = 0; done < s->count;) {
        const run r = run_at(z, s->first + done, s->count - done < CHUNK ? s->count - done : CHUNK);
        const int64_t plane = r.image * z->ci + channel, wide = M * r.count + 2;
        const float by = scale ? scale[plane] : 1;
        for (int k = 0; k < SIDE; k++)
            fetch(z, x + plane * z->h * z->w, by, M * r.row + k - z->top, M * r.column - z->left, wide, rows + k * LINE);
        columns_in(rows, half, wide);
        rows_in(half, s->v + channel * s->lead + done, s->v_plane, r.count);
        done += r.count;
    }
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

// Rows past `height` go nowhere that is kept.
WEFT_CLONES static void columns_out_to(const float *in, float *to, int64_t stride, int64_t height, float *rest, int64_t count)
{
    columns_out(in, to, height > 1 ? to + stride : rest, height > 2 ? to + 2 * stride : rest + WIDE, height > 3 ? to + 3 * stride : rest + 2 * WIDE, count);
}

// Sums of one channel for tiles [done, done + rows x columns) of a strip into an image of width `stride`, of which `height` rows are left.
static void sums(const weft_winograd_strip *s, int64_t channel, int64_t done, int64_t rows, int64_t columns, float *to, const float *next, int64_t stride,
                 int64_t height, int64_t width)
{
    float half[SIDE * LINE], rest[3 * WIDE];
    rows_out(s->m + channel * s->lead + done, s->m_plane, half, rows * columns);
    for (int64_t k = 0; k < height; k++)
        for (int64_t i = 0; i < width; i += CACHE_LINE) AHEAD(next + k * stride + i, 1);
    for (int64_t r = 0; r < rows; r++)
        columns_out_to(half + r * M * columns, to + r * M * stride, stride, height - r * M, rest, width);
}

typedef struct finisher { const weft_node *node; const float *const *in; float *y; int64_t area, image, channel; bool works, shifts; } finisher;

WEFT_CLONES static void add(float *y, float by, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] += by;
}

// `count` sums from element `at` of the channel on, and the gates of these.
static void finish(const finisher *f, int64_t at, float *gate, int64_t count)
{
    const weft_node *n = f->node;
    const int64_t channels = n->out_shape[0].dim[1], plane = f->image * channels + f->channel, i = plane * f->area + at;
    weft_cpu_plane p = { .sum = f->y + i, .gate = gate, .scale = 1, .strength = 1 };
    if (!f->works) return;
    if (weft_has(n, WEFT_CONV_R)) p.r = f->in[WEFT_CONV_R] + i;
    if (weft_has(n, WEFT_CONV_D)) p.scale = f->in[WEFT_CONV_D][plane];
    if (weft_has(n, WEFT_CONV_NOISE)) p.noise = f->in[WEFT_CONV_NOISE] + (n->in_shape[WEFT_CONV_NOISE].dim[0] == 1 ? 0 : f->image) * f->area + at;
    if (weft_has(n, WEFT_CONV_STRENGTH)) p.strength = f->in[WEFT_CONV_STRENGTH][0];
    if (weft_has(n, WEFT_CONV_B)) p.bias = f->in[WEFT_CONV_B][f->channel];
    if (gate && weft_has(n, WEFT_CONV_B)) add(gate, f->in[WEFT_CONV_B][channels + f->channel], count);
    weft_cpu_epilogue(n->attrs, &p, f->shifts, f->y + i, count);
}

void weft_cpu_winograd_out(const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_node *n, const void *const *in, float *y, int64_t channel)
{
    const weft_conv_attrs *at = n->attrs;
    finisher f = { n, (const float *const *) in, y, z->ho * z->wo, .channel = channel };
    float gates[M * WIDE];
    f.shifts = weft_has(n, WEFT_CONV_B) || weft_conv_is_styled(n);
    f.works = f.shifts || at->act || at->gate || weft_has(n, WEFT_CONV_R) || at->gain != 0 || at->clamp > 0;
    for (int64_t done = 0; done < s->count;) {
        const run r = run_at(z, s->first + done, s->count - done < CHUNK ? s->count - done : CHUNK);
        const bool whole = r.count == z->columns; // as many rows of tiles as there are and fit: what they give is one stretch
        int64_t rows = whole ? CHUNK / z->columns : 1;
        if (rows > (s->count - done) / r.count) rows = (s->count - done) / r.count;
        if (rows > z->rows - r.row) rows = z->rows - r.row;
        const int64_t height = z->ho - M * r.row < M * rows ? z->ho - M * r.row : M * rows;
        const int64_t width = z->wo - M * r.column < M * r.count ? z->wo - M * r.column : M * r.count, first = M * (r.row * z->wo + r.column);
        f.image = r.image;
        float *to = y + (r.image * n->out_shape[0].dim[1] + channel) * f.area + first;
        sums(s, channel, done, rows, r.count, to, to + f.area, z->wo, height, width);
        if (at->gate) sums(s, z->co / 2 + channel, done, rows, r.count, gates, gates, width, height, width);
        if (whole) finish(&f, first, at->gate ? gates : NULL, height * width);
        for (int64_t k = 0; k < height && !whole; k++) finish(&f, first + k * z->wo, at->gate ? gates + k * width : NULL, width);
        done += rows * r.count;
    }
}
