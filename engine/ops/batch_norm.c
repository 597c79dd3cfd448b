// SPDX-License-Identifier: MIT
// Batch normalisation (Ioffe and Szegedy 2015) with given statistics, or with those of the batch itself.
#include "ops/loop.h"
#include "ops/grad.h"
#include "ops/norm.h"
#include "params/batch_norm.h"
#include <math.h>

enum { SCALE = 1, BIAS, MEAN, VAR };

static weft_result batch_norm_infer(weft_node *n)
{
    const weft_batch_norm_attrs *at = n->attrs;
    static const char *const what[] = { "x", "scale", "bias", "mean", "var" };
    if (n->in_shape[0].rank < 2) return weft_node_fail(n, "x must have at least 2 dimensions");
    for (int i = SCALE; i <= VAR; i++) WEFT_TRY(weft_norm_vector(n, i, what[i], n->in_shape[0].dim[1]));
    if (!at->batch_stats && !(weft_has(n, MEAN) && weft_has(n, VAR)))
        return weft_node_fail(n, "mean and var are missing; give them or set batch_stats");
    n->out_shape[0] = n->in_shape[0];
    return WEFT_OK;
}

static int64_t batch_norm_items(const weft_node *n) { return n->in_shape[0].dim[1]; }

static void batch_norm_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_batch_norm_attrs *at = n->attrs;
    const weft_norm_view v = weft_norm_look(n->in_shape[0], WEFT_ROW);
    const weft_real *x = arg->in[0], *scale = weft_has(n, SCALE) ? arg->in[SCALE] : NULL, *bias = weft_has(n, BIAS) ? arg->in[BIAS] : NULL;
    weft_real *y = arg->out[0];
    for (int64_t c = arg->begin; c < arg->end; c++) {
        if (at->batch_stats) {
            weft_norm_piece(&v, (int64_t[]) { 0, v.n }, (int64_t[]) { c, c + 1 }, at->eps, x, scale, bias, y);
            continue;
        }
        const weft_real *mean = arg->in[MEAN], *var = arg->in[VAR];
        const double by = (scale ? scale[c] : 1) / sqrt((double) var[c] + at->eps);
        for (int64_t k = 0; k < v.n; k++)
            for (int64_t i = (k * v.c + c) * v.rows, end = i + v.rows; i < end; i++)
                y[i] = (weft_real) (((double) x[i] - mean[c]) * by + (bias ? bias[c] : 0));
    }
}

static weft_norm_kind kind_of(const weft_node *n)
{
    return (weft_norm_kind) { n->in_shape[0].dim[1], true, ((const weft_batch_norm_attrs *) n->attrs)->eps };
}

static int batch_norm_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_norm_kind kind = kind_of(n);
    if (((const weft_batch_norm_attrs *) n->attrs)->batch_stats) return weft_norm_ways(n, e, &kind, list);
    return list[0] = (weft_way) { "batch_norm", { 0 } }, 1;
}

static weft_result batch_norm_emit(const weft_node *n, weft_emit *e)
{
    const weft_batch_norm_attrs *at = n->attrs;
    const weft_norm_kind kind = kind_of(n);
    if (at->batch_stats) return weft_norm_emit(n, e, &kind);
    WEFT_TRY(weft_loop_check(n));
    int64_t stride[WEFT_LOOP_TENSORS][WEFT_MAX_RANK] = { { 0 } };
    weft_layout_strides(n->out_shape[0], (weft_layout) n->out_layout[0], stride[0]);
    weft_layout_strides(n->in_shape[0], (weft_layout) n->in_layout[0], stride[1]);
    stride[2][1] = 1;
    weft_loop l;
    weft_loop_make(&l, n->out_shape[0], 3, stride);
    struct batch_norm_params p = { .count = (u32) weft_shape_count(n->out_shape[0]), .eps = at->eps };
    weft_loop_dims(&l, p.dim);
    weft_loop_strides(&l, 1, p.x_stride);
    weft_loop_strides(&l, 2, p.c_stride);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "batch_norm", .spec = { (uint32_t) l.rank, weft_has(n, SCALE), weft_has(n, BIAS) }, .spec_count = 3,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .flops = 4.0 * p.count,
    });
}

static double batch_norm_flops(const weft_node *n)
{
    return (((const weft_batch_norm_attrs *) n->attrs)->batch_stats ? 8.0 : 4.0) * (double) weft_shape_count(n->out_shape[0]);
}

