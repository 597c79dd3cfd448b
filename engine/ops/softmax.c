// SPDX-License-Identifier: MIT
// Softmax and its logarithm over one dimension.
#include "ops/lines.h"
#include "ops/loop.h"
#include "ops/grad.h"
#include "ops/softmax.h"
#include "params/softmax.h"
#include <math.h>

enum { SOFTMAX, LOG_SOFTMAX }; // index of the row

static int axis_of(const weft_node *n)
{
    const weft_softmax_attrs *at = n->attrs;
    return at->axis < 0 ? at->axis + n->in_shape[0].rank : at->axis;
}

static weft_result softmax_infer(weft_node *n)
{
    const int axis = axis_of(n);
    if (axis < 0 || axis >= n->in_shape[0].rank) return weft_node_fail(n, "x has %d dimensions, no dimension %d", n->in_shape[0].rank, axis);
    n->out_shape[0] = n->in_shape[0];
    return WEFT_OK;
}

static int64_t softmax_items(const weft_node *n) { return weft_shape_count(n->in_shape[0]) / n->in_shape[0].dim[axis_of(n)]; }

static void softmax_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_softmax_attrs *at = n->attrs;
    const int axis = axis_of(n);
    const int64_t len = n->in_shape[0].dim[axis];
    int64_t stride[WEFT_MAX_RANK];
    weft_shape_strides(n->in_shape[0], stride);
    const int64_t step = stride[axis];
    for (int64_t line = arg->begin; line < arg->end; line++) {
        const int64_t first = line / step * step * len + line % step;
        const weft_real *x = (const weft_real *) arg->in[0] + first;
        weft_real *y = (weft_real *) arg->out[0] + first;
        double most = -INFINITY, sum = 0;
        for (int64_t i = 0; i < len; i++) most = fmax(most, (double) x[i * step] * at->scale);
        for (int64_t i = 0; i < len; i++) sum += exp((double) x[i * step] * at->scale - most);
        for (int64_t i = 0; i < len; i++) {
            const double above = (double) x[i * step] * at->scale - most;
            y[i * step] = (weft_real) (n->op->index == LOG_SOFTMAX ? above - log(sum) : exp(above) / sum);
        }
    }
}

static weft_line_set lines_of(const weft_node *n)
{
    const int axis = axis_of(n);
    int64_t stride[WEFT_MAX_RANK];
    weft_layout_strides(n->in_shape[0], (weft_layout) n->in_layout[0], stride);
    return (weft_line_set) { softmax_items(n), n->in_shape[0].dim[axis], stride[axis] != 1 };
}

static const char *const kernels[2] = { "softmax_subgroup", "softmax" };

static int softmax_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_line_set l = lines_of(n);
    return weft_line_ways(e, &l, kernels, list);
}

static weft_result softmax_emit(const weft_node *n, weft_emit *e)
{
    const weft_softmax_attrs *at = n->attrs;
    const int axis = axis_of(n);
    WEFT_TRY(weft_loop_check(n));
    int64_t stride[WEFT_LOOP_TENSORS][WEFT_MAX_RANK];
    weft_layout_strides(n->out_shape[0], (weft_layout) n->out_layout[0], stride[0]);
    weft_layout_strides(n->in_shape[0], (weft_layout) n->in_layout[0], stride[1]);
    struct softmax_params p = {
        .lines = (u32) softmax_items(n), .len = (u32) n->in_shape[0].dim[axis], .y_step = (u32) stride[0][axis], .x_step = (u32) stride[1][axis],
        .scale = at->scale,
    };
    weft_shape lines = n->in_shape[0];
    lines.dim[axis] = 1;
    weft_loop l;
    weft_loop_make(&l, lines, 2, stride);
    weft_loop_dims(&l, p.dim);
    weft_loop_strides(&l, 0, p.y_stride);
    weft_loop_strides(&l, 1, p.x_stride);
    weft_dispatch d = { .params = &p, .params_bytes = sizeof p, .flops = n->op->flops(n) };
    weft_line_dispatch(weft_emit_way(e), p.lines, &d);
    d.spec[d.spec_count++] = (uint32_t) l.rank, d.spec[d.spec_count++] = n->op->index == LOG_SOFTMAX;
    return weft_emit_dispatch(e, &d);
}

