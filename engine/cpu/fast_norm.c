// SPDX-License-Identifier: MIT
// Norms by statistics of x and their gradient, in runs that vectorise: one channel of one image at a time, or one row of layer_norm.
#include "cpu/clones.h"
#include "cpu/fast.h"
#include "ops/norm.h"
#include <math.h>

enum { LANES = 16, BLOCK = 4096 }; // sums in float within a block, in double beyond

typedef struct line { float zero, mean, by, scale, bias, sum, along; } line;

typedef struct job {
    line *saved; // of every statistic, for what scale and bias receive; NULL: they receive nothing
    float *dscale, *dbias;
    weft_norm_view v;
    weft_norm_kind kind;
    bool each; // scale and bias have a number per element of a run
    const float *x, *dy, *scale, *bias;
    float *y;
} job;

// Everything is taken relative to `zero`, a number near the mean, so that a large mean costs no digits.
#define SUM(name, term, ...)                                                               \
    WEFT_CLONES static double name(const float *restrict x, int64_t count, __VA_ARGS__)    \
    {                                                                                      \
        double all = 0;                                                                    \
        for (int64_t begin = 0; begin < count; begin += BLOCK) {                           \
            const int64_t end = count - begin < BLOCK ? count : begin + BLOCK;             \
            float sum[LANES] = { 0 };                                                      \
            int64_t at = begin;                                                            \
            for (; at + LANES <= end; at += LANES)                                         \
                for (int k = 0; k < LANES; k++) {                                          \
                    const int64_t i = at + k;                                              \
                    sum[k] += term;                                                        \
                }                                                                          \
            for (int64_t i = at; i < end; i++) all += term;                                \
            for (int k = 0; k < LANES; k++) all += sum[k];                                 \
        }                                                                                  \
        return all;                                                                        \
    }
SUM(sum_of, x[i] - zero, float zero)
SUM(squares_of, (x[i] - zero - mean) * (x[i] - zero - mean), float zero, float mean)
SUM(plain_sum, x[i] * by, float by)
SUM(product_sum, x[i] * w[i], const float *restrict w)
SUM(along_sum, (x[i] - zero - mean) * dy[i] * by, float zero, float mean, const float *restrict dy, float by)
SUM(along_product, (x[i] - zero - mean) * dy[i] * w[i], float zero, float mean, const float *restrict dy, const float *restrict w)

WEFT_CLONES static void apply(float *restrict y, const float *restrict x, int64_t count, line l)
{
    const float by = l.by * l.scale;
    for (int64_t i = 0; i < count; i++) y[i] = (x[i] - l.zero - l.mean) * by + l.bias;
}
WEFT_CLONES static void apply_scale(float *restrict y, const float *restrict scale, const float *restrict bias, int64_t count)
{
    if (scale) for (int64_t i = 0; i < count; i++) y[i] *= scale[i];
    if (bias) for (int64_t i = 0; i < count; i++) y[i] += bias[i];
}
WEFT_CLONES static void back(float *restrict dx, const float *restrict dy, const float *restrict x, int64_t count, line l)
{
    for (int64_t i = 0; i < count; i++) dx[i] = (dy[i] * l.scale - l.sum - (x[i] - l.zero - l.mean) * l.along) * l.by;
}
WEFT_CLONES static void back_each(float *restrict dx, const float *restrict dy, const float *restrict x, const float *restrict w, int64_t count, line l)
{
    for (int64_t i = 0; i < count; i++) dx[i] = (dy[i] * w[i] - l.sum - (x[i] - l.zero - l.mean) * l.along) * l.by;
}

static void statistics(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    const weft_norm_view *v = &j->v;
    const int64_t per = v->c / j->kind.groups, length = j->each ? v->c : v->rows, step = j->each ? v->c : 1;
    for (int64_t s = begin; s < end; s++) {
        const int64_t n0 = j->kind.over_n ? 0 : s / j->kind.groups, n1 = j->kind.over_n ? v->n : n0 + 1, c0 = s % j->kind.groups * per;
        const double count = (double) ((n1 - n0) * per * v->rows);
#define EACH                                          \
    for (int64_t n = n0; n < n1; n++)                 \
        for (int64_t c = c0, at = (n * v->c + c) * v->rows; c < c0 + per; c += step, at += length)
        line l = { .zero = j->x[(n0 * v->c + c0) * v->rows], .scale = 1 };
        double sum = 0, squares = 0, came = 0, along = 0;
        EACH sum += sum_of(j->x + at, length, l.zero);
        l.mean = (float) (sum / count);
        EACH squares += squares_of(j->x + at, length, l.zero, l.mean);
        l.by = (float) (1 / sqrt(squares / count + j->kind.eps));
        if (!j->dy) {
            EACH {
                if (j->scale && !j->each) l.scale = j->scale[c];
                if (j->bias && !j->each) l.bias = j->bias[c];
                apply(j->y + at, j->x + at, length, l);
                if (j->each) apply_scale(j->y + at, j->scale, j->bias, length);
            }
            continue;
        }
        const bool weighed = j->each && j->scale;
        EACH {
            if (j->scale && !j->each) l.scale = j->scale[c];
            came += weighed ? product_sum(j->dy + at, length, j->scale) : plain_sum(j->dy + at, length, l.scale);
            along += weighed ? along_product(j->x + at, length, l.zero, l.mean, j->dy + at, j->scale)
                             : along_sum(j->x + at, length, l.zero, l.mean, j->dy + at, l.scale);
        }
        if (j->saved) j->saved[s] = l;
        l.sum = (float) (came / count), l.along = (float) (along * l.by * l.by / count);
        EACH {
            if (j->scale && !j->each) l.scale = j->scale[c];
            if (weighed) back_each(j->y + at, j->dy + at, j->x + at, j->scale, length, l);
            else back(j->y + at, j->dy + at, j->x + at, length, l);
        }
#undef EACH
    }
}