// With given statistics x, mean and variance are independent: y = (x - mean) scale / sqrt(var + eps) + bias.
static weft_result given_grad(const weft_node *n, weft_graph *g, weft_value dy, const bool *want, weft_value *dx)
{
    const weft_shape c = weft_norm_channels(n->in_shape[0]), flat = n->in_shape[MEAN];
    const weft_value by = weft_grad_unary(g, "rsqrt", weft_grad_shift(g, n->in[VAR], ((const weft_batch_norm_attrs *) n->attrs)->eps));
    const weft_value slope = weft_has(n, SCALE) ? weft_grad_mul(g, by, n->in[SCALE]) : by;
    weft_value sum = -1, moment = -1; // of dy and of dy (x - mean), per channel
    if (want[0]) dx[0] = weft_grad_mul(g, dy, weft_grad_reshape(g, slope, c));
    if (want[BIAS] || want[MEAN]) sum = weft_grad_reshape(g, weft_grad_unstretch(g, dy, c), flat);
    if (want[SCALE] || want[VAR]) {
        const weft_value centred = weft_grad_binary(g, "sub", n->in[0], weft_grad_reshape(g, n->in[MEAN], c));
        moment = weft_grad_reshape(g, weft_grad_unstretch(g, weft_grad_mul(g, dy, centred), c), flat);
    }
    if (want[SCALE]) dx[SCALE] = weft_grad_mul(g, moment, by);
    if (want[BIAS]) dx[BIAS] = sum;
    if (want[MEAN]) dx[MEAN] = weft_grad_unary(g, "neg", weft_grad_mul(g, sum, slope));
    if (want[VAR]) dx[VAR] = weft_grad_scale(g, weft_grad_mul(g, weft_grad_mul(g, moment, slope), weft_grad_mul(g, by, by)), -0.5);
    return WEFT_OK;
}

static weft_result batch_norm_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_norm_kind kind = kind_of(n);
    if (!((const weft_batch_norm_attrs *) n->attrs)->batch_stats) return given_grad(n, g, dy[0], want, dx);
    return weft_norm_grad(n, g, dy[0], want, dx, &kind, n->in_shape[0], weft_norm_channels(n->in_shape[0]));
}

const weft_op weft_op_batch_norm = {
    .name = "batch_norm",
    .doc = "y = (x - mean[c]) / sqrt(var[c] + eps) * scale[c] + bias[c], channels being dimension 1. With `batch_stats` mean and "
           "(biased) variance are those of x over all other dimensions. Ioffe and Szegedy 2015.",
    .out_names = "y", .in_names = "x scale? bias? mean? var?", .flags = WEFT_OP_STRIDED,
    .attr_bytes = sizeof(weft_batch_norm_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_batch_norm_attrs, eps, FLOAT, .def = 1e-5, .min = 0, .max = 1, .doc = "added to the variance"),
        WEFT_ATTR(weft_batch_norm_attrs, batch_stats, INT, .min = 0, .max = 1, .doc = "1: take mean and variance from x"),
        { 0 }
    },
    .infer = batch_norm_infer, .items = batch_norm_items, .cpu = batch_norm_cpu, .ways = batch_norm_ways, .emit = batch_norm_emit, .flops = batch_norm_flops,
    .grad = batch_norm_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 5, 7, 3), WEFT_SHAPE(5), WEFT_SHAPE(5), WEFT_SHAPE(5), WEFT_SHAPE(5) }, .low = 0.1, .high = 2 },
        { .in = { WEFT_SHAPE(3, 65), WEFT_SHAPE(65), WEFT_SHAPE(65), WEFT_SHAPE(65), WEFT_SHAPE(65) }, .low = 0.1, .high = 2 },
        { .in = { WEFT_SHAPE(2, 4, 31), WEFT_SHAPE(4), WEFT_SHAPE(4), WEFT_SHAPE(4), WEFT_SHAPE(4) }, .in_count = 5, .absent = 1 << BIAS,
          .low = 0.1, .high = 2 },
        { .in = { WEFT_SHAPE(2, 3, 33, 17), WEFT_SHAPE(3), WEFT_SHAPE(3) }, .attrs = &(const weft_batch_norm_attrs) { 1e-5f, 1 } },
        { .in = { WEFT_SHAPE(3, 67, 4, 4) }, .attrs = &(const weft_batch_norm_attrs) { 1e-5f, 1 }, .low = 50, .high = 51 },
        { .in = { WEFT_SHAPE(5, 3) }, .attrs = &(const weft_batch_norm_attrs) { 1e-5f, 1 } },
        { 0 }
    },
    .tolerance = 2e-5,
};
