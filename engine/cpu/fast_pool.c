// SPDX-License-Identifier: MIT
// max_pool2d and avg_pool2d: rows of a window first, all columns at once, then its columns. The gradient of the usual maximum, over windows of
// 2 x 2 side by side.
#include "cpu/clones.h"
#include "cpu/fast.h"
#include "ops/pool.h"
#include <math.h>
#include <string.h>

enum { LINE = 8192 }; // the longest row with its padding

static bool averages(const weft_node *n) { return n->op->index & 1; }
static int64_t line_length(const weft_node *n)
{
    const weft_pool_attrs *at = n->attrs;
    return (n->out_shape[0].dim[3] - 1) * weft_pool_stride(at, 1) + at->kernel[1];
}

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    const weft_pool_attrs *at = n->attrs;
    (void) ctx, (void) constant, (void) scratch;
    bool fits = at->dilation[0] == 1 && at->dilation[1] == 1 && line_length(n) <= LINE && n->in_shape[0].dim[3] + at->pads[1] <= LINE;
    for (int d = 0; d < 2; d++) // every window has a pixel
        for (int64_t o = 0; fits && o < n->out_shape[0].dim[2 + d]; o++) {
            const weft_pool_span s = weft_pool_span_of(at, false, d, n->in_shape[0].dim[2 + d], n->out_shape[0].dim[2 + d], o);
            fits = s.begin < s.end && s.counted > 0;
        }
    *state = fits ? (void *) (uintptr_t) n : NULL; // nothing to keep
    return WEFT_OK;
}

WEFT_CLONES static void most_of(float *restrict to, const float *restrict x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = x[i] > to[i] ? x[i] : to[i];
}
WEFT_CLONES static void numbers_of(float *restrict to, const float *restrict x, int64_t count) // what is none never wins
{
    for (int64_t i = 0; i < count; i++) to[i] = x[i] > -INFINITY ? x[i] : -INFINITY;
}
WEFT_CLONES static void sum_of(float *restrict to, const float *restrict x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] += x[i];
}
WEFT_CLONES static void most_of_pairs(float *restrict to, const float *restrict x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = x[2 * i] > x[2 * i + 1] ? x[2 * i] : x[2 * i + 1];
}
WEFT_CLONES static void sums_of_pairs(float *restrict to, const float *restrict x, float by, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = (x[2 * i] + x[2 * i + 1]) * by;
}

typedef struct job { const weft_node *node; const float *x; float *y; } job;

static void rows(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    const weft_node *n = j->node;
    const weft_pool_attrs *at = n->attrs;
    const int64_t *xs = n->in_shape[0].dim, *ys = n->out_shape[0].dim, length = line_length(n), stride = weft_pool_stride(at, 1), left = at->pads[1];
    const bool sums = averages(n), pairs = stride == 2 && at->kernel[1] == 2;
    const int64_t here = length - left < xs[3] ? length - left : xs[3]; // columns of x that windows see
    float line[2 * LINE];
    for (int64_t i = 0; i < length; i++) line[i] = sums ? 0 : -INFINITY;
    for (int64_t row = begin; row < end; row++) {
        const weft_pool_span v = weft_pool_span_of(at, false, 0, xs[2], ys[2], row % ys[2]);
        const float *x = j->x + (row / ys[2] * xs[2] + v.begin) * xs[3];
        float *y = j->y + row * ys[3];
        if (sums) memcpy(line + left, x, (size_t) here * sizeof *line);
        else numbers_of(line + left, x, here);
        for (int64_t r = v.begin + 1; r < v.end; r++) (sums ? sum_of : most_of)(line + left, x + (r - v.begin) * xs[3], here);
        if (pairs && !sums) most_of_pairs(y, line, ys[3]);
        else if (pairs && !left && 2 * ys[3] <= xs[3]) sums_of_pairs(y, line, 1 / (float) (v.counted * 2), ys[3]);
        else
            for (int64_t wo = 0; wo < ys[3]; wo++) {
                float all = line[wo * stride];
                for (int64_t k = 1; k < at->kernel[1]; k++) all = sums ? all + line[wo * stride + k] : fmaxf(all, line[wo * stride + k]);
                y[wo] = sums ? all / (float) (v.counted * weft_pool_span_of(at, false, 1, xs[3], ys[3], wo).counted) : all;
            }
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const int64_t *y = n->out_shape[0].dim;
    (void) state, (void) scratch;
    weft_parallel(ctx->pool, y[0] * y[1] * y[2], 32, rows, &(job) { n, in[0], out[0] });
    return WEFT_OK;
}

// --- Back from a maximum: dy goes to the first largest. ---

static weft_result prepare_back(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    const weft_pool_attrs *at = n->attrs;
    const int64_t *dy = n->in_shape[0].dim, *dx = n->out_shape[0].dim;
    (void) ctx, (void) constant, (void) scratch;
    bool fits = true;
    for (int d = 0; d < 2; d++)
        fits &= at->kernel[d] == 2 && weft_pool_stride(at, d) == 2 && at->dilation[d] == 1 && !at->pads[d] && 2 * dy[2 + d] <= dx[2 + d];
    *state = fits ? (void *) (uintptr_t) n : NULL; // nothing to keep
    return WEFT_OK;
}

WEFT_CLONES static void back_to_pairs(const float *restrict dy, const float *restrict a, const float *restrict b, float *restrict da, float *restrict db,
                                      int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float a0 = a[2 * i], a1 = a[2 * i + 1], b0 = b[2 * i], b1 = b[2 * i + 1];
        const float upper = a1 > a0 ? a1 : a0, lower = b1 > b0 ? b1 : b0, above = lower > upper ? 0 : dy[i], below = lower > upper ? dy[i] : 0;
        da[2 * i] = a1 > a0 ? 0 : above, da[2 * i + 1] = a1 > a0 ? above : 0;
        db[2 * i] = b1 > b0 ? 0 : below, db[2 * i + 1] = b1 > b0 ? below : 0;
    }
}

typedef struct back_job { const weft_node *node; const float *dy, *x; float *dx; } back_job;

static void planes_back(void *user, int64_t begin, int64_t end)
{
    const back_job *j = user;
    const int64_t *ys = j->node->in_shape[0].dim, *xs = j->node->out_shape[0].dim;
    for (int64_t plane = begin; plane < end; plane++) {
        const float *x = j->x + plane * xs[2] * xs[3];
        float *dx = j->dx + plane * xs[2] * xs[3];
        for (int64_t ho = 0; ho < ys[2]; ho++, x += 2 * xs[3], dx += 2 * xs[3]) {
            back_to_pairs(j->dy + (plane * ys[2] + ho) * ys[3], x, x + xs[3], dx, dx + xs[3], ys[3]);
            for (int64_t i = 2 * ys[3]; i < xs[3]; i++) dx[i] = dx[xs[3] + i] = 0; // seen by no window
        }
        memset(dx, 0, (size_t) ((xs[2] - 2 * ys[2]) * xs[3]) * sizeof *dx);
    }
}

static weft_result run_back(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const int64_t *x = n->out_shape[0].dim;
    (void) state, (void) scratch;
    weft_parallel(ctx->pool, x[0] * x[1], 1, planes_back, &(back_job) { n, in[0], in[1], out[0] });
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_max_pool2d_grad = { "max_pool2d_grad", prepare_back, run_back };
const weft_cpu_fast weft_cpu_fast_max_pool2d = { "max_pool2d", prepare, run };
const weft_cpu_fast weft_cpu_fast_avg_pool2d = { "avg_pool2d", prepare, run };
