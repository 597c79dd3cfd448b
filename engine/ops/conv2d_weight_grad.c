// SPDX-License-Identifier: MIT
// A convolution's gradient by its weights. x: [n, ci, hi, wi], dy: [n, co, ho, wo], dw: [co, ci / groups, ky, kx].
#include "ops/conv.h"
#include "ops/conv_weights.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include <string.h>

static weft_result weight_grad_infer(weft_node *n)
{
    const weft_conv_weights_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *y = n->in_shape[1].dim;
    if (n->in_shape[0].rank != 4 || n->in_shape[1].rank != 4) return weft_node_fail(n, "x and dy must have 4 dimensions");
    if (x[0] != y[0]) return weft_node_fail(n, "x has %lld images, dy %lld", (long long) x[0], (long long) y[0]);
    if (x[1] % at->groups || y[1] % at->groups)
        return weft_node_fail(n, "%lld and %lld channels do not divide into %d groups", (long long) x[1], (long long) y[1], at->groups);
    n->out_shape[0] = (weft_shape) WEFT_SHAPE(y[1], x[1] / at->groups, at->kernel[0], at->kernel[1]);
    return WEFT_OK;
}

static int64_t weight_grad_items(const weft_node *n) { return n->out_shape[0].dim[0] * n->out_shape[0].dim[1]; }

// One tap: x read at every output's place, times that output's gradient.
static double tap(const weft_node *node, const weft_real *x, const weft_real *dy, int64_t ky, int64_t kx)
{
    const weft_conv_weights_attrs *at = node->attrs;
    const int64_t *xs = node->in_shape[0].dim, *ys = node->in_shape[1].dim;
    double sum = 0;
    for (int64_t ho = 0; ho < ys[2]; ho++) {
        const int64_t hi = weft_pad_at(at->pad_mode, ho * at->stride[0] + ky * at->dilation[0] - at->pads[0], xs[2]);
        for (int64_t wo = 0; hi >= 0 && wo < ys[3]; wo++) {
            const int64_t wi = weft_pad_at(at->pad_mode, wo * at->stride[1] + kx * at->dilation[1] - at->pads[1], xs[3]);
            if (wi >= 0) sum += (double) x[hi * xs[3] + wi] * dy[ho * ys[3] + wo];
        }
    }
    return sum;
}

static void weight_grad_cpu(const weft_node *node, const weft_cpu_args *arg)
{
    const weft_conv_weights_attrs *at = node->attrs;
    const int64_t *xs = node->in_shape[0].dim, *ys = node->in_shape[1].dim, *ws = node->out_shape[0].dim, taps = ws[2] * ws[3];
    const weft_real *x = arg->in[0], *dy = arg->in[1];
    for (int64_t item = arg->begin; item < arg->end; item++) {
        const int64_t co = item / ws[1], ci = co / (ws[0] / at->groups) * ws[1] + item % ws[1];
        for (int64_t k = 0; k < taps; k++) {
            double sum = 0;
            for (int64_t n = 0; n < xs[0]; n++)
                sum += tap(node, x + (n * xs[1] + ci) * xs[2] * xs[3], dy + (n * ys[1] + co) * ys[2] * ys[3], k / ws[3], k % ws[3]);
            ((weft_real *) arg->out[0])[item * taps + k] = (weft_real) sum;
        }
    }
}

static double weight_grad_flops(const weft_node *n)
{
    const int64_t *y = n->in_shape[1].dim;
    return 2.0 * (double) weft_shape_count(n->out_shape[0]) * (double) (y[0] * y[2] * y[3]);
}

weft_value weft_conv_weights(weft_graph *g, weft_value x, weft_value dy, const weft_conv_weights_attrs *at)
{
    return weft_graph_call(g, "conv2d_weight_grad", WEFT_V(x, dy), at);
}

// --- Its own gradient: what dw receives stands where the weights stood. --------------------------------------

// How far past the end of x the last window reaches on this axis, which is what it was padded by there; negative: what no window reached.
static int64_t excess(const weft_node *n, int d)
{
    const weft_conv_weights_attrs *at = n->attrs;
    const int64_t window = at->dilation[d] * (at->kernel[d] - 1) + 1;
    return (n->in_shape[1].dim[2 + d] - 1) * at->stride[d] + window - at->pads[d] - n->in_shape[0].dim[2 + d];
}

static int64_t at_least_zero(int64_t i) { return i > 0 ? i : 0; }

