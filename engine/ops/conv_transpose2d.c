// SPDX-License-Identifier: MIT
// Transposed 2-D convolution. x: [n, ci, hi, wi], w: [ci, co / groups, ky, kx], b: [co], y: [n, co, ho, wo].
#include "ops/conv_emit.h"

static weft_result conv_transpose2d_infer(weft_node *n)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *w = n->in_shape[1].dim;
    if (n->in_shape[0].rank != 4 || n->in_shape[1].rank != 4) return weft_node_fail(n, "x and w must have 4 dimensions");
    if (x[1] != w[0]) return weft_node_fail(n, "x has %lld channels, w wants %lld", (long long) x[1], (long long) w[0]);
    if (w[0] % at->groups) return weft_node_fail(n, "%lld channels do not divide into %d groups", (long long) w[0], at->groups);
    weft_shape y = { 4, { x[0], w[1] * at->groups } };
    for (int d = 0; d < 2; d++) {
        y.dim[2 + d] = (x[2 + d] - 1) * at->stride[d] + at->dilation[d] * (w[2 + d] - 1) + 1 + at->output_pad[d] - at->pads[d] - at->pads[2 + d];
        if (y.dim[2 + d] < 1) return weft_node_fail(n, "pads leave nothing of the output");
    }
    return weft_conv_epilogue_infer(n, y);
}

// Gathers: output (ho, wo) receives input hi through tap ky where ho + pad = hi stride + ky dilation.
static double conv_transpose2d_sum(const weft_node *node, const weft_cpu_args *arg, int64_t n, int64_t co, int64_t ho, int64_t wo)
{
    const weft_conv_attrs *at = node->attrs;
    const int64_t *xs = node->in_shape[0].dim, *ws = node->in_shape[1].dim;
    const int64_t group_in = ws[0] / at->groups, first = co / ws[1] * group_in;
    const weft_real *x = arg->in[0], *w = arg->in[1];
    const weft_real *s = weft_has(node, WEFT_CONV_S) ? (const weft_real *) arg->in[WEFT_CONV_S] + n * xs[1] : NULL;
    double sum = 0;
    for (int64_t ky = 0; ky < ws[2]; ky++) {
        const int64_t y = ho + at->pads[0] - ky * at->dilation[0];
        if (y < 0 || y % at->stride[0] || y / at->stride[0] >= xs[2]) continue;
        for (int64_t kx = 0; kx < ws[3]; kx++) {
            const int64_t z = wo + at->pads[1] - kx * at->dilation[1];
            if (z < 0 || z % at->stride[1] || z / at->stride[1] >= xs[3]) continue;
            for (int64_t ci = first; ci < first + group_in; ci++)
                sum += (double) x[((n * xs[1] + ci) * xs[2] + y / at->stride[0]) * xs[3] + z / at->stride[1]] *
                       (s ? s[ci] : 1) * w[((ci * ws[1] + co % ws[1]) * ws[2] + ky) * ws[3] + kx];
        }
    }
    return sum;
}

static void conv_transpose2d_cpu(const weft_node *n, const weft_cpu_args *arg) { weft_conv_truth(n, arg, conv_transpose2d_sum); }

// Every input element meets every tap.
static double conv_transpose2d_flops(const weft_node *n)
{
    const int64_t *w = n->in_shape[1].dim;
    return 2.0 * (double) weft_shape_count(n->in_shape[0]) * (double) (w[1] * w[2] * w[3]);
}

#define CONV(...) &(const weft_conv_attrs) { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1, __VA_ARGS__ }