weft_result weft_softmax_lines(weft_emit *e, int64_t lines, int64_t len, double scale, weft_bind y, weft_bind x)
{
    weft_way ways[WEFT_LINE_WAYS];
    const weft_line_set l = { lines, len, false };
    const struct softmax_params p = {
        .lines = (u32) lines, .len = (u32) len, .y_step = 1, .x_step = 1, .scale = (f32) scale, .dim = { (u32) lines },
        .y_stride = { (i32) len }, .x_stride = { (i32) len },
    };
    weft_dispatch d = { .params = &p, .params_bytes = sizeof p, .flops = 8.0 * (double) lines * (double) len, .bind = { y, x }, .bind_count = 2 };
    weft_line_ways(e, &l, kernels, ways);
    weft_line_dispatch(&ways[0], lines, &d);
    d.spec[d.spec_count++] = 1, d.spec[d.spec_count++] = false;
    return weft_emit_dispatch(e, &d);
}

static double softmax_flops(const weft_node *n) { return 8.0 * (double) weft_shape_count(n->out_shape[0]); }

static weft_result softmax_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const uint32_t mask = 1u << axis_of(n);
    if (!want[0]) return WEFT_OK;
    const weft_value y = n->out[0];
    weft_value d;
    if (n->op->index == LOG_SOFTMAX)
        d = weft_grad_binary(g, "sub", dy[0], weft_grad_mul(g, weft_grad_unary(g, "exp", y), weft_grad_reduce(g, "sum", dy[0], mask)));
    else
        d = weft_grad_mul(g, y, weft_grad_binary(g, "sub", dy[0], weft_grad_reduce(g, "sum", weft_grad_mul(g, dy[0], y), mask)));
    dx[0] = weft_grad_scale(g, d, ((const weft_softmax_attrs *) n->attrs)->scale);
    return WEFT_OK;
}

static const weft_attr softmax_table[] = {
    WEFT_ATTR(weft_softmax_attrs, axis, INT, .def = -1, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "the dimension; from the end if negative"),
    WEFT_ATTR(weft_softmax_attrs, scale, FLOAT, .def = 1, .doc = "multiplies x first"),
    { 0 }
};
static const weft_case softmax_cases[] = {
    { .in = { WEFT_SHAPE(3, 7) } },
    { .in = { WEFT_SHAPE(2, 5, 7, 3) }, .attrs = &(const weft_softmax_attrs) { 1, 10 }, .low = -3, .high = 3 },
    { .in = { WEFT_SHAPE(2, 5, 7, 3) }, .attrs = &(const weft_softmax_attrs) { -2, 1 } },
    { .in = { WEFT_SHAPE(1, 313, 4, 5) }, .attrs = &(const weft_softmax_attrs) { 1, 1 } },
    { .in = { WEFT_SHAPE(5, 65) }, .attrs = &(const weft_softmax_attrs) { -1, 1 }, .low = 80, .high = 120 },
    { .in = { WEFT_SHAPE(2, 3, 259) }, .attrs = &(const weft_softmax_attrs) { 2, 0.5f } },
    { .in = { WEFT_SHAPE(3, 1) } },
    { .in = { WEFT_SHAPE(2, 4099) }, .low = -5, .high = 5 },
    { .in = { WEFT_SHAPE(200, 5) } },
    { .in = { WEFT_SHAPE(1, 16411) }, .low = -2, .high = 2 },
    { 0 }
};
#define ROW(name_, doc_, index_)                                                                                                    \
    static const weft_op name_ = {                                                                                                  \
        .name = #name_, .doc = doc_, .out_names = "y", .in_names = "x", .flags = WEFT_OP_STRIDED, .index = index_,    \
        .attr_bytes = sizeof(weft_softmax_attrs), .attrs = softmax_table, .infer = softmax_infer, .items = softmax_items,                \
        .cpu = softmax_cpu, .ways = softmax_ways, .emit = softmax_emit, .flops = softmax_flops, .grad = softmax_grad, .cases = softmax_cases,                                   \
    }
ROW(softmax, "y = exp(scale x) / sum over the axis of exp(scale x).", SOFTMAX);
ROW(log_softmax, "y = scale x - log(sum over the axis of exp(scale x)).", LOG_SOFTMAX);

const weft_op *const weft_family_softmax[] = { &softmax, &log_softmax, NULL };