static weft_conv_attrs convolution(const weft_node *n)
{
    const weft_conv_weights_attrs *at = n->attrs;
    weft_conv_attrs c = { .groups = at->groups };
    for (int d = 0; d < 2; d++) {
        c.stride[d] = at->stride[d], c.dilation[d] = at->dilation[d];
        c.pads[d] = at->pads[d], c.pads[2 + d] = (int32_t) at_least_zero(excess(n, d));
    }
    return c;
}

static weft_value by_x(const weft_node *n, weft_graph *g, weft_value dy, weft_value dw)
{
    const weft_conv_attrs c = convolution(n);
    weft_value dx = weft_graph_call(g, "conv_transpose2d", WEFT_V(dy, dw), &c);
    for (int d = 0; d < 2; d++) dx = weft_grad_pad(g, dx, 2 + d, 0, at_least_zero(-excess(n, d)));
    return dx;
}

static weft_value by_dy(const weft_node *n, weft_graph *g, weft_value x, weft_value dw)
{
    const weft_conv_attrs c = convolution(n);
    const weft_value dy = weft_graph_call(g, "conv2d", WEFT_V(x, dw), &c);
    return weft_grad_slice(g, weft_grad_slice(g, dy, 2, 0, n->in_shape[1].dim[2]), 3, 0, n->in_shape[1].dim[3]);
}

static weft_result weight_grad_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (want[0]) dx[0] = by_x(n, g, n->in[1], dy[0]);
    if (want[1]) dx[1] = by_dy(n, g, n->in[0], dy[0]);
    return WEFT_OK;
}

// Padding other than zeros: a row of its own, whose gradient is known.
static weft_result weight_grad_unfuse(const weft_node *n, weft_graph *g, weft_value *out)
{
    static const char *const modes[] = { "constant", "reflect", "replicate", "circular" };
    weft_conv_weights_attrs at = *(const weft_conv_weights_attrs *) n->attrs;
    const double after[2] = { (double) at_least_zero(excess(n, 0)), (double) at_least_zero(excess(n, 1)) };
    *out = -1;
    if (!at.pad_mode) return WEFT_OK;
    const weft_value x = weft_grad_call(g, "pad", WEFT_V(n->in[0]), WEFT_WITH({ "before", NULL, 2, { at.pads[0], at.pads[1] } },
                                                                              { "after", NULL, 2, { after[0], after[1] } }, { "mode", modes[at.pad_mode] }));
    at.pad_mode = at.pads[0] = at.pads[1] = 0;
    *out = weft_conv_weights(g, x, n->in[1], &at);
    return weft_graph_status(g);
}

#define AT(y_, x_, ...) &(const weft_conv_weights_attrs) { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1, .kernel = { y_, x_ }, __VA_ARGS__ }

