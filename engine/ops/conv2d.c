// SPDX-License-Identifier: MIT
// 2-D convolution. x: [n, ci, hi, wi], w: [co, ci / groups, ky, kx], b: [co], y: [n, co, ho, wo].
#include "ops/conv_emit.h"

static weft_result conv2d_infer(weft_node *n)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *w = n->in_shape[1].dim;
    if (n->in_shape[0].rank != 4 || n->in_shape[1].rank != 4) return weft_node_fail(n, "x and w must have 4 dimensions");
    if (x[1] != w[1] * at->groups)
        return weft_node_fail(n, "x has %lld channels, w wants %lld", (long long) x[1], (long long) (w[1] * at->groups));
    if (w[0] % at->groups) return weft_node_fail(n, "%lld output channels do not divide into %d groups", (long long) w[0], at->groups);
    weft_shape y = { 4, { x[0], w[0] } };
    for (int d = 0; d < 2; d++) {
        const int64_t before = at->pads[d], after = at->pads[2 + d], most = x[2 + d] - (at->pad_mode == WEFT_PAD_REFLECT);
        const int64_t window = at->dilation[d] * (w[2 + d] - 1) + 1, padded = x[2 + d] + before + after;
        if (at->pad_mode != WEFT_PAD_ZERO && at->pad_mode != WEFT_PAD_REPLICATE && (before > most || after > most))
            return weft_node_fail(n, "padding of %lld is too much for %lld pixels in this pad_mode", (long long) (before > after ? before : after),
                                  (long long) x[2 + d]);
        if (padded < window)
            return weft_node_fail(n, "the window of %lld is larger than the padded input of %lld", (long long) window, (long long) padded);
        y.dim[2 + d] = (padded - window) / at->stride[d] + 1;
    }
    return weft_conv_epilogue_infer(n, y);
}

// The sum for output channel `co` at one position.
static double conv2d_sum(const weft_node *node, const weft_cpu_args *arg, int64_t n, int64_t co, int64_t ho, int64_t wo)
{
    const weft_conv_attrs *at = node->attrs;
    const int64_t *xs = node->in_shape[0].dim, *ws = node->in_shape[1].dim;
    const weft_real *x = arg->in[0], *w = arg->in[1];
    const int64_t first = co / (ws[0] / at->groups) * ws[1]; // input channel of the group
    const weft_real *s = weft_has(node, WEFT_CONV_S) ? (const weft_real *) arg->in[WEFT_CONV_S] + n * xs[1] : NULL;
    double sum = 0;
    for (int64_t ky = 0; ky < ws[2]; ky++) {
        const int64_t hi = weft_pad_at(at->pad_mode, ho * at->stride[0] + ky * at->dilation[0] - at->pads[0], xs[2]);
        for (int64_t kx = 0; hi >= 0 && kx < ws[3]; kx++) {
            const int64_t wi = weft_pad_at(at->pad_mode, wo * at->stride[1] + kx * at->dilation[1] - at->pads[1], xs[3]);
            for (int64_t ci = 0; wi >= 0 && ci < ws[1]; ci++)
                sum += (double) x[((n * xs[1] + first + ci) * xs[2] + hi) * xs[3] + wi] * (s ? s[first + ci] : 1) * w[((co * ws[1] + ci) * ws[2] + ky) * ws[3] + kx];
        }
    }
    return sum;
}

static void conv2d_cpu(const weft_node *n, const weft_cpu_args *arg) { weft_conv_truth(n, arg, conv2d_sum); }

static double conv2d_flops(const weft_node *n)
{
    const int64_t *w = n->in_shape[1].dim;
    return weft_conv_flops(n, w[1] * w[2] * w[3]);
}

#define CONV(...) &(const weft_conv_attrs) { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1, __VA_ARGS__ }

