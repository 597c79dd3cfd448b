// SPDX-License-Identifier: MIT
// Fully connected layer. x: [.., k], w: [o, k], b: [o], y: [.., o].
#include "ops/gemm.h"
#include "ops/loop.h"
#include "ops/grad.h"

weft_gemm weft_linear_gemm(const weft_node *n)
{
    const weft_shape x = n->in_shape[0], w = n->in_shape[1];
    return (weft_gemm) {
        .m = weft_shape_count(x) / w.dim[1], .n = w.dim[0], .k = w.dim[1], .trans_b = true, .b_count = 1, .has_bias = weft_has(n, 2),
        .y = WEFT_BIND_OUT(0), .a = WEFT_BIND_IN(0), .b = WEFT_BIND_IN(1), .bias = WEFT_BIND_IN(2),
    };
}

static weft_result linear_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[0], w = n->in_shape[1];
    char tx[WEFT_SHAPE_TEXT], tw[WEFT_SHAPE_TEXT];
    if (w.rank != 2 || x.rank < 1 || x.dim[x.rank - 1] != w.dim[1])
        return weft_node_fail(n, "x %s and w %s do not fit", weft_shape_text(x, tx), weft_shape_text(w, tw));
    if (weft_has(n, 2) && (n->in_shape[2].rank != 1 || n->in_shape[2].dim[0] != w.dim[0]))
        return weft_node_fail(n, "b is %s, not [%lld]", weft_shape_text(n->in_shape[2], tx), (long long) w.dim[0]);
    n->out_shape[0] = x;
    n->out_shape[0].dim[x.rank - 1] = w.dim[0];
    return WEFT_OK;
}

static int64_t linear_items(const weft_node *n) { return weft_shape_count(n->in_shape[0]) / n->in_shape[1].dim[1]; }

static void linear_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_gemm g = weft_linear_gemm(n);
    weft_gemm_truth(&g, arg->in[0], arg->in[1], g.has_bias ? arg->in[2] : NULL, arg->out[0], arg->begin, arg->end);
}

static int linear_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_gemm g = weft_linear_gemm(n);
    return weft_gemm_ways(&g, e, list);
}

static weft_result linear_emit(const weft_node *n, weft_emit *e)
{
    const weft_gemm g = weft_linear_gemm(n);
    WEFT_TRY(weft_loop_check(n));
    return weft_gemm_emit(&g, e, weft_emit_way(e));
}

static double linear_flops(const weft_node *n)
{
    return 2.0 * (double) weft_shape_count(n->out_shape[0]) * (double) n->in_shape[1].dim[1];
}

static weft_result linear_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const int64_t o = n->in_shape[1].dim[0], k = n->in_shape[1].dim[1], rows = weft_shape_count(n->in_shape[0]) / k;
    const weft_value d = weft_grad_reshape(g, dy[0], (weft_shape) WEFT_SHAPE(rows, o));
    const weft_value x = weft_grad_reshape(g, n->in[0], (weft_shape) WEFT_SHAPE(rows, k));
    if (want[0]) dx[0] = weft_grad_reshape(g, weft_grad_binary(g, "matmul", d, n->in[1]), n->in_shape[0]);
    if (want[1]) dx[1] = weft_grad_call(g, "matmul", WEFT_V(d, x), WEFT_WITH({ "trans_a", NULL, 1, { 1 } }));
    if (n->in_count > 2 && want[2]) dx[2] = weft_grad_unstretch(g, d, n->in_shape[2]);
    return WEFT_OK;
}

const weft_op weft_op_linear = {
    .name = "linear",
    .doc = "y[.., o] = b[o] + sum over k of x[.., k] w[o, k].",
    .out_names = "y", .in_names = "x w b?", .half_inputs = 1 << 1,
    .infer = linear_infer, .items = linear_items, .cpu = linear_cpu, .ways = linear_ways, .emit = linear_emit, .flops = linear_flops, .grad = linear_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(7), WEFT_SHAPE(5, 7), WEFT_SHAPE(5) } },
        { .in = { WEFT_SHAPE(1, 512), WEFT_SHAPE(65, 512), WEFT_SHAPE(65) } },
        { .in = { WEFT_SHAPE(2, 3, 131), WEFT_SHAPE(33, 131) } },
        { .in = { WEFT_SHAPE(77, 20), WEFT_SHAPE(261, 20), WEFT_SHAPE(261) } },
        { .in = { WEFT_SHAPE(4, 2, 8, 32), WEFT_SHAPE(64, 32), WEFT_SHAPE(64) } },
        { 0 }
    },
};
