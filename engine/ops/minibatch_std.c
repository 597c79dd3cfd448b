// SPDX-License-Identifier: MIT
// Channels that say how much the images of a group differ. x: [n, c, h, w], y: [n, c + channels, h, w].
#include "graph/graph.h"
#include "ops/grad.h"
#include <math.h>

typedef struct minibatch_std_attrs { int32_t group, channels; float eps; } minibatch_std_attrs;

static int64_t group_of(const weft_node *n) // images that are compared
{
    const int64_t group = ((const minibatch_std_attrs *) n->attrs)->group, images = n->in_shape[0].dim[0];
    return group == 0 || group > images ? images : group;
}

static weft_result minibatch_std_infer(weft_node *n)
{
    const minibatch_std_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    if (x.rank != 4) return weft_node_fail(n, "x has %d dimensions, not 4", x.rank);
    if (x.dim[0] % group_of(n)) return weft_node_fail(n, "%lld images do not divide into groups of %lld", (long long) x.dim[0], (long long) group_of(n));
    if (x.dim[1] % at->channels) return weft_node_fail(n, "%lld channels do not divide into %d parts", (long long) x.dim[1], at->channels);
    n->out_shape[0] = x;
    n->out_shape[0].dim[1] += at->channels;
    return WEFT_OK;
}

static int64_t minibatch_std_items(const weft_node *n) { return n->out_shape[0].dim[0]; }

// Group m, image k of it, is image k * groups + m.
static double deviation(const weft_node *n, const weft_real *x, int64_t m, int64_t part)
{
    const minibatch_std_attrs *at = n->attrs;
    const int64_t *s = n->in_shape[0].dim, image = s[1] * s[2] * s[3], size = image / at->channels, of = group_of(n), groups = s[0] / of;
    double sum = 0;
    for (int64_t i = 0; i < size; i++) {
        const weft_real *v = x + m * image + part * size + i;
        double mean = 0, var = 0;
        for (int64_t k = 0; k < of; k++) mean += v[k * groups * image];
        mean /= (double) of;
        for (int64_t k = 0; k < of; k++) var += (v[k * groups * image] - mean) * (v[k * groups * image] - mean);
        sum += sqrt(var / (double) of + at->eps);
    }
    return sum / (double) size;
}

static void minibatch_std_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const minibatch_std_attrs *at = n->attrs;
    const int64_t *s = n->in_shape[0].dim, area = s[2] * s[3], groups = s[0] / group_of(n);
    for (int64_t b = arg->begin; b < arg->end; b++) {
        const weft_real *x = (const weft_real *) arg->in[0] + b * s[1] * area;
        weft_real *y = (weft_real *) arg->out[0] + b * (s[1] + at->channels) * area;
        for (int64_t i = 0; i < s[1] * area; i++) y[i] = x[i];
        for (int64_t part = 0; part < at->channels; part++) {
            const double d = deviation(n, arg->in[0], b % groups, part);
            for (int64_t i = 0; i < area; i++) y[(s[1] + part) * area + i] = (weft_real) d;
        }
    }
}

static weft_result minibatch_std_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const minibatch_std_attrs *at = n->attrs;
    const int64_t *s = n->in_shape[0].dim, of = group_of(n), groups = s[0] / of, size = s[1] / at->channels * s[2] * s[3];
    const weft_value x = weft_grad_reshape(g, n->in[0], (weft_shape) WEFT_SHAPE(of, groups, at->channels, size));
    const weft_value centred = weft_grad_binary(g, "sub", x, weft_grad_reduce(g, "mean", x, 1u << 0));
    const weft_value var = weft_grad_reduce(g, "mean", weft_grad_unary(g, "square", centred), 1u << 0);
    const weft_value std = weft_grad_unary(g, "sqrt", weft_grad_shift(g, var, at->eps));
    weft_value each = weft_grad_reduce(g, "mean", std, 1u << 3); // [1, groups, channels, 1]
    each = weft_grad_expand(g, each, (weft_shape) WEFT_SHAPE(of, groups, at->channels, 1));
    each = weft_grad_reshape(g, each, (weft_shape) WEFT_SHAPE(s[0], at->channels, 1, 1));
    each = weft_grad_expand(g, each, (weft_shape) WEFT_SHAPE(s[0], at->channels, s[2], s[3]));
    out[0] = weft_grad_call(g, "concat", WEFT_V(n->in[0], each), WEFT_WITH({ "axis", NULL, 1, { 1 } }));
    return weft_graph_status(g);
}

const weft_op weft_op_minibatch_std = {
    .name = "minibatch_std",
    .doc = "y = x and `channels` more: the standard deviation over the images of a group at every place, its mean over that part of x's\n"
           "channels and all pixels, the same at every pixel. Image i is of group i mod (n / group). Karras et al. 2018, Progressive\n"
           "Growing of GANs, section 3.",
    .out_names = "y", .in_names = "x",
    .attr_bytes = sizeof(minibatch_std_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(minibatch_std_attrs, group, INT, .def = 4, .max = 65536, .doc = "images compared with each other; 0, or more than there are: all"),
        WEFT_ATTR(minibatch_std_attrs, channels, INT, .def = 1, .min = 1, .max = 65536, .doc = "channels added"),
        WEFT_ATTR(minibatch_std_attrs, eps, FLOAT, .def = 1e-8, .min = 0, .max = 1, .doc = "added to the variance"),
        { 0 }
    },
    .infer = minibatch_std_infer, .items = minibatch_std_items, .cpu = minibatch_std_cpu, .expand = minibatch_std_expand,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(4, 3, 3, 5) } },
        { .in = { WEFT_SHAPE(6, 4, 2, 3) }, .attrs = &(const minibatch_std_attrs) { 2, 2, 0.1f } },
        { .in = { WEFT_SHAPE(2, 5, 4, 4) }, .attrs = &(const minibatch_std_attrs) { 0, 1, 1e-8f } },
        { .in = { WEFT_SHAPE(1, 2, 3, 3) }, .attrs = &(const minibatch_std_attrs) { 4, 1, 0.25f } },
        { 0 }
    },
};
