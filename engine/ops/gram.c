// SPDX-License-Identifier: MIT
// The Gram matrix of feature maps (Gatys, Ecker and Bethge 2016, Image Style Transfer Using Convolutional Neural Networks).
#include "ops/grad.h"

static weft_result gram_infer(weft_node *n)
{
    const int64_t *x = n->in_shape[0].dim;
    if (n->in_shape[0].rank != 4) return weft_node_fail(n, "x must have 4 dimensions");
    n->out_shape[0] = (weft_shape) WEFT_SHAPE(x[0], x[1], x[1]);
    return WEFT_OK;
}

static int64_t gram_items(const weft_node *n) { return n->out_shape[0].dim[0] * n->out_shape[0].dim[1]; }

static void gram_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int64_t *x = n->in_shape[0].dim, pixels = x[2] * x[3];
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *all = (const weft_real *) arg->in[0] + row / x[1] * x[1] * pixels, *a = all + row % x[1] * pixels;
        for (int64_t c = 0; c < x[1]; c++) {
            double sum = 0;
            for (int64_t i = 0; i < pixels; i++) sum += (double) a[i] * all[c * pixels + i];
            ((weft_real *) arg->out[0])[row * x[1] + c] = (weft_real) (sum / (double) (x[1] * pixels));
        }
    }
}

static weft_result gram_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const int64_t *x = n->in_shape[0].dim;
    const weft_value rows = weft_grad_reshape(g, n->in[0], (weft_shape) WEFT_SHAPE(x[0], x[1], x[2] * x[3]));
    const weft_value product = weft_grad_call(g, "matmul", WEFT_V(rows, rows), WEFT_WITH({ "trans_b", NULL, 1, { 1 } }));
    out[0] = weft_grad_scale(g, product, 1 / (double) (x[1] * x[2] * x[3]));
    return weft_graph_status(g);
}

static double gram_flops(const weft_node *n) { return 2.0 * (double) weft_shape_count(n->in_shape[0]) * (double) n->in_shape[0].dim[1]; }

const weft_op weft_op_gram = {
    .name = "gram", .doc = "y[n,i,j] = sum over positions of x[n,i] x[n,j], divided by c h w. Gatys, Ecker and Bethge 2016.",
    .out_names = "y", .in_names = "x", .infer = gram_infer, .items = gram_items, .cpu = gram_cpu, .expand = gram_expand, .flops = gram_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 5, 7, 11) } },
        { .in = { WEFT_SHAPE(2, 16, 8, 8) } },
        { .in = { WEFT_SHAPE(1, 3, 1, 1) } },
        { 0 }
    },
};
