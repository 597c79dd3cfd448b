// SPDX-License-Identifier: MIT
// matmul and linear on oneDNN's sgemm.
#ifdef WEFT_DNNL
#include "cpu/fast.h"
#include "ops/gemm.h"
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    (void) ctx, (void) constant, (void) scratch;
    *state = (void *) (uintptr_t) n; // nothing to keep
    return WEFT_OK;
}

static weft_result product(const weft_node *n, const weft_gemm *g, const float *a, const float *b, const float *bias, float *y)
{
    for (int64_t i = 0; bias && i < g->m; i++) memcpy(y + i * g->n, bias, (size_t) g->n * sizeof *y);
    const dnnl_status_t r = dnnl_sgemm(g->trans_a ? 'T' : 'N', g->trans_b ? 'T' : 'N', g->m, g->n, g->k, 1, a, g->trans_a ? g->m : g->k, b,
                                       g->trans_b ? g->k : g->n, bias ? 1 : 0, y, g->n);
    if (r == dnnl_out_of_memory) return weft_fail_memory(0);
    return r == dnnl_success ? WEFT_OK : (weft_node_fail(n, "oneDNN failed with status %d", (int) r), WEFT_ERR_UNSUPPORTED);
}

static weft_result products(const weft_node *n, weft_gemm g, void *const *out, const void *const *in)
{
    const float *a = in[0], *b = in[1], *bias = g.has_bias ? in[2] : NULL;
    float *y = out[0];
    const int64_t turns = weft_shape_count(g.batch);
    for (int64_t z = 0; z < turns; z++) {
        int64_t at_a = 0, at_b = 0, rest = z;
        for (int d = g.batch.rank - 1; d >= 0; rest /= g.batch.dim[d], d--) {
            at_a += rest % g.batch.dim[d] * g.a_step[d];
            at_b += rest % g.batch.dim[d] * g.b_step[d];
        }
        WEFT_TRY(product(n, &g, a + at_a * g.m * g.k, b + at_b * g.k * g.n, bias, y + z * g.m * g.n));
    }
    return WEFT_OK;
}

static weft_result run_matmul(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    (void) state, (void) ctx, (void) scratch;
    return products(n, weft_matmul_gemm(n), out, in);
}
static weft_result run_linear(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    (void) state, (void) ctx, (void) scratch;
    return products(n, weft_linear_gemm(n), out, in);
}

const weft_cpu_fast weft_cpu_fast_matmul = { "matmul", prepare, run_matmul };
const weft_cpu_fast weft_cpu_fast_linear = { "linear", prepare, run_linear };
#endif // WEFT_DNNL
typedef int weft_cpu_fast_gemm_not_empty; // ISO C wants a declaration
