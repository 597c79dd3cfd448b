// SPDX-License-Identifier: MIT
// Product of two matrices, or of two stacks of them.
#include "ops/gemm.h"
#include "ops/loop.h"
#include "ops/grad.h"

typedef struct matmul_attrs { int32_t trans_a, trans_b; } matmul_attrs;

static weft_shape outer(weft_shape s) { return s.rank -= 2, s; }

weft_gemm weft_matmul_gemm(const weft_node *n)
{
    const matmul_attrs *at = n->attrs;
    const weft_shape a = n->in_shape[0], b = n->in_shape[1];
    weft_gemm g = { .trans_a = at->trans_a, .trans_b = at->trans_b, .batch = outer(n->out_shape[0]), .b_count = weft_shape_count(outer(b)) };
    g.m = a.dim[a.rank - (at->trans_a ? 1 : 2)], g.k = a.dim[a.rank - (at->trans_a ? 2 : 1)], g.n = b.dim[b.rank - (at->trans_b ? 2 : 1)];
    int64_t own[WEFT_MAX_RANK];
    weft_shape_strides(outer(a), own);
    weft_shape_stretch(outer(a), own, g.batch, g.a_step);
    weft_shape_strides(outer(b), own);
    weft_shape_stretch(outer(b), own, g.batch, g.b_step);
    g.y = (weft_bind) WEFT_BIND_OUT(0), g.a = g.bias = (weft_bind) WEFT_BIND_IN(0), g.b = (weft_bind) WEFT_BIND_IN(1);
    return g;
}

static weft_result matmul_infer(weft_node *n)
{
    const matmul_attrs *at = n->attrs;
    const weft_shape a = n->in_shape[0], b = n->in_shape[1];
    weft_shape *y = &n->out_shape[0];
    char ta[WEFT_SHAPE_TEXT], tb[WEFT_SHAPE_TEXT];
    if (a.rank < 2 || b.rank < 2) return weft_node_fail(n, "a and b must have at least 2 dimensions");
    if (a.dim[a.rank - (at->trans_a ? 2 : 1)] != b.dim[b.rank - (at->trans_b ? 1 : 2)] || !weft_shape_broadcast(outer(a), outer(b), y))
        return weft_node_fail(n, "a %s and b %s do not fit", weft_shape_text(a, ta), weft_shape_text(b, tb));
    y->dim[y->rank++] = a.dim[a.rank - (at->trans_a ? 1 : 2)];
    y->dim[y->rank++] = b.dim[b.rank - (at->trans_b ? 2 : 1)];
    return WEFT_OK;
}

static int64_t matmul_items(const weft_node *n)
{
    const weft_shape y = n->out_shape[0];
    return weft_shape_count(y) / y.dim[y.rank - 1];
}

static void matmul_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_gemm g = weft_matmul_gemm(n);
    weft_gemm_truth(&g, arg->in[0], arg->in[1], NULL, arg->out[0], arg->begin, arg->end);
}

static int matmul_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_gemm g = weft_matmul_gemm(n);
    return weft_gemm_ways(&g, e, list);
}

static weft_result matmul_emit(const weft_node *n, weft_emit *e)
{
    const weft_gemm g = weft_matmul_gemm(n);
    WEFT_TRY(weft_loop_check(n));
    return weft_gemm_emit(&g, e, weft_emit_way(e));
}

static double matmul_flops(const weft_node *n)
{
    return 2.0 * (double) weft_shape_count(n->out_shape[0]) * (double) weft_matmul_gemm(n).k;
}

static weft_result matmul_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const matmul_attrs *at = n->attrs;
    const weft_value a = n->in[0], b = n->in[1];
    weft_value v;
    if (want[0]) { // dy b^T, or its transpose
        if (at->trans_a) v = weft_graph_op(g, n->op, WEFT_V(b, dy[0]), &(matmul_attrs) { at->trans_b, 1 });
        else v = weft_graph_op(g, n->op, WEFT_V(dy[0], b), &(matmul_attrs) { 0, !at->trans_b });
        dx[0] = weft_grad_unstretch(g, v, n->in_shape[0]);
    }
    if (want[1]) { // a^T dy, or its transpose
        if (at->trans_b) v = weft_graph_op(g, n->op, WEFT_V(dy[0], a), &(matmul_attrs) { 1, at->trans_a });
        else v = weft_graph_op(g, n->op, WEFT_V(a, dy[0]), &(matmul_attrs) { !at->trans_a, 0 });
        dx[1] = weft_grad_unstretch(g, v, n->in_shape[1]);
    }
    return WEFT_OK;
}

const weft_op weft_op_matmul = {
    .name = "matmul",
    .doc = "y[..] = a[..] b[..], matrix products over the last two dimensions; the others follow NumPy's broadcasting.",
    .out_names = "y", .in_names = "a b", .half_inputs = 1 << 0 | 1 << 1,
    .attr_bytes = sizeof(matmul_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(matmul_attrs, trans_a, INT, .min = 0, .max = 1, .doc = "1: a is [.., k, m]"),
        WEFT_ATTR(matmul_attrs, trans_b, INT, .min = 0, .max = 1, .doc = "1: b is [.., n, k]"),
        { 0 }
    },
    .infer = matmul_infer, .items = matmul_items, .cpu = matmul_cpu, .ways = matmul_ways, .emit = matmul_emit, .flops = matmul_flops, .grad = matmul_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(5, 7), WEFT_SHAPE(7, 3) } },
        { .in = { WEFT_SHAPE(67, 36), WEFT_SHAPE(36, 132) } },
        { .in = { WEFT_SHAPE(17, 13), WEFT_SHAPE(13, 260) } },
        { .in = { WEFT_SHAPE(2, 3, 33, 31), WEFT_SHAPE(3, 31, 37) } },
        { .in = { WEFT_SHAPE(3, 1, 9, 8), WEFT_SHAPE(1, 2, 8, 4) } },
        { .in = { WEFT_SHAPE(2, 31, 19), WEFT_SHAPE(2, 31, 20) }, .attrs = &(const matmul_attrs) { 1, 0 } },
        { .in = { WEFT_SHAPE(2, 19, 32), WEFT_SHAPE(65, 32) }, .attrs = &(const matmul_attrs) { 0, 1 } },
        { .in = { WEFT_SHAPE(11, 18), WEFT_SHAPE(6, 11) }, .attrs = &(const matmul_attrs) { 1, 1 } },
        { .in = { WEFT_SHAPE(3, 129), WEFT_SHAPE(67, 129) }, .attrs = &(const matmul_attrs) { 0, 1 } },
        { .in = { WEFT_SHAPE(4, 1, 256), WEFT_SHAPE(4, 31, 256) }, .attrs = &(const matmul_attrs) { 0, 1 } },
        { .in = { WEFT_SHAPE(18, 515), WEFT_SHAPE(515, 21) } },
        { .in = { WEFT_SHAPE(2, 512, 20), WEFT_SHAPE(24, 512) }, .attrs = &(const matmul_attrs) { 1, 1 } },
        { 0 }
    },
};
