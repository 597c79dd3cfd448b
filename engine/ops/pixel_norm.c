// SPDX-License-Identifier: MIT
// Every pixel's channels divided by their root mean square.
#include "graph/graph.h"
#include "ops/grad.h"
#include <math.h>

typedef struct pixel_norm_attrs { float eps; } pixel_norm_attrs;

static weft_result pixel_norm_infer(weft_node *n)
{
    if (n->in_shape[0].rank < 2) return weft_node_fail(n, "x has no axis 1 to take the mean over");
    n->out_shape[0] = n->in_shape[0];
    return WEFT_OK;
}

static int64_t pixels(const weft_node *n) { return weft_shape_count(n->in_shape[0]) / n->in_shape[0].dim[1]; }

static void pixel_norm_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const pixel_norm_attrs *at = n->attrs;
    const int64_t c = n->in_shape[0].dim[1], image = pixels(n) / n->in_shape[0].dim[0];
    for (int64_t i = arg->begin; i < arg->end; i++) {
        const weft_real *x = (const weft_real *) arg->in[0] + i / image * c * image + i % image;
        weft_real *y = (weft_real *) arg->out[0] + i / image * c * image + i % image;
        double sum = 0;
        for (int64_t k = 0; k < c; k++) sum += (double) x[k * image] * x[k * image];
        const double by = 1 / sqrt(sum / (double) c + at->eps);
        for (int64_t k = 0; k < c; k++) y[k * image] = (weft_real) (x[k * image] * by);
    }
}

static weft_result pixel_norm_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const pixel_norm_attrs *at = n->attrs;
    const weft_value mean = weft_grad_reduce(g, "mean", weft_grad_unary(g, "square", n->in[0]), 1u << 1);
    out[0] = weft_grad_mul(g, n->in[0], weft_grad_unary(g, "rsqrt", weft_grad_shift(g, mean, at->eps)));
    return weft_graph_status(g);
}

const weft_op weft_op_pixel_norm = {
    .name = "pixel_norm",
    .doc = "y = x rsqrt(mean over axis 1 of x^2 + eps). Karras et al. 2018, Progressive Growing of GANs, section 4.2.",
    .out_names = "y", .in_names = "x",
    .attr_bytes = sizeof(pixel_norm_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(pixel_norm_attrs, eps, FLOAT, .def = 1e-8, .min = 0, .max = 1, .doc = "added to the mean"),
        { 0 }
    },
    .infer = pixel_norm_infer, .items = pixels, .cpu = pixel_norm_cpu, .expand = pixel_norm_expand,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(3, 65) } },
        { .in = { WEFT_SHAPE(2, 5, 3, 7) }, .attrs = &(const pixel_norm_attrs) { 0.1f } },
        { .in = { WEFT_SHAPE(1, 512) } },
        { .in = { WEFT_SHAPE(2, 8, 3) } },
        { 0 }
    },
};
