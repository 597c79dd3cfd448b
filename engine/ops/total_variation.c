// SPDX-License-Identifier: MIT
// How much neighbouring pixels differ (Rudin, Osher and Fatemi 1992), along each axis on its own.
#include "ops/grad.h"
#include <math.h>

typedef struct variation_attrs { int32_t reduction, power; } variation_attrs;
enum { X, MASK };
enum { REDUCE_MEAN, REDUCE_SUM };

static weft_result variation_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[X], m = n->in_shape[MASK];
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    if (x.rank != 4) return weft_node_fail(n, "x must have 4 dimensions");
    if (weft_has(n, MASK)) {
        bool fits = m.rank == 4 && m.dim[2] == x.dim[2] && m.dim[3] == x.dim[3];
        for (int d = 0; d < 2; d++) fits = fits && (m.dim[d] == x.dim[d] || m.dim[d] == 1);
        if (!fits) return weft_node_fail(n, "mask %s does not stretch to x %s over images and channels", weft_shape_text(m, b), weft_shape_text(x, a));
    }
    n->out_shape[0] = (weft_shape) { 0 };
    return WEFT_OK;
}

// Adds what the neighbours along an axis (2 or 3) differ by.
static double truth_along(const weft_node *n, const weft_real *x, const weft_real *mask, int axis)
{
    const variation_attrs *at = n->attrs;
    const int64_t *s = n->in_shape[X].dim, *m = n->in_shape[MASK].dim, pixels = s[2] * s[3], step = axis == 2 ? s[3] : 1;
    double sum = 0, weight = 0;
    for (int64_t k = 0; k < s[0] * s[1]; k++) {
        const weft_real *plane = x + k * pixels;
        const weft_real *over = mask ? mask + ((m[0] == 1 ? 0 : k / s[1]) * m[1] + (m[1] == 1 ? 0 : k % s[1])) * pixels : NULL;
        for (int64_t i = 0; i < pixels; i++) {
            if (axis == 2 ? i / s[3] + 1 == s[2] : i % s[3] + 1 == s[3]) continue;
            const double d = (double) plane[i + step] - plane[i], w = over ? (double) over[i] * over[i + step] : 1;
            sum += w * (at->power == 2 ? d * d : fabs(d)), weight += w;
        }
    }
    return at->reduction == REDUCE_SUM ? sum : sum / fmax(weight, 1e-6);
}

static void variation_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_real *mask = weft_has(n, MASK) ? arg->in[MASK] : NULL;
    ((weft_real *) arg->out[0])[0] = (weft_real) (truth_along(n, arg->in[X], mask, 2) + truth_along(n, arg->in[X], mask, 3));
}

static weft_value all(weft_graph *g, const char *how, weft_value v) { return weft_grad_call(g, how, WEFT_V(v), NULL); }

// -1 where the image is one pixel wide that way.
static weft_value along(const weft_node *n, weft_graph *g, int axis)
{
    const variation_attrs *at = n->attrs;
    const int64_t size = n->in_shape[X].dim[axis];
    if (size < 2) return -1;
    const weft_value d = weft_grad_binary(g, "sub", weft_grad_slice(g, n->in[X], axis, 1, size), weft_grad_slice(g, n->in[X], axis, 0, size - 1));
    const weft_value e = weft_grad_unary(g, at->power == 2 ? "square" : "abs", d);
    if (!weft_has(n, MASK)) return all(g, at->reduction == REDUCE_SUM ? "sum" : "mean", e);
    const weft_value both = weft_grad_mul(g, weft_grad_slice(g, n->in[MASK], axis, 1, size), weft_grad_slice(g, n->in[MASK], axis, 0, size - 1));
    const weft_value sum = all(g, "sum", weft_grad_mul(g, e, both));
    if (at->reduction == REDUCE_SUM) return sum;
    const double each = (double) weft_shape_count(n->in_shape[X]) / (double) weft_shape_count(n->in_shape[MASK]);
    const weft_value weight = weft_grad_scale(g, all(g, "sum", both), each);
    return weft_grad_binary(g, "div", sum, weft_grad_binary(g, "max", weight, weft_graph_scalar(g, 1e-6)));
}

static weft_result variation_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_value v = along(n, g, 2), h = along(n, g, 3);
    if (v >= 0 && h >= 0) out[0] = weft_grad_add(g, v, h);
    else if (v >= 0 || h >= 0) out[0] = v >= 0 ? v : h;
    else out[0] = weft_grad_scale(g, all(g, "sum", n->in[X]), 0);
    return weft_graph_status(g);
}

static double variation_flops(const weft_node *n) { return 6.0 * (double) weft_shape_count(n->in_shape[X]); }

#define AT(...) &(const variation_attrs) { __VA_ARGS__ }
const weft_op weft_op_total_variation = {
    .name = "total_variation",
    .doc = "y = mean or sum of |x[i+1] - x[i]|^power along h, plus the same along w. A mask weighs a pair by the product of its two "
           "values; a mean is then divided by their sum. Rudin, Osher and Fatemi 1992.",
    .out_names = "y", .in_names = "x mask?", .attr_bytes = sizeof(variation_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(variation_attrs, reduction, ENUM, .choices = "mean|sum", .doc = "of each axis"),
        WEFT_ATTR(variation_attrs, power, INT, .def = 1, .min = 1, .max = 2, .doc = "1: absolute differences, 2: their squares"),
        { 0 }
    },
    .infer = variation_infer, .cpu = variation_cpu, .expand = variation_expand, .flops = variation_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = AT(REDUCE_MEAN, 1) },
        { .in = { WEFT_SHAPE(1, 2, 8, 9) }, .attrs = AT(REDUCE_SUM, 2) },
        { .in = { WEFT_SHAPE(2, 3, 9, 8), WEFT_SHAPE(2, 1, 9, 8) }, .attrs = AT(REDUCE_MEAN, 2), .masks = 2 },
        { .in = { WEFT_SHAPE(2, 2, 6, 5), WEFT_SHAPE(1, 2, 6, 5) }, .attrs = AT(REDUCE_MEAN, 1), .low = 0.1, .high = 1.3 },
        { .in = { WEFT_SHAPE(1, 2, 1, 11), WEFT_SHAPE(1, 1, 1, 11) }, .attrs = AT(REDUCE_SUM, 1), .low = 0.1, .high = 1.3 },
        { .in = { WEFT_SHAPE(1, 2, 1, 1) }, .attrs = AT(REDUCE_SUM, 1) },
        { 0 }
    },
};