const weft_op weft_op_conv2d_weight_grad = {
    .name = "conv2d_weight_grad",
    .doc = "dw[co,ci,ky,kx] = sum over n, i, j of dy[n,co,i,j] x[n,ci, i stride + ky dilation - top, j stride + kx dilation - left]: what the\n"
           "weights of conv2d receive; with x and dy in each other's places those of conv_transpose2d. `kernel` is the size of dw.",
    .out_names = "dw", .in_names = "x dy", .flags = WEFT_OP_IMAGE, .row_outputs = 1,
    .attr_bytes = sizeof(weft_conv_weights_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_conv_weights_attrs, kernel, INT, .count = 2, .def = 1, .min = 1, .max = 65536, .doc = "taps, y and x"),
        WEFT_ATTR(weft_conv_weights_attrs, stride, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "step of the window, y and x"),
        WEFT_ATTR(weft_conv_weights_attrs, dilation, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "step inside the window"),
        WEFT_ATTR(weft_conv_weights_attrs, pads, INT, .count = 2, .min = 0, .max = 1024, .doc = "top, left"),
        WEFT_ATTR(weft_conv_weights_attrs, groups, INT, .def = 1, .min = 1, .max = 65536, .doc = "independent groups of channels"),
        WEFT_ATTR(weft_conv_weights_attrs, pad_mode, ENUM, .choices = WEFT_PAD_MODES, .doc = "what lies beyond the edge"),
        { 0 }
    },
    .infer = weight_grad_infer, .items = weight_grad_items, .cpu = weight_grad_cpu, .ways = weft_conv_weights_ways,
    .emit = weft_conv_weights_emit, .flops = weight_grad_flops, .unfuse = weight_grad_unfuse, .grad = weight_grad_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 1, 5, 5), WEFT_SHAPE(1, 1, 5, 5) }, .attrs = AT(3, 3, .pads = { 1, 1 }) },
        { .in = { WEFT_SHAPE(2, 3, 7, 11), WEFT_SHAPE(2, 5, 4, 5) }, .attrs = AT(3, 3, .stride = { 2, 2 }, .pads = { 1, 0 }) },
        { .in = { WEFT_SHAPE(1, 8, 9, 13), WEFT_SHAPE(1, 16, 9, 13) },
          .attrs = AT(3, 3, .dilation = { 2, 3 }, .pads = { 2, 3 }, .pad_mode = WEFT_PAD_REFLECT) },
        { .in = { WEFT_SHAPE(2, 6, 6, 5), WEFT_SHAPE(2, 6, 6, 5) }, .attrs = AT(1, 3, .groups = 3, .pads = { 0, 1 }, .pad_mode = WEFT_PAD_CIRCULAR) },
        { .in = { WEFT_SHAPE(3, 4, 8, 8), WEFT_SHAPE(3, 4, 8, 8) }, .attrs = AT(5, 5, .groups = 4, .pads = { 2, 2 }, .pad_mode = WEFT_PAD_REPLICATE) },
        { .in = { WEFT_SHAPE(1, 5, 9, 7), WEFT_SHAPE(1, 5, 9, 7) }, .attrs = AT(3, 3, .groups = 5, .pads = { 1, 1 }) },
        { .in = { WEFT_SHAPE(1, 8, 19, 17), WEFT_SHAPE(1, 8, 10, 9) }, .attrs = AT(3, 3, .groups = 8, .stride = { 2, 2 }, .pads = { 1, 1 }) },
        // more rows and channels than a tile has, and tails of both
        { .in = { WEFT_SHAPE(2, 12, 13, 11), WEFT_SHAPE(2, 72, 7, 6) }, .attrs = AT(3, 3, .stride = { 2, 2 }, .pads = { 1, 1 }) },
        { .in = { WEFT_SHAPE(1, 3, 23, 29), WEFT_SHAPE(1, 36, 23, 29) }, .attrs = AT(7, 7, .pads = { 3, 3 }) },
        { .in = { WEFT_SHAPE(1, 37, 17, 9), WEFT_SHAPE(1, 26, 17, 9) }, .attrs = AT(1, 1, .groups = 1) },
        { .in = { WEFT_SHAPE(1, 20, 11, 10), WEFT_SHAPE(1, 3, 10, 10) }, .attrs = AT(3, 3, .pads = { 0, 2 }) },
        { .in = { WEFT_SHAPE(1, 16, 10, 9), WEFT_SHAPE(1, 24, 8, 7) }, .attrs = AT(3, 3, .groups = 2) },
        { .in = { WEFT_SHAPE(1, 6, 9, 7), WEFT_SHAPE(1, 9, 9, 4) }, .attrs = AT(3, 2, .groups = 3, .stride = { 1, 2 }, .pads = { 1, 1 }) },
        { .in = { WEFT_SHAPE(1, 40, 6, 7), WEFT_SHAPE(1, 84, 6, 7) }, .attrs = AT(3, 3, .dilation = { 4, 4 }, .pads = { 4, 4 }) },
        { .in = { WEFT_SHAPE(1, 40, 18, 14), WEFT_SHAPE(1, 12, 9, 7) }, .attrs = AT(4, 4, .stride = { 2, 2 }, .pads = { 1, 1 }) }, // of a transposed one
        { .in = { WEFT_SHAPE(1, 4, 31, 37), WEFT_SHAPE(1, 8, 3, 2) }, .attrs = AT(2, 3, .stride = { 4, 3 }, .dilation = { 2, 6 }) }, // much of x unread
        { .in = { WEFT_SHAPE(1, 4, 5, 5), WEFT_SHAPE(1, 4, 9, 9) }, .attrs = AT(3, 3, .pads = { 1, 1 }) }, // windows that meet nothing but zeros
        { .in = { WEFT_SHAPE(1, 4, 61, 67), WEFT_SHAPE(1, 8, 61, 67) }, .attrs = AT(3, 3, .pads = { 1, 1 }) }, // split
        { .in = { WEFT_SHAPE(2, 5, 33, 31), WEFT_SHAPE(2, 7, 17, 16) }, .attrs = AT(3, 3, .stride = { 2, 2 }, .pads = { 1, 1 }) }, // split, nothing in fours
        { 0 }
    },
    .tolerance = 1e-5,
};