const weft_op weft_op_conv_transpose2d = {
    .name = "conv_transpose2d",
    .doc = "The adjoint of conv2d with the same stride, dilation, pads and groups, plus b; output_pad rows and columns more at the end. "
           "Epilogue as in conv2d, and s.",
    .out_names = "y", .in_names = WEFT_CONV_IN_NAMES, .flags = WEFT_OP_IMAGE, .kernel_t_inputs = 1 << 1, .half_inputs = 1 << 1,
    .attr_bytes = sizeof(weft_conv_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_CONV_ATTRS,
        WEFT_ATTR(weft_conv_attrs, output_pad, INT, .count = 2, .max = 64, .doc = "rows and columns added at the end"),
        WEFT_CONV_EPILOGUE_ATTRS,
        { 0 }
    },
    .infer = conv_transpose2d_infer, .items = weft_conv_items, .cpu = conv_transpose2d_cpu, .ways = weft_conv_ways, .emit = weft_conv_emit,
    .flops = conv_transpose2d_flops,
    .unfuse = weft_conv_unfuse, .grad = weft_conv_transpose2d_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 3, 5, 7), WEFT_SHAPE(3, 2, 4, 4), WEFT_SHAPE(2) }, .attrs = CONV(.stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }) },
        { .in = { WEFT_SHAPE(2, 8, 5, 3), WEFT_SHAPE(8, 8, 3, 3), WEFT_SHAPE(8) },
          .attrs = CONV(.stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .output_pad = { 1, 1 }, .act = 1) },
        { .in = { WEFT_SHAPE(1, 6, 4, 4), WEFT_SHAPE(6, 3, 2, 2) }, .attrs = CONV(.stride = { 2, 2 }, .groups = 2) },
        { .in = { WEFT_SHAPE(1, 4, 6, 5), WEFT_SHAPE(4, 4, 3, 3) }, .attrs = CONV(.stride = { 1, 3 }, .dilation = { 2, 1 }, .pads = { 1, 0, 2, 1 }) },
        { .in = { WEFT_SHAPE(1, 12, 9, 7), WEFT_SHAPE(12, 40, 4, 4), WEFT_SHAPE(40), WEFT_SHAPE(1, 40, 18, 14) },
          .attrs = CONV(.stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .act = 1) },
        { .in = { WEFT_SHAPE(1, 8, 5, 4), WEFT_SHAPE(8, 48, 3, 4), WEFT_SHAPE(48) }, // strides and dilations that share a factor
          .attrs = CONV(.stride = { 4, 3 }, .dilation = { 2, 6 }, .pads = { 2, 1, 0, 3 }, .output_pad = { 3, 2 }, .act = 2, .a = 0.2f, .gate = 1) },
        { .in = { WEFT_SHAPE(1, 8, 6, 5), WEFT_SHAPE(8, 1, 3, 3), WEFT_SHAPE(8), WEFT_SHAPE(1, 8, 11, 9) },
          .attrs = CONV(.stride = { 2, 2 }, .groups = 8, .pads = { 1, 1, 1, 1 }, .residual = WEFT_RESIDUAL_BEFORE, .act = 4) },
        { .in = { WEFT_SHAPE(1, 16, 7, 9), WEFT_SHAPE(16, 3, 5, 5) }, .attrs = CONV(.stride = { 2, 2 }, .pads = { 2, 2, 2, 2 }, .output_pad = { 1, 1 }) },
        { .in = { WEFT_SHAPE(2, 8, 3, 3), WEFT_SHAPE(8, 8, 2, 2), WEFT_SHAPE(16) }, .attrs = CONV(.stride = { 3, 3 }, .groups = 2) },
        { .in = { WEFT_SHAPE(2, 8, 5, 4), WEFT_SHAPE(8, 12, 3, 3), { 0 }, { 0 }, WEFT_SHAPE(2, 12), { 0 }, { 0 }, WEFT_SHAPE(2, 8) },
          .in_count = 8, .absent = 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6, .attrs = CONV(.stride = { 2, 2 }) },
        { .in = { WEFT_SHAPE(2, 3, 5, 4), WEFT_SHAPE(3, 5, 4, 4), WEFT_SHAPE(5), { 0 }, WEFT_SHAPE(2, 5), WEFT_SHAPE(2, 1, 10, 8), { 0, { 1 } }, WEFT_SHAPE(2, 3) },
          .in_count = 8, .absent = 1 << 3, .attrs = CONV(.stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .act = 2, .a = 0.1f, .clamp = 0.7f) },
        { 0 }
    },
    .tolerance = 1e-5,
};
