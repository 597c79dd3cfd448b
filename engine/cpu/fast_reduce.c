// SPDX-License-Identifier: MIT
// sum, mean, sum_square, l2_norm and sum_product over dimensions that lie together: [outer, reduced, inner].
#include "cpu/clones.h"
#include "cpu/fast.h"
#include "ops/reduce.h"
#include <math.h>

enum { LANES = 64, BLOCK = 4096, WIDTH = 512 }; // sums in float within a block, in double beyond

typedef struct view { int64_t outer, reduced, inner; } view;

// False: the reduced dimensions do not lie together.
static bool view_of(const weft_node *n, view *v)
{
    const weft_shape x = n->in_shape[0];
    uint32_t mask;
    *v = (view) { 1, 1, 1 };
    if (!weft_reduce_mask(n, &mask)) return false;
    for (int d = 0; d < x.rank; d++) {
        const bool is_reduced = mask >> d & 1;
        if (x.dim[d] == 1) continue;
        if (is_reduced && v->inner > 1) return false;
        if (is_reduced) v->reduced *= x.dim[d];
        else if (v->reduced > 1) v->inner *= x.dim[d];
        else v->outer *= x.dim[d];
    }
    return true;
}

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    view v;
    (void) ctx, (void) constant, (void) scratch;
    *state = view_of(n, &v) ? (void *) (uintptr_t) n : NULL; // nothing to keep
    return WEFT_OK;
}

WEFT_CLONES static double sum_line(const float *x, int64_t count)
{
    double all = 0;
    for (int64_t begin = 0; begin < count; begin += BLOCK) {
        const int64_t end = count - begin < BLOCK ? count : begin + BLOCK;
        float sum[LANES] = { 0 };
        int64_t i = begin;
        for (; i + LANES <= end; i += LANES)
            for (int k = 0; k < LANES; k++) sum[k] += x[i + k];
        for (; i < end; i++) all += x[i];
        for (int k = 0; k < LANES; k++) all += sum[k];
    }
    return all;
}

WEFT_CLONES static double sum_products(const float *x, const float *y, int64_t count)
{
    double all = 0;
    for (int64_t begin = 0; begin < count; begin += BLOCK) {
        const int64_t end = count - begin < BLOCK ? count : begin + BLOCK;
        float sum[LANES] = { 0 };
        int64_t i = begin;
        for (; i + LANES <= end; i += LANES)
            for (int k = 0; k < LANES; k++) sum[k] += x[i + k] * y[i + k];
        for (; i < end; i++) all += (double) x[i] * y[i];
        for (int k = 0; k < LANES; k++) all += sum[k];
    }
    return all;
}

WEFT_CLONES static void add_line(double *restrict sum, const float *restrict x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) sum[i] += x[i];
}

WEFT_CLONES static void add_products(double *restrict sum, const float *restrict x, const float *restrict y, int64_t count)
{
    for (int64_t i = 0; i < count; i++) sum[i] += (double) x[i] * y[i];
}

typedef struct job { view v; double by; bool root; const float *x, *other; float *y; } job;

static float finish(const job *j, double sum) { return (float) (j->root ? sqrt(sum) : j->by * sum); }

static void outputs(void *user, int64_t begin, int64_t end) // of those without inner dimensions
{
    const job *j = user;
    for (int64_t o = begin; o < end; o++) {
        const float *x = j->x + o * j->v.reduced;
        j->y[o] = finish(j, j->other ? sum_products(x, j->other + o * j->v.reduced, j->v.reduced) : sum_line(x, j->v.reduced));
    }
}

static void columns(void *user, int64_t begin, int64_t end) // pieces of WIDTH neighbours
{
    const job *j = user;
    const int64_t pieces = (j->v.inner + WIDTH - 1) / WIDTH;
    for (int64_t piece = begin; piece < end; piece++) {
        const int64_t first = piece % pieces * WIDTH, count = j->v.inner - first < WIDTH ? j->v.inner - first : WIDTH;
        double sum[WIDTH] = { 0 };
        for (int64_t r = 0; r < j->v.reduced; r++) {
            const int64_t at = (piece / pieces * j->v.reduced + r) * j->v.inner + first;
            if (j->other) add_products(sum, j->x + at, j->other + at, count);
            else add_line(sum, j->x + at, count);
        }
        for (int64_t i = 0; i < count; i++) j->y[piece / pieces * j->v.inner + first + i] = finish(j, sum[i]);
    }
}

// One sum of many numbers: by stretches, whose sums are then added in their order.
enum { STRETCHES = 64 };
typedef struct stretch_job { const job *whole; double sum[STRETCHES]; } stretch_job;

static void stretches(void *user, int64_t begin, int64_t end)
{
    stretch_job *s = user;
    const job *j = s->whole;
    for (int64_t k = begin; k < end; k++) {
        const int64_t first = j->v.reduced * k / STRETCHES, count = j->v.reduced * (k + 1) / STRETCHES - first;
        s->sum[k] = j->other ? sum_products(j->x + first, j->other + first, count) : sum_line(j->x + first, count);
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    job j = { .by = 1, .x = in[0], .other = n->op->index == WEFT_SUM_PRODUCT ? in[1] : NULL, .y = out[0] };
    (void) state, (void) scratch;
    view_of(n, &j.v);
    if (n->op->index == WEFT_SUM_SQUARE || n->op->index == WEFT_L2) j.other = j.x, j.root = n->op->index == WEFT_L2;
    if (n->op->index == WEFT_MEAN) j.by /= (double) j.v.reduced;
    if (j.v.inner > 1) {
        weft_parallel(ctx->pool, j.v.outer * ((j.v.inner + WIDTH - 1) / WIDTH), 1, columns, &j);
    } else if (j.v.outer == 1 && j.v.reduced > STRETCHES * BLOCK) {
        stretch_job s = { .whole = &j };
        double all = 0;
        weft_parallel(ctx->pool, STRETCHES, 1, stretches, &s);
        for (int k = 0; k < STRETCHES; k++) all += s.sum[k];
        j.y[0] = finish(&j, all);
    } else weft_parallel(ctx->pool, j.v.outer, 1 + BLOCK / j.v.reduced, outputs, &j);
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_sum = { "sum", prepare, run };
const weft_cpu_fast weft_cpu_fast_mean = { "mean", prepare, run };
const weft_cpu_fast weft_cpu_fast_sum_product = { "sum_product", prepare, run };
const weft_cpu_fast weft_cpu_fast_sum_square = { "sum_square", prepare, run };
const weft_cpu_fast weft_cpu_fast_l2_norm = { "l2_norm", prepare, run };
