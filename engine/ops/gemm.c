// SPDX-License-Identifier: MIT
#include "ops/gemm.h"
#include "params/matmul.h"
#include "params/matmul_pack.h"

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

// --- Dispatches. ---------------------------------------------------------------------------------------------

// Drops dimensions of size 1 and merges those that both operands step over evenly.
static weft_result fill_batch(const weft_gemm *g, int64_t a_size, int64_t b_size, struct matmul_params *p)
{
    int rank = 0;
    p->batch = 1;
    for (int d = 0; d < MATMUL_BATCH; d++) p->dim[d] = 1, p->a_step[d] = p->b_step[d] = 0;
    int64_t dim[WEFT_MAX_RANK], a[WEFT_MAX_RANK], b[WEFT_MAX_RANK];
    for (int d = 0; d < g->batch.rank; d++) {
        const int64_t size = g->batch.dim[d];
        p->batch *= (u32) size;
        if (size == 1) continue;
        if (rank && a[rank - 1] == g->a_step[d] * size && b[rank - 1] == g->b_step[d] * size) {
            dim[rank - 1] *= size, a[rank - 1] = g->a_step[d], b[rank - 1] = g->b_step[d];
            continue;
        }
        dim[rank] = size, a[rank] = g->a_step[d], b[rank++] = g->b_step[d];
    }
    if (rank > MATMUL_BATCH) return weft_fail(WEFT_ERR_UNSUPPORTED, "matrix product: too many batch dimensions stretch in turn");
    for (int d = 0; d < rank; d++)
        p->dim[d] = (u32) dim[d], p->a_step[d] = (u32) (a[d] * a_size), p->b_step[d] = (u32) (b[d] * b_size);
    return WEFT_OK;
}

// Few rows and a b whose columns lie in one piece: a workgroup adds up each column together.
static weft_result emit_vector(const weft_gemm *g, weft_emit *e, struct matmul_params *p)
{
    const uint32_t rows = g->m > 4 ? 8 : g->m > 2 ? 4 : g->m > 1 ? 2 : 1;
    p->row_tiles = (u32) ((g->m + rows - 1) / rows), p->column_tiles = p->n;
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "matmul_vector", .spec = { rows, g->k % 4 == 0, g->has_bias }, .spec_count = 3, .params = p, .params_bytes = sizeof *p,
        .grid = { 32 * p->column_tiles * p->row_tiles * p->batch }, .group = { 32 }, .bind = { g->y, g->a, g->b, g->bias }, .bind_count = 4,
        .flops = 2.0 * p->batch * (double) g->m * (double) g->n * (double) g->k,
    });
}

static weft_result emit_direct(const weft_gemm *g, weft_emit *e, struct matmul_params *p)
{
    p->row_tiles = p->m, p->column_tiles = p->n;
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "matmul_direct", .spec = { g->has_bias }, .spec_count = 1, .params = p, .params_bytes = sizeof *p,
        .grid = { p->n * p->m * p->batch }, .bind = { g->y, g->a, g->b, g->bias }, .bind_count = 4,
        .flops = 2.0 * p->batch * (double) g->m * (double) g->n * (double) g->k,
    });
}

// Every invocation makes ROWS x 4 of y. `width` is the row length of b, a multiple of 4.
static weft_result emit_tile(const weft_gemm *g, weft_emit *e, struct matmul_params *p, weft_bind b, int64_t width)
{
    const uint32_t quads = (uint32_t) (width / 4), rows = g->m > 4 ? 8 : g->m > 2 ? 4 : g->m > 1 ? 2 : 1;
    uint32_t lanes = 64;
    while (lanes > 8 && lanes / 2 >= quads) lanes /= 2;
    // A processor wants a's elements to be the workgroup's; a GPU wants full workgroups.
    const uint32_t deep = weft_emit_caps(e)->is_software ? 1 : 64 / lanes;
    p->b_k = (u32) width, p->column_tiles = (quads + lanes - 1) / lanes, p->row_tiles = (p->m + rows * deep - 1) / (rows * deep);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "matmul_tile", .spec = { rows, !g->trans_a && g->k % 4 == 0, g->n % 4 == 0, g->has_bias, lanes }, .spec_count = 5,
        .params = p, .params_bytes = sizeof *p, .grid = { lanes * deep * p->column_tiles * p->row_tiles * p->batch }, .group = { lanes * deep },
        .bind = { g->y, g->a, b, g->bias }, .bind_count = 4, .flops = 2.0 * p->batch * (double) g->m * (double) g->n * (double) g->k,
    });
}

// b in rows of a multiple of 4, so that a tile reads it four columns at a time.
static weft_result emit_pack(const weft_gemm *g, weft_emit *e, int64_t width, weft_bind *packed)
{
    const int room = weft_emit_scratch(e, g->b_count * g->k * width, WEFT_F32);
    if (room < 0) return WEFT_ERR_MEMORY;
    const struct matmul_pack_params p = {
        (u32) (g->b_count * g->k * width), (u32) g->k, (u32) g->n, (u32) width, (u32) (g->trans_b ? 1 : g->n), (u32) (g->trans_b ? g->k : 1),
    };
    *packed = (weft_bind) WEFT_BIND_SCRATCH(room, 0);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "matmul_pack", .params = &p, .params_bytes = sizeof p, .grid = { p.count },
        .bind = { WEFT_BIND_SCRATCH(room, 1), g->b }, .bind_count = 2,
    });
}

weft_result weft_gemm_emit(const weft_gemm *g, weft_emit *e)
{
    struct matmul_params p = {
        .m = (u32) g->m, .n = (u32) g->n, .k = (u32) g->k,
        .a_row = (u32) (g->trans_a ? 1 : g->k), .a_k = (u32) (g->trans_a ? g->m : 1),
        .b_k = (u32) (g->trans_b ? 1 : g->n), .b_column = (u32) (g->trans_b ? g->k : 1),
    };
    const int64_t width = (g->n + 3) / 4 * 4;
    const bool pack = (g->trans_b || g->n % 4) && g->m >= 16 && g->n >= 4;
    WEFT_TRY(fill_batch(g, g->m * g->k, pack ? g->k * width : g->k * g->n, &p));
    if (g->trans_b && !g->trans_a && g->m <= 8 && g->k >= 32) return emit_vector(g, e, &p);
    if (!g->trans_b && g->n % 4 == 0) return emit_tile(g, e, &p, g->b, g->n);
    if (!pack) return emit_direct(g, e, &p);
    weft_bind packed;
    WEFT_TRY(emit_pack(g, e, width, &packed));
    return emit_tile(g, e, &p, packed, width);
}
