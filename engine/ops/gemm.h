// SPDX-License-Identifier: MIT
// Matrix products: the truth and the dispatches that matmul, linear and lstm share.
#pragma once
#include "graph/op.h"

// y[z] = a[z] b[z] (+ bias): y is m x n, a is m x k (k x m if trans_a), b is k x n (n x k if trans_b), all row-major.
// a and b step through their matrices over the dimensions of `batch`, counted in matrices; y has one for each turn.
typedef struct weft_gemm {
    int64_t m, n, k;
    bool trans_a, trans_b;
    weft_shape batch;
    int64_t a_step[WEFT_MAX_RANK], b_step[WEFT_MAX_RANK];
    int64_t b_count;            // matrices in b
    weft_bind y, a, b, bias;    // for emit; bias: [n]
    bool has_bias;
} weft_gemm;

// Rows [begin, end) of all z * m rows of y.
void weft_gemm_truth(const weft_gemm *g, const weft_real *a, const weft_real *b, const weft_real *bias, weft_real *y, int64_t begin,
                     int64_t end);
// gemm_emit.c: what serves this product on the device, and the dispatches of one of those.
int weft_gemm_ways(const weft_gemm *g, const weft_emit *e, weft_way list[WEFT_MAX_WAYS]);
weft_result weft_gemm_emit(const weft_gemm *g, weft_emit *e, const weft_way *way); // NULL: the first

// The product that a node of these rows is.
weft_gemm weft_matmul_gemm(const weft_node *n);
weft_gemm weft_linear_gemm(const weft_node *n);
