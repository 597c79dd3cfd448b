// SPDX-License-Identifier: MIT
// upfirdn2d with a filter that is the product of a column and a row: one axis after the other, a line at a time.
#include "cpu/add.h"
#include "cpu/clones.h"
#include "cpu/epilogue.h"
#include "cpu/fast.h"
#include "ops/upfirdn2d.h"
#include <math.h>
#include <string.h>

enum { LINE = 8192, TAPS = 64 }; // the longest line with zeros and pads, the longest filter

typedef struct upfirdn_state {
    float v[TAPS], h[TAPS]; // as the image is correlated with them; the gain is in v
} upfirdn_state;

// Whether f[a][b] = v[a] h[b], to the precision of its numbers.
static bool separate(const float *f, const int64_t *size, bool flip, upfirdn_state *s)
{
    int64_t best = 0;
    for (int64_t i = 0; i < size[0] * size[1]; i++)
        if (fabsf(f[i]) > fabsf(f[best])) best = i;
    const double most = f[best];
    const int64_t row = best / size[1], column = best % size[1];
    for (int64_t i = 0; i < size[0] * size[1]; i++) {
        const double product = most == 0 ? 0 : f[i / size[1] * size[1] + column] * (f[row * size[1] + i % size[1]] / most);
        if (!(fabs(f[i] - product) <= 1e-6 * fabs(most))) return false;
    }
    for (int64_t a = 0; a < size[0]; a++) s->v[flip ? a : size[0] - 1 - a] = f[a * size[1] + column];
    for (int64_t b = 0; b < size[1]; b++) s->h[flip ? b : size[1] - 1 - b] = most == 0 ? 0 : (float) (f[row * size[1] + b] / most);
    return true;
}

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    const weft_upfirdn_attrs *at = n->attrs;
    const int64_t *f = n->in_shape[1].dim, *y = n->out_shape[0].dim;
    (void) scratch;
    *state = NULL;
    if (!constant[1] || f[0] > TAPS || f[1] > TAPS || (y[3] - 1) * at->down[1] + f[1] > LINE) return WEFT_OK;
    upfirdn_state *s = weft_new(ctx, sizeof *s);
    if (!s) return WEFT_ERR_MEMORY;
    if (!separate(constant[1], f, at->flip, s)) {
        weft_delete(ctx, s);
        return WEFT_OK;
    }
    for (int64_t a = 0; a < f[0]; a++) s->v[a] *= at->gain;
    *state = s;
    return WEFT_OK;
}

static void destroy(weft_context *ctx, void *state) { weft_delete(ctx, state); }

WEFT_CLONES static void filter_four(float *restrict y, const float *restrict x, const float *h, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] = h[0] * x[i] + h[1] * x[i + 1] + h[2] * x[i + 2] + h[3] * x[i + 3];
}
WEFT_CLONES static void filter_any(float *restrict y, const float *restrict x, const float *h, int64_t taps, int64_t down, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        float sum = 0;
        for (int64_t b = 0; b < taps; b++) sum += h[b] * x[i * down + b];
        y[i] = sum;
    }
}

typedef struct job { const weft_node *node; const upfirdn_state *state; const float *const *in; const float *x; float *y; } job;

// The columns' part of row `ho`: sums of rows of x, `count` pixels from column `first` on.
static void add_rows(const job *j, const float *x, int64_t ho, int64_t first, int64_t count, float *line)
{
    const weft_upfirdn_attrs *at = j->node->attrs;
    const int64_t *xs = j->node->in_shape[0].dim, taps = j->node->in_shape[1].dim[0], top = ho * at->down[0] - at->pads[0];
    if (at->up[0] == 1 && taps == 4 && top >= 0 && top + 4 <= xs[2]) {
        weft_cpu_add_four(line, x + top * xs[3] + first, xs[3], j->state->v, count);
        return;
    }
    for (int64_t a = 0; a < taps; a++) {
        const int64_t h = top + a;
        if (h < 0 || h % at->up[0] || h / at->up[0] >= xs[2]) continue;
        weft_cpu_add(line, x + h / at->up[0] * xs[3] + first, j->state->v[a], count);
    }
}

// What follows the filter in `count` rows of one plane, from row `row` on.
static void end_rows(const job *j, int64_t row, int64_t count)
{
    static const weft_cpu_ending ending = { 1 + WEFT_BIAS_B, 1 + WEFT_BIAS_NOISE, 1 + WEFT_BIAS_STRENGTH, 1 + WEFT_BIAS_D };
    const weft_node *n = j->node;
    const weft_upfirdn_attrs *at = n->attrs;
    const int64_t *ys = n->out_shape[0].dim;
    const weft_conv_attrs how = { .act = at->act, .a = at->a, .b = at->b, .gain = at->act_gain, .clamp = at->clamp };
    float *y = j->y + row * ys[3];
    weft_cpu_plane p = weft_cpu_plane_of(n, j->in, &ending, row / ys[2], row % ys[2] * ys[3]);
    bool styled = false;
    for (int i = WEFT_BIAS_B; i < WEFT_BIAS_INPUTS; i++) styled |= weft_has(n, 1 + i);
    p.sum = y;
    weft_cpu_epilogue(&how, &p, styled, y, count * ys[3]);
}

static void rows(void *user, int64_t begin, int64_t end)
{
    enum { STRETCH = 4096 }; // pixels: what follows the filter finds them in the nearest cache
    const job *j = user;
    const bool ends = weft_upfirdn_ends(j->node);
    int64_t ended = begin;
    const weft_upfirdn_attrs *at = j->node->attrs;
    const int64_t *xs = j->node->in_shape[0].dim, *ys = j->node->out_shape[0].dim, taps = j->node->in_shape[1].dim[1];
    const int64_t up = at->up[1], down = at->down[1], left = at->pads[1], length = (ys[3] - 1) * down + taps;
    // columns of x that lie on the line: 0 <= column up + left < length
    const int64_t first = left < 0 ? (-left + up - 1) / up : 0;
    int64_t past = length - left <= 0 ? 0 : (length - left + up - 1) / up;
    if (past > xs[3]) past = xs[3];
    const int64_t count = past > first ? past - first : 0, from = first * up + left; // where the first lies
    float line[LINE], packed[LINE];
    memset(line, 0, (size_t) length * sizeof *line);
    for (int64_t row = begin; row < end; row++) {
        const float *x = j->x + row / ys[2] * xs[2] * xs[3];
        float *sums = up == 1 ? line + from : packed, *y = j->y + row * ys[3];
        if (count) {
            memset(sums, 0, (size_t) count * sizeof *sums);
            add_rows(j, x, row % ys[2], first, count, sums);
        }
        for (int64_t i = 0; up > 1 && i < count; i++) line[from + i * up] = packed[i];
        if (taps == 4 && down == 1) filter_four(y, line, j->state->h, ys[3]);
        else filter_any(y, line, j->state->h, taps, down, ys[3]);
        if (!ends || (row + 1 < end && (row + 1) % ys[2] && (row + 1 - ended) * ys[3] < STRETCH)) continue;
        end_rows(j, ended, row + 1 - ended);
        ended = row + 1;
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const int64_t *y = n->out_shape[0].dim;
    (void) scratch;
    weft_parallel(ctx->pool, y[0] * y[1] * y[2], 16, rows, &(job) { n, state, (const float *const *) in, in[0], out[0] });
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_upfirdn2d = { "upfirdn2d", prepare, run, destroy };
