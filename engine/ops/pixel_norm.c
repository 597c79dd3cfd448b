// SPDX-License-Identifier: MIT
// Every pixel's channels divided by their root mean square.
#include "graph/graph.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include "ops/norm.h"
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

// Norms' statistics, not centred, of lines that are a pixel's channels: what norms take for channels are pixels here, and the other way round.
static weft_norm_lines lines_of(const weft_node *n)
{
    const weft_norm_view x = weft_norm_look(n->in_shape[0], (weft_layout) n->in_layout[0]), y = weft_norm_look(n->out_shape[0], (weft_layout) n->out_layout[0]);
    return (weft_norm_lines) {
        .set = { x.n * x.rows, x.c, x.c_stride != 1 }, .order = WEFT_NORM_ONE_CHANNEL, .plain = true,
        .params = { .stats = (u32) (x.n * x.rows), .groups = (u32) x.rows, .per_group = 1, .positions = (u32) x.c, .rows = (u32) x.c, .count = (u32) x.c,
                    .x_stride = { (u32) x.n_stride, (u32) x.row_stride, (u32) x.c_stride }, .y_stride = { (u32) y.n_stride, (u32) y.row_stride, (u32) y.c_stride },
                    .eps = ((const pixel_norm_attrs *) n->attrs)->eps },
    };
}

static int pixel_norm_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_norm_lines l = lines_of(n);
    return weft_norm_whole_ways(e, &l, list);
}

static weft_result pixel_norm_emit(const weft_node *n, weft_emit *e)
{
    const weft_norm_lines l = lines_of(n);
    WEFT_TRY(weft_loop_check(n));
    return weft_norm_whole(n, e, &l);
}

static double pixel_norm_flops(const weft_node *n) { return 3.0 * (double) weft_shape_count(n->out_shape[0]); }

// y = x r, r = rsqrt(mean(x^2) + eps): dx = r (dy - y mean(dy y)).
static weft_result pixel_norm_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (!want[0]) return WEFT_OK;
    const weft_value mean = weft_grad_reduce(g, "mean", weft_grad_unary(g, "square", n->in[0]), 1u << 1);
    const weft_value by = weft_grad_unary(g, "rsqrt", weft_grad_shift(g, mean, ((const pixel_norm_attrs *) n->attrs)->eps));
    const weft_value along = weft_grad_mul(g, n->out[0], weft_grad_reduce(g, "mean", weft_grad_mul(g, dy[0], n->out[0]), 1u << 1));
    dx[0] = weft_grad_mul(g, weft_grad_binary(g, "sub", dy[0], along), by);
    return weft_graph_status(g);
}

const weft_op weft_op_pixel_norm = {
    .name = "pixel_norm",
    .doc = "y = x rsqrt(mean over axis 1 of x^2 + eps). Karras et al. 2018, Progressive Growing of GANs, section 4.2.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_STRIDED,
    .attr_bytes = sizeof(pixel_norm_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(pixel_norm_attrs, eps, FLOAT, .def = 1e-8, .min = 0, .max = 1, .doc = "added to the mean"),
        { 0 }
    },
    .infer = pixel_norm_infer, .items = pixels, .cpu = pixel_norm_cpu, .ways = pixel_norm_ways, .emit = pixel_norm_emit, .flops = pixel_norm_flops,
    .grad = pixel_norm_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(3, 65) } },
        { .in = { WEFT_SHAPE(2, 5, 3, 7) }, .attrs = &(const pixel_norm_attrs) { 0.1f } },
        { .in = { WEFT_SHAPE(1, 512) } },
        { .in = { WEFT_SHAPE(2, 8, 3) } },
        { .in = { WEFT_SHAPE(5, 1) } },
        { .in = { WEFT_SHAPE(2, 1025) } },
        { .in = { WEFT_SHAPE(1, 33, 9, 20) } },
        { 0 }
    },
};
