// SPDX-License-Identifier: MIT
// 2-D convolution. x: [n, ci, hi, wi], w: [co, ci / groups, ky, kx], b: [co], y: [n, co, ho, wo].
#include "ops/loop.h"

typedef struct conv2d_attrs { int32_t stride[2], dilation[2], pads[4], groups; } conv2d_attrs;

static weft_result conv2d_infer(weft_node *n)
{
    const conv2d_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *w = n->in_shape[1].dim;
    if (n->in_shape[0].rank != 4 || n->in_shape[1].rank != 4) return weft_node_fail(n, "x and w must have 4 dimensions");
    if (x[1] != w[1] * at->groups)
        return weft_node_fail(n, "x has %lld channels, w wants %lld", (long long) x[1], (long long) (w[1] * at->groups));
    weft_shape y = { 4, { x[0], w[0] } };
    for (int d = 0; d < 2; d++)
        y.dim[2 + d] = (x[2 + d] + at->pads[d] + at->pads[2 + d] - at->dilation[d] * (w[2 + d] - 1) - 1) / at->stride[d] + 1;
    n->out_shape[0] = y;
    return WEFT_OK;
}

static int64_t conv2d_items(const weft_node *n)
{
    const int64_t *y = n->out_shape[0].dim;
    return y[0] * y[1] * y[2];
}

static void conv2d_cpu(const weft_node *node, const weft_cpu_args *arg)
{
    const conv2d_attrs *at = node->attrs;
    const int64_t *xs = node->in_shape[0].dim, *ws = node->in_shape[1].dim, *ys = node->out_shape[0].dim;
    const weft_real *x = arg->in[0], *w = arg->in[1], *b = weft_has(node, 2) ? arg->in[2] : NULL;
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const int64_t ho = row % ys[2], co = row / ys[2] % ys[1], n = row / ys[2] / ys[1], first = co / (ys[1] / at->groups) * ws[1];
        weft_real *y = (weft_real *) arg->out[0] + row * ys[3];
        for (int64_t wo = 0; wo < ys[3]; wo++) {
            double sum = b ? b[co] : 0;
            for (int64_t ci = 0; ci < ws[1]; ci++)
                for (int64_t ky = 0; ky < ws[2]; ky++)
                    for (int64_t kx = 0; kx < ws[3]; kx++) {
                        const int64_t hi = ho * at->stride[0] + ky * at->dilation[0] - at->pads[0];
                        const int64_t wi = wo * at->stride[1] + kx * at->dilation[1] - at->pads[1];
                        if (hi < 0 || wi < 0 || hi >= xs[2] || wi >= xs[3]) continue;
                        sum += (double) x[((n * xs[1] + first + ci) * xs[2] + hi) * xs[3] + wi] * w[((co * ws[1] + ci) * ws[2] + ky) * ws[3] + kx];
                    }
            y[wo] = (weft_real) sum;
        }
    }
}

static double conv2d_flops(const weft_node *n)
{
    const int64_t *w = n->in_shape[1].dim;
    return 2.0 * (double) weft_shape_count(n->out_shape[0]) * (double) (w[1] * w[2] * w[3]);
}

const weft_op weft_op_conv2d = {
    .name = "conv2d",
    .doc = "y[n,co] = b[co] + sum over ci of x[n,ci] correlated with w[co,ci].",
    .out_names = "y", .in_names = "x w b?", .flags = WEFT_OP_IMAGE, .kernel_inputs = 1 << 1,
    .attr_bytes = sizeof(conv2d_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(conv2d_attrs, stride, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "step of the window, y and x"),
        WEFT_ATTR(conv2d_attrs, dilation, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "step inside the window"),
        WEFT_ATTR(conv2d_attrs, pads, INT, .count = 4, .min = 0, .max = 256, .doc = "zeros added: top, left, bottom, right"),
        WEFT_ATTR(conv2d_attrs, groups, INT, .def = 1, .min = 1, .max = 65536, .doc = "independent groups of channels"),
        { 0 }
    },
    .infer = conv2d_infer, .items = conv2d_items, .cpu = conv2d_cpu, .flops = conv2d_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 1, 5, 5), WEFT_SHAPE(1, 1, 3, 3) }, .attrs = &(conv2d_attrs) { { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 1 } },
        { 0 }
    },
    .tolerance = 1e-5,
};