static void params(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    const weft_norm_view *v = &j->v;
    for (int64_t c = begin; c < end; c++) {
        double of_scale = 0, of_bias = 0;
        for (int64_t n = 0; n < v->n; n++) {
            const line *l = &j->saved[(j->kind.over_n ? 0 : n * j->kind.groups) + c / (v->c / j->kind.groups)];
            const int64_t at = (n * v->c + c) * v->rows;
            of_scale += along_sum(j->x + at, v->rows, l->zero, l->mean, j->dy + at, l->by);
            of_bias += plain_sum(j->dy + at, v->rows, 1);
        }
        j->dscale[c] = (float) of_scale, j->dbias[c] = (float) of_bias;
    }
}

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    (void) ctx, (void) constant, (void) scratch;
    *state = (void *) (uintptr_t) n; // nothing to keep
    return WEFT_OK;
}

static weft_result go(weft_context *ctx, job *j)
{
    j->each = j->kind.groups == 1 && !j->kind.over_n && j->v.rows == 1;
    weft_parallel(ctx->pool, j->kind.groups * (j->kind.over_n ? 1 : j->v.n), 1 + BLOCK / (j->v.rows * (j->v.c / j->kind.groups)), statistics, j);
    return WEFT_OK;
}

static weft_result run_norm(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    job j = { .v = weft_norm_look(n->in_shape[0], WEFT_ROW), .kind = weft_norm_kind_of(n), .x = in[0], .y = out[0] };
    (void) state, (void) scratch;
    if (weft_has(n, 1)) j.scale = in[1];
    if (weft_has(n, 2)) j.bias = in[2];
    return go(ctx, &j);
}

static weft_result prepare_batch(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    if (((const weft_batch_norm_attrs *) n->attrs)->batch_stats) return prepare(ctx, n, constant, state, scratch);
    *state = NULL;
    return WEFT_OK;
}

static weft_result run_batch(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    job j = { .v = weft_norm_look(n->in_shape[0], WEFT_ROW), .x = in[0], .y = out[0] };
    (void) state, (void) scratch;
    j.kind = (weft_norm_kind) { j.v.c, true, ((const weft_batch_norm_attrs *) n->attrs)->eps };
    if (weft_has(n, 1)) j.scale = in[1];
    if (weft_has(n, 2)) j.bias = in[2];
    return go(ctx, &j);
}

// A row is a group of channels, of an image of one position.
static weft_result run_layer(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const weft_layer_norm_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    job j = { .v = { .n = 1, .c = 1, .rows = 1 }, .kind = { 1, false, at->eps }, .x = in[0], .y = out[0] };
    (void) state, (void) scratch;
    for (int d = 0; d < x.rank; d++) *(d < x.rank - at->axes ? &j.v.n : &j.v.c) *= x.dim[d];
    if (weft_has(n, 1)) j.scale = in[1];
    if (weft_has(n, 2)) j.bias = in[2];
    return go(ctx, &j);
}

static weft_result run_grad(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    job j = { .v = weft_norm_look(n->in_shape[1], WEFT_ROW), .kind = weft_norm_grad_kind_of(n), .dy = in[0], .x = in[1], .y = out[0] };
    (void) state;
    if (weft_has(n, 2)) j.scale = in[2];
    if (!weft_norm_grad_params(n)) return go(ctx, &j);
    j.saved = scratch, j.dscale = out[1], j.dbias = out[2];
    WEFT_TRY(go(ctx, &j));
    weft_parallel(ctx->pool, j.v.c, 1 + BLOCK / (j.v.n * j.v.rows), params, &j);
    return WEFT_OK;
}

static weft_result prepare_grad(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    const weft_norm_kind k = weft_norm_grad_kind_of(n);
    if (weft_has(n, WEFT_NORM_GRAD_R)) return *state = NULL, WEFT_OK; // devices have such
    WEFT_TRY(prepare(ctx, n, constant, state, scratch));
    if (weft_norm_grad_params(n)) *scratch = sizeof(line) * (size_t) (k.groups * (k.over_n ? 1 : n->in_shape[1].dim[0]));
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_instance_norm = { "instance_norm", prepare, run_norm };
const weft_cpu_fast weft_cpu_fast_group_norm = { "group_norm", prepare, run_norm };
const weft_cpu_fast weft_cpu_fast_batch_norm = { "batch_norm", prepare_batch, run_batch };
const weft_cpu_fast weft_cpu_fast_layer_norm = { "layer_norm", prepare, run_layer };
const weft_cpu_fast weft_cpu_fast_norm_grad = { "norm_grad", prepare_grad, run_grad };
