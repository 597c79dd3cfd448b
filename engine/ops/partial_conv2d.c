// SPDX-License-Identifier: MIT
// Partial convolution (Liu et al. 2018, Image Inpainting for Irregular Holes Using Partial Convolutions).
// x: [n, ci, hi, wi], mask: [n or 1, ci or 1, hi, wi], w: [co, ci / groups, ky, kx], b: [co].
#include "graph/graph.h"
#include "ops/conv.h"
#include "ops/partial_finish.h"
#include <string.h>

typedef struct partial_attrs {
    int32_t stride[2], dilation[2], pads[4], groups, multi_channel, variant;
    float eps;
} partial_attrs;
enum { X, MASK, W, B };

// What the finishing step needs to know.
static weft_partial partial_of(const weft_node *n)
{
    const partial_attrs *at = n->attrs;
    const int64_t *w = n->in_shape[W].dim;
    const int64_t window = (at->multi_channel ? n->in_shape[X].dim[1] : 1) * w[2] * w[3];
    return (weft_partial) { at->variant, at->multi_channel, (float) window, at->eps };
}

static weft_result partial_infer(weft_node *n)
{
    const partial_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[X].dim, *m = n->in_shape[MASK].dim, *w = n->in_shape[W].dim;
    char text[WEFT_SHAPE_TEXT];
    if (n->in_shape[X].rank != 4 || n->in_shape[MASK].rank != 4 || n->in_shape[W].rank != 4) return weft_node_fail(n, "x, mask and w must have 4 dimensions");
    if (x[1] != w[1] * at->groups) return weft_node_fail(n, "x has %lld channels, w wants %lld", (long long) x[1], (long long) (w[1] * at->groups));
    if (w[0] % at->groups) return weft_node_fail(n, "%lld output channels do not divide into %d groups", (long long) w[0], at->groups);
    if ((m[0] != x[0] && m[0] != 1) || m[1] != (at->multi_channel ? x[1] : 1) || m[2] != x[2] || m[3] != x[3])
        return weft_node_fail(n, "mask %s does not fit x with multi_channel = %d", weft_shape_text(n->in_shape[MASK], text), at->multi_channel);
    if (weft_has(n, B) && (n->in_shape[B].rank != 1 || n->in_shape[B].dim[0] != w[0])) return weft_node_fail(n, "b must have %lld numbers", (long long) w[0]);
    if (at->variant == WEFT_PARTIAL_NAOTO && at->multi_channel && at->groups > 1) return weft_node_fail(n, "variant naoto has no groups");
    weft_shape y = { 4, { x[0], w[0] } };
    for (int d = 0; d < 2; d++) {
        const int64_t room = x[2 + d] + at->pads[d] + at->pads[2 + d] - (int64_t) at->dilation[d] * (w[2 + d] - 1) - 1;
        if (room < 0) return weft_node_fail(n, "the window is larger than the padded image");
        y.dim[2 + d] = room / at->stride[d] + 1;
    }
    n->out_shape[0] = n->out_shape[1] = y;
    n->out_shape[1].dim[0] = m[0];
    if (!at->multi_channel) n->out_shape[1].dim[1] = 1;
    return WEFT_OK;
}

static int64_t partial_items(const weft_node *n)
{
    const int64_t *y = n->out_shape[0].dim;
    return y[0] * y[1] * y[2];
}

