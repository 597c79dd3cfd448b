// SPDX-License-Identifier: MIT
// softmax: lines one after another, or as many side by side as lie together.
#include "cpu/clones.h"
#include "cpu/exp.h"
#include "cpu/fast.h"
#include "ops/divide.h"
#include "ops/softmax.h"
#include <math.h>

enum { LANES = 64, WIDTH = 256, BLOCK = 4096, LEAST_WORK = 1 << 13 }; // sums in float within a block, in double beyond

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    (void) ctx, (void) constant, (void) scratch;
    *state = (void *) (uintptr_t) n; // nothing to keep
    return WEFT_OK;
}

typedef struct job { const float *x; float *y, scale; int64_t len, step, blocks; } job; // step: from number to number of a line

WEFT_CLONES static float largest(const float *x, float scale, int64_t count)
{
    float most[LANES], all = -INFINITY;
    int64_t i = 0;
    for (int k = 0; k < LANES; k++) most[k] = -INFINITY;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++) most[k] = x[i + k] * scale > most[k] ? x[i + k] * scale : most[k];
    for (; i < count; i++) most[0] = x[i] * scale > most[0] ? x[i] * scale : most[0];
    for (int k = 0; k < LANES; k++) all = most[k] > all ? most[k] : all;
    return all;
}

WEFT_CLONES static float powers(const float *restrict x, float scale, float most, float *restrict y, int64_t count)
{
    float sum[LANES] = { 0 }, all = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const float e = weft_exp_weight(x[i + k] * scale - most);
            y[i + k] = e, sum[k] += e;
        }
    for (; i < count; i++) all += y[i] = weft_exp_weight(x[i] * scale - most);
    for (int k = 0; k < LANES; k++) all += sum[k];
    return all;
}

WEFT_CLONES static void times(float *y, float by, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] *= by;
}

static void lines(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    for (int64_t line = begin; line < end; line++) {
        const float *x = j->x + line * j->len, most = largest(x, j->scale, j->len);
        float *y = j->y + line * j->len;
        double sum = 0;
        for (int64_t i = 0; i < j->len; i += BLOCK) sum += powers(x + i, j->scale, most, y + i, j->len - i < BLOCK ? j->len - i : BLOCK);
        times(y, (float) (1 / sum), j->len);
    }
}

WEFT_CLONES static void raise(float *restrict most, const float *restrict x, float scale, int64_t count)
{
    for (int64_t i = 0; i < count; i++) most[i] = x[i] * scale > most[i] ? x[i] * scale : most[i];
}
WEFT_CLONES static void add_powers(const float *restrict x, float scale, const float *restrict most, float *restrict y, float *restrict sum, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float e = weft_exp_weight(x[i] * scale - most[i]);
        y[i] = e, sum[i] += e;
    }
}
WEFT_CLONES static void over(float *restrict y, const float *restrict sum, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] /= sum[i];
}

static void beside(void *user, int64_t begin, int64_t end) // blocks of WIDTH lines
{
    const job *j = user;
    for (int64_t block = begin; block < end; block++) {
        const int64_t column = block % j->blocks * WIDTH, count = j->step - column < WIDTH ? j->step - column : WIDTH;
        const int64_t first = block / j->blocks * j->step * j->len + column;
        float most[WIDTH], sum[WIDTH] = { 0 };
        for (int64_t i = 0; i < count; i++) most[i] = -INFINITY;
        for (int64_t i = 0; i < j->len; i++) raise(most, j->x + first + i * j->step, j->scale, count);
        for (int64_t i = 0; i < j->len; i++) add_powers(j->x + first + i * j->step, j->scale, most, j->y + first + i * j->step, sum, count);
        for (int64_t i = 0; i < j->len; i++) over(j->y + first + i * j->step, sum, count);
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const weft_softmax_attrs *at = n->attrs;
    const int axis = at->axis < 0 ? at->axis + n->in_shape[0].rank : at->axis;
    job j = { in[0], out[0], at->scale, n->in_shape[0].dim[axis], 1, 0 };
    (void) state, (void) scratch;
    for (int d = axis + 1; d < n->in_shape[0].rank; d++) j.step *= n->in_shape[0].dim[d];
    const int64_t count = weft_shape_count(n->in_shape[0]) / j.len;
    j.blocks = ceil_div(j.step, WIDTH);
    if (j.step == 1) weft_parallel(ctx->pool, count, ceil_div(LEAST_WORK, j.len), lines, &j);
    else weft_parallel(ctx->pool, count / j.step * j.blocks, ceil_div(LEAST_WORK, WIDTH * j.len), beside, &j);
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_softmax = { "softmax", prepare, run };
