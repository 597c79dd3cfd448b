// SPDX-License-Identifier: MIT
#include "ops/gemm.h"

static int64_t at_batch(weft_shape batch, const int64_t *step, int64_t z)
{
    int64_t at = 0;
    for (int d = batch.rank - 1; d >= 0; z /= batch.dim[d], d--) at += z % batch.dim[d] * step[d];
    return at;
}

enum { TRUTH_COLUMNS = 64 };

void weft_gemm_truth(const weft_gemm *g, const weft_real *a, const weft_real *b, const weft_real *bias, weft_real *y, int64_t begin,
                     int64_t end)
{
    const int64_t a_row = g->trans_a ? 1 : g->k, a_k = g->trans_a ? g->m : 1, b_k = g->trans_b ? 1 : g->n, b_col = g->trans_b ? g->k : 1;
    for (int64_t i = begin; i < end; i++) {
        const int64_t z = i / g->m, row = i % g->m;
        const weft_real *az = a + at_batch(g->batch, g->a_step, z) * g->m * g->k + row * a_row;
        const weft_real *bz = b + at_batch(g->batch, g->b_step, z) * g->k * g->n;
        for (int64_t first = 0; first < g->n; first += TRUTH_COLUMNS) { // some columns at a time, so that b is read along its rows
            const int64_t columns = g->n - first < TRUTH_COLUMNS ? g->n - first : TRUTH_COLUMNS;
            double sum[TRUTH_COLUMNS];
            for (int64_t j = 0; j < columns; j++) sum[j] = bias ? bias[first + j] : 0;
            for (int64_t k = 0; k < g->k; k++)
                for (int64_t j = 0; j < columns; j++) sum[j] += (double) az[k * a_k] * bz[k * b_k + (first + j) * b_col];
            for (int64_t j = 0; j < columns; j++) y[i * g->n + first + j] = (weft_real) sum[j];
        }
    }
}