// Sums of x * mask * w over the channels of the group, and of the mask over all its channels.
static void partial_sums(const weft_node *node, const weft_cpu_args *arg, int64_t n, int64_t co, int64_t ho, int64_t wo, double *sum, double *known)
{
    const partial_attrs *at = node->attrs;
    const int64_t *xs = node->in_shape[X].dim, *ms = node->in_shape[MASK].dim, *ws = node->in_shape[W].dim;
    const weft_real *x = arg->in[X], *m = arg->in[MASK], *w = arg->in[W];
    const int64_t first = co / (ws[0] / at->groups) * ws[1], image = xs[2] * xs[3], nm = ms[0] == 1 ? 0 : n;
    *sum = *known = 0;
    for (int64_t ky = 0; ky < ws[2]; ky++)
        for (int64_t kx = 0; kx < ws[3]; kx++) {
            const int64_t hi = ho * at->stride[0] + ky * at->dilation[0] - at->pads[0], wi = wo * at->stride[1] + kx * at->dilation[1] - at->pads[1];
            if (hi < 0 || wi < 0 || hi >= xs[2] || wi >= xs[3]) continue;
            const int64_t pixel = hi * xs[3] + wi;
            for (int64_t c = 0; c < ms[1]; c++) *known += m[(nm * ms[1] + c) * image + pixel];
            for (int64_t ci = 0; ci < ws[1]; ci++) {
                const int64_t c = first + ci;
                *sum += (double) x[(n * xs[1] + c) * image + pixel] * m[(nm * ms[1] + (ms[1] == 1 ? 0 : c)) * image + pixel] *
                        w[((co * ws[1] + ci) * ws[2] + ky) * ws[3] + kx];
            }
        }
}

static void partial_cpu(const weft_node *node, const weft_cpu_args *arg)
{
    const weft_partial how = partial_of(node);
    const int64_t *ys = node->out_shape[0].dim, *ms = node->out_shape[1].dim;
    const weft_real *b = weft_has(node, B) ? arg->in[B] : NULL;
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const int64_t ho = row % ys[2], co = row / ys[2] % ys[1], n = row / ys[2] / ys[1];
        for (int64_t wo = 0; wo < ys[3]; wo++) {
            double sum, known, mask;
            partial_sums(node, arg, n, co, ho, wo, &sum, &known);
            ((weft_real *) arg->out[0])[row * ys[3] + wo] = (weft_real) weft_partial_value(&how, sum, known, b ? b[co] : 0, b != NULL, &mask);
            if (n < ms[0] && co < ms[1]) ((weft_real *) arg->out[1])[((n * ms[1] + co) * ms[2] + ho) * ms[3] + wo] = (weft_real) mask;
        }
    }
}

// The mask's sum over a window is a convolution with ones: one output channel, because all would be the same.
static weft_result partial_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const partial_attrs *at = n->attrs;
    const int64_t *w = n->in_shape[W].dim;
    weft_conv_attrs conv;
    memset(&conv, 0, sizeof conv);
    weft_attr_defaults(weft_op_find("conv2d"), &conv);
    memcpy(conv.stride, at->stride, sizeof conv.stride);
    memcpy(conv.dilation, at->dilation, sizeof conv.dilation);
    memcpy(conv.pads, at->pads, sizeof conv.pads);
    weft_shape window = { 4, { 1, n->in_shape[MASK].dim[1], w[2], w[3] } };
    float *one = weft_arena_new(g->arena, sizeof *one * (size_t) weft_shape_count(window));
    if (!one) return WEFT_ERR_MEMORY;
    for (int64_t i = 0; i < weft_shape_count(window); i++) one[i] = 1;

    const weft_value seen = weft_graph_call(g, "mul", WEFT_V(n->in[X], n->in[MASK]), NULL);
    const weft_value known = weft_graph_call(g, "conv2d", WEFT_V(n->in[MASK], weft_graph_numbers(g, window, one)), &conv);
    conv.groups = at->groups;
    const weft_value sum = weft_graph_call(g, "conv2d", WEFT_V(seen, n->in[W]), &conv);
    const weft_partial how = partial_of(n);
    out[0] = weft_graph_call(g, "partial_finish", WEFT_V(sum, known, weft_has(n, B) ? n->in[B] : -1), &how);
    out[1] = out[0] < 0 ? -1 : out[0] + 1;
    return weft_graph_status(g);
}