const weft_op weft_op_conv2d = {
    .name = "conv2d",
    .doc = "s[n,co] = b[co] + sum over ci of x[n,ci] correlated with w[co,ci]; y = act(s), and with r the sum of both. "
           "With gate = 1 (Yu et al. 2019, Free-Form Image Inpainting with Gated Convolution) w has 2 co output channels and "
           "y = act(s[:co]) sigmoid(s[co:])." WEFT_CONV_EPILOGUE_DOC,
    .out_names = "y", .in_names = WEFT_CONV_IN_NAMES, .flags = WEFT_OP_IMAGE, .kernel_inputs = 1 << 1, .half_inputs = 1 << 1,
    .attr_bytes = sizeof(weft_conv_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_CONV_ATTRS,
        WEFT_ATTR(weft_conv_attrs, pad_mode, ENUM, .choices = WEFT_PAD_MODES, .doc = "what lies beyond the edge"),
        WEFT_CONV_EPILOGUE_ATTRS,
        { 0 }
    },
    .infer = conv2d_infer, .items = weft_conv_items, .cpu = conv2d_cpu, .ways = weft_conv_ways, .emit = weft_conv_emit, .flops = conv2d_flops,
    .unfuse = weft_conv_unfuse, .grad = weft_conv2d_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 1, 5, 5), WEFT_SHAPE(1, 1, 3, 3) }, .attrs = CONV(.pads = { 1, 1, 1, 1 }) },
        { .in = { WEFT_SHAPE(2, 3, 7, 11), WEFT_SHAPE(5, 3, 3, 3), WEFT_SHAPE(5) }, .attrs = CONV(.stride = { 2, 2 }, .pads = { 0, 1, 1, 0 }) },
        { .in = { WEFT_SHAPE(1, 8, 9, 13), WEFT_SHAPE(16, 8, 3, 3), WEFT_SHAPE(16) },
          .attrs = CONV(.dilation = { 2, 3 }, .pads = { 2, 3, 2, 3 }, .pad_mode = WEFT_PAD_REFLECT, .act = 3, .a = 1, .gate = 1) },
        { .in = { WEFT_SHAPE(1, 6, 6, 5), WEFT_SHAPE(6, 2, 1, 3), WEFT_SHAPE(6), WEFT_SHAPE(1, 6, 6, 5) },
          .attrs = CONV(.groups = 3, .pads = { 0, 1, 0, 1 }, .pad_mode = WEFT_PAD_CIRCULAR, .act = 1, .residual = WEFT_RESIDUAL_BEFORE) },
        { .in = { WEFT_SHAPE(1, 4, 8, 8), WEFT_SHAPE(4, 1, 5, 5) }, .attrs = CONV(.groups = 4, .pads = { 2, 2, 2, 2 }, .pad_mode = WEFT_PAD_REPLICATE) },
        // more pixels and channels than a tile has, and tails of both
        { .in = { WEFT_SHAPE(2, 12, 13, 11), WEFT_SHAPE(72, 12, 3, 3), WEFT_SHAPE(72), WEFT_SHAPE(2, 72, 7, 6) },
          .attrs = CONV(.stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .act = 2, .a = 0.1f) },
        { .in = { WEFT_SHAPE(1, 3, 12, 14), WEFT_SHAPE(36, 3, 7, 7), WEFT_SHAPE(36) }, .attrs = CONV(.pads = { 3, 3, 3, 3 }, .act = 1) },
        { .in = { WEFT_SHAPE(1, 5, 17, 9), WEFT_SHAPE(26, 5, 1, 1), WEFT_SHAPE(26), WEFT_SHAPE(1, 13, 17, 9) },
          .attrs = CONV(.act = 4, .gate = 1, .residual = WEFT_RESIDUAL_BEFORE) },
        { .in = { WEFT_SHAPE(1, 20, 11, 10), WEFT_SHAPE(3, 20, 3, 3), WEFT_SHAPE(3) }, .attrs = CONV(.pads = { 0, 2, 1, 0 }, .act = 6, .a = -1, .b = 1) },
        { .in = { WEFT_SHAPE(1, 16, 10, 9), WEFT_SHAPE(96, 8, 3, 3), WEFT_SHAPE(96), WEFT_SHAPE(1, 48, 8, 7) },
          .attrs = CONV(.groups = 2, .act = 5, .gate = 1) },
        { .in = { WEFT_SHAPE(1, 6, 9, 7), WEFT_SHAPE(9, 2, 3, 2) }, .attrs = CONV(.groups = 3, .stride = { 1, 2 }, .pads = { 1, 1, 1, 0 }) },
        { .in = { WEFT_SHAPE(1, 40, 6, 7), WEFT_SHAPE(80, 40, 3, 3), WEFT_SHAPE(80) },
          .attrs = CONV(.dilation = { 4, 4 }, .pads = { 4, 4, 4, 4 }, .act = 3, .a = 1, .gate = 1) },
        // styled: scales of x and of the sum, noise of each image or of all
        { .in = { WEFT_SHAPE(2, 8, 7, 9), WEFT_SHAPE(12, 8, 3, 3), WEFT_SHAPE(12), { 0 }, WEFT_SHAPE(2, 12), WEFT_SHAPE(1, 1, 7, 9), { 0, { 1 } }, WEFT_SHAPE(2, 8) },
          .in_count = 8, .absent = 1 << 3, .attrs = CONV(.pads = { 1, 1, 1, 1 }, .act = 2, .a = 0.2f, .gain = 1.41421356f, .clamp = 1.5f) },
        { .in = { WEFT_SHAPE(2, 5, 9, 6), WEFT_SHAPE(7, 5, 3, 3), { 0 }, WEFT_SHAPE(2, 7, 5, 3), WEFT_SHAPE(2, 7), WEFT_SHAPE(2, 1, 5, 3), { 0 }, WEFT_SHAPE(2, 5) },
          .in_count = 8, .absent = 1 << 2 | 1 << 6, .attrs = CONV(.stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .act = 1) },
        { .in = { WEFT_SHAPE(3, 6, 5, 4), WEFT_SHAPE(4, 3, 1, 1), WEFT_SHAPE(4), { 0 }, { 0 }, { 0 }, { 0 }, WEFT_SHAPE(3, 6) },
          .in_count = 8, .absent = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6, .attrs = CONV(.groups = 2, .gain = 0.5f) },
        { .in = { WEFT_SHAPE(2, 4, 11, 13), WEFT_SHAPE(36, 4, 1, 1), WEFT_SHAPE(36), { 0 }, WEFT_SHAPE(2, 36) },
          .in_count = 5, .absent = 1 << 3, .attrs = CONV(.act = 5) },
        { 0 }
    },
    .tolerance = 1e-5,
};
