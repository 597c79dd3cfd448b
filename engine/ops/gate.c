// SPDX-License-Identifier: MIT
// The gate of a gated convolution (Yu et al. 2019), for where it is not part of the convolution itself.
#include "ops/activation.h"
#include "ops/loop.h"
#include "ops/grad.h"
#include "params/gate.h"
#include <math.h>

static weft_result gate_infer(weft_node *n)
{
    n->out_shape[0] = n->in_shape[0];
    if (n->in_shape[0].rank < 2 || n->in_shape[0].dim[1] % 2) return weft_node_fail(n, "x must have an even number of channels (dimension 1)");
    n->out_shape[0].dim[1] /= 2;
    return WEFT_OK;
}

static int64_t gate_items(const weft_node *n) { return weft_shape_count(n->out_shape[0]); }

static void gate_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_activation *at = n->attrs;
    const int64_t half = weft_shape_count(n->out_shape[0]) / n->out_shape[0].dim[0]; // of the elements of one image
    const weft_real *x = arg->in[0];
    for (int64_t i = arg->begin; i < arg->end; i++) {
        const weft_real *first = x + i / half * 2 * half + i % half;
        ((weft_real *) arg->out[0])[i] = (weft_real) (weft_activate(at->act, first[0], at->a, at->b) / (1 + exp(-(double) first[half])));
    }
}

static weft_result gate_emit(const weft_node *n, weft_emit *e)
{
    const weft_activation *at = n->attrs;
    WEFT_TRY(weft_loop_check(n));
    int64_t stride[WEFT_LOOP_TENSORS][WEFT_MAX_RANK];
    weft_layout_strides(n->out_shape[0], (weft_layout) n->out_layout[0], stride[0]);
    weft_layout_strides(n->in_shape[0], (weft_layout) n->in_layout[0], stride[1]);
    weft_loop l;
    weft_loop_make(&l, n->out_shape[0], 2, stride);
    struct gate_params p = {
        .count = (u32) weft_shape_count(n->out_shape[0]), .half_step = (u32) (n->out_shape[0].dim[1] * stride[1][1]), .a = at->a, .b = at->b,
    };
    weft_loop_dims(&l, p.dim);
    weft_loop_strides(&l, 1, p.x_stride);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "gate", .spec = { (uint32_t) at->act, (uint32_t) l.rank }, .spec_count = 2, .params = &p, .params_bytes = sizeof p,
        .grid = { p.count }, .flops = 4.0 * p.count,
    });
}

static double gate_flops(const weft_node *n) { return 4.0 * (double) weft_shape_count(n->out_shape[0]); }

static weft_result gate_unfuse(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_activation *at = n->attrs;
    const int64_t half = n->out_shape[0].dim[1];
    weft_value first = weft_grad_slice(g, n->in[0], 1, 0, half);
    if (at->act) first = weft_graph_call(g, weft_activation_row(at->act), WEFT_V(first), (const float[]) { at->a, at->b });
    *out = weft_grad_mul(g, first, weft_grad_unary(g, "sigmoid", weft_grad_slice(g, n->in[0], 1, half, 2 * half)));
    return weft_graph_status(g);
}

const weft_op weft_op_gate = {
    .name = "gate",
    .doc = "y = act(x[:, :c]) sigmoid(x[:, c:]), c being half of x's channels. Yu et al. 2019, Free-Form Image Inpainting with Gated Convolution.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_STRIDED,
    .attr_bytes = sizeof(weft_activation),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_activation, act, ENUM, .choices = weft_activation_names, .doc = "activation of the first half"),
        WEFT_ATTR(weft_activation, a, FLOAT, .doc = "first parameter of the activation"),
        WEFT_ATTR(weft_activation, b, FLOAT, .doc = "second parameter of the activation"),
        { 0 }
    },
    .infer = gate_infer, .items = gate_items, .cpu = gate_cpu, .emit = gate_emit, .flops = gate_flops, .unfuse = gate_unfuse,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 6, 5, 7) }, .attrs = &(const weft_activation) { 3, 1, 0 }, .low = -3, .high = 3 },
        { .in = { WEFT_SHAPE(1, 10, 13, 1) }, .attrs = &(const weft_activation) { 2, 0.2f, 0 }, .low = -3, .high = 3 },
        { .in = { WEFT_SHAPE(3, 130) } },
        { 0 }
    },
};