static double partial_flops(const weft_node *n)
{
    const int64_t *w = n->in_shape[W].dim, *m = n->in_shape[MASK].dim, *y = n->out_shape[0].dim;
    return 2.0 * (double) (w[2] * w[3]) * ((double) weft_shape_count(n->out_shape[0]) * (double) w[1] + (double) (m[0] * m[1] * y[2] * y[3]));
}

#define AT(...) &(const partial_attrs) { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1, .eps = 1e-8f, __VA_ARGS__ }
const weft_op weft_op_partial_conv2d = {
    .name = "partial_conv2d",
    .doc = "known = sum of mask over the window; m = known limited to [0, 1].\n"
           "nvidia: y = (conv(x mask) window / (known + eps) m + b) m, without b the last factor is left out; window is the number of mask "
           "elements of a window. (As published by the paper's authors.)\n"
           "naoto: y = conv(x mask) / known + b and m = 1 where known is not 0, else both are 0. (A well-known port.)\n"
           "m has y's channels with multi_channel (mask has x's), else one. Liu et al. 2018.",
    .out_names = "y m", .in_names = "x mask w b?",
    .attr_bytes = sizeof(partial_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(partial_attrs, stride, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "step of the window, y and x"),
        WEFT_ATTR(partial_attrs, dilation, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "step inside the window"),
        WEFT_ATTR(partial_attrs, pads, INT, .count = 4, .min = 0, .max = 1024, .doc = "zeros (and holes) around the image: top, left, bottom, right"),
        WEFT_ATTR(partial_attrs, groups, INT, .def = 1, .min = 1, .max = 65536, .doc = "independent groups of channels"),
        WEFT_ATTR(partial_attrs, multi_channel, INT, .min = 0, .max = 1, .doc = "1: the mask has x's channels"),
        WEFT_ATTR(partial_attrs, variant, ENUM, .choices = "nvidia|naoto", .doc = "which published form"),
        WEFT_ATTR(partial_attrs, eps, FLOAT, .def = 1e-8, .min = 0, .max = 1, .doc = "nvidia: added to what is known"),
        { 0 }
    },
    .infer = partial_infer, .items = partial_items, .cpu = partial_cpu, .expand = partial_expand, .flops = partial_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 3, 7, 9), WEFT_SHAPE(1, 1, 7, 9), WEFT_SHAPE(5, 3, 3, 3), WEFT_SHAPE(5) }, .attrs = AT(.pads = { 1, 1, 1, 1 }), .masks = 2 },
        { .in = { WEFT_SHAPE(2, 4, 11, 8), WEFT_SHAPE(2, 4, 11, 8), WEFT_SHAPE(6, 4, 5, 3), WEFT_SHAPE(6) },
          .attrs = AT(.stride = { 2, 2 }, .pads = { 2, 1, 2, 1 }, .multi_channel = 1, .eps = 1e-6f), .masks = 2 },
        { .in = { WEFT_SHAPE(2, 4, 9, 9), WEFT_SHAPE(1, 1, 9, 9), WEFT_SHAPE(8, 2, 3, 3) },
          .attrs = AT(.dilation = { 2, 2 }, .pads = { 2, 2, 2, 2 }, .groups = 2), .masks = 2 },
        { .in = { WEFT_SHAPE(1, 3, 9, 7), WEFT_SHAPE(1, 3, 9, 7), WEFT_SHAPE(4, 3, 1, 1), WEFT_SHAPE(4) },
          .attrs = AT(.multi_channel = 1, .variant = WEFT_PARTIAL_NAOTO), .masks = 2 }, // windows that know nothing
        { .in = { WEFT_SHAPE(1, 3, 8, 7), WEFT_SHAPE(1, 1, 8, 7), WEFT_SHAPE(4, 3, 3, 3) }, .attrs = AT(.pads = { 1, 1, 1, 1 }) , .low = 0.05, .high = 0.95 },
        { 0 }
    },
};
