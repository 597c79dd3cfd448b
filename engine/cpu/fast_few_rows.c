// SPDX-License-Identifier: MIT
// matmul and linear with few rows: each number of the second matrix is used so seldom that it is read once, as it lies.
#include "cpu/add.h"
#include "cpu/clones.h"
#include "cpu/fast.h"
#include "ops/divide.h"
#include "ops/gemm.h"
#include <string.h>

enum { MOST_ROWS = 4, LANES = 64, TOGETHER = 4, WIDTH = 512, LEAST_WORK = 1 << 15 }; // numbers of b that are worth another thread

static weft_gemm gemm_of(const weft_node *n) { return strcmp(n->op->name, "linear") ? weft_matmul_gemm(n) : weft_linear_gemm(n); }

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    const weft_gemm g = gemm_of(n);
    (void) ctx, (void) constant, (void) scratch;
    *state = g.m <= MOST_ROWS && !g.trans_a && weft_shape_count(g.batch) == 1 && g.k > 0 ? (void *) (uintptr_t) n : NULL; // nothing to keep
    return WEFT_OK;
}

typedef struct job { const weft_gemm *g; const float *a, *b, *bias; float *y; } job;

// Products of a with TOGETHER rows of b, `step` apart.
WEFT_CLONES static void dots(const float *restrict a, const float *restrict b, int64_t step, int64_t count, float *restrict to)
{
    float sum[TOGETHER][LANES] = { { 0 } };
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int r = 0; r < TOGETHER; r++)
            for (int k = 0; k < LANES; k++) sum[r][k] += a[i + k] * b[r * step + i + k];
    for (int r = 0; r < TOGETHER; r++) {
        const int64_t left = count - i;
        for (int64_t k = 0; k < left; k++) sum[r][k] += a[i + k] * b[r * step + i + k];
        for (int k = 0; k < LANES / 4; k++) sum[r][k] = (sum[r][k] + sum[r][k + LANES / 4]) + (sum[r][k + LANES / 2] + sum[r][k + 3 * LANES / 4]);
    }
    for (int r = 0; r < TOGETHER; r++) {
        float all = 0;
        for (int k = 0; k < LANES / 4; k++) all += sum[r][k];
        to[r] = all;
    }
}

// Columns [begin, end) of y where b's rows are those columns.
static void columns_by_rows(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    const weft_gemm *g = j->g;
    for (int64_t c = begin; c < end; c += TOGETHER) {
        const int64_t count = end - c < TOGETHER ? end - c : TOGETHER;
        for (int64_t row = 0; row < g->m; row++) {
            float sum[TOGETHER];
            if (count == TOGETHER) dots(j->a + row * g->k, j->b + c * g->k, g->k, g->k, sum);
            else
                for (int64_t i = 0; i < count; i++) {
                    float same[TOGETHER];
                    dots(j->a + row * g->k, j->b + (c + i) * g->k, 0, g->k, same);
                    sum[i] = same[0];
                }
            for (int64_t i = 0; i < count; i++) j->y[row * g->n + c + i] = j->bias ? sum[i] + j->bias[c + i] : sum[i];
        }
    }
}

// Columns [begin, end) of y where they are columns of b.
static void columns(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    const weft_gemm *g = j->g;
    for (int64_t c = begin; c < end; c += WIDTH) {
        const int64_t count = end - c < WIDTH ? end - c : WIDTH;
        for (int64_t row = 0; row < g->m; row++) {
            const float *a = j->a + row * g->k;
            float sum[WIDTH] = { 0 };
            int64_t k = 0;
            if (j->bias) memcpy(sum, j->bias + c, (size_t) count * sizeof *sum);
            for (; k + TOGETHER <= g->k; k += TOGETHER) weft_cpu_add_four(sum, j->b + k * g->n + c, g->n, a + k, count);
            for (; k < g->k; k++) weft_cpu_add(sum, j->b + k * g->n + c, a[k], count);
            memcpy(j->y + row * g->n + c, sum, (size_t) count * sizeof *sum);
        }
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const weft_gemm g = gemm_of(n);
    const int64_t least = ceil_div(ceil_div(LEAST_WORK, g.k), TOGETHER) * TOGETHER;
    job j = { &g, in[0], in[1], g.has_bias ? in[2] : NULL, out[0] };
    (void) state, (void) scratch;
    weft_parallel(ctx->pool, g.n, least, g.trans_b ? columns_by_rows : columns, &j);
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_few_rows_matmul = { "matmul", prepare, run };
const weft_cpu_fast weft_cpu_fast_few_rows_linear = { "linear", prepare, run };
