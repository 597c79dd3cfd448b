// SPDX-License-Identifier: MIT
// Pooling of images over windows of given size, or over as many windows as the output has pixels.
#include "ops/grad.h"
#include "ops/loop.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "params/pool.h"
#include <math.h>

static bool adaptive(const weft_node *n) { return n->op->index >= WEFT_POOL_ADAPTIVE_MAX; }
static bool averages(const weft_node *n) { return n->op->index & 1; }

static weft_result pool_infer(weft_node *n)
{
    const weft_pool_attrs *at = n->attrs;
    if (n->in_shape[0].rank != 4) return weft_node_fail(n, "x must have 4 dimensions");
    n->out_shape[0] = n->in_shape[0];
    for (int d = 0; d < 2; d++) {
        if (adaptive(n)) n->out_shape[0].dim[2 + d] = at->size[d];
        else WEFT_TRY(weft_pool_windows(n, at, d, n->in_shape[0].dim[2 + d], &n->out_shape[0].dim[2 + d]));
    }
    return WEFT_OK;
}

static int64_t pool_items(const weft_node *n)
{
    const int64_t *y = n->out_shape[0].dim;
    return y[0] * y[1] * y[2];
}

static weft_pool_span span_of(const weft_node *n, int d, int64_t out)
{
    return weft_pool_span_of(n->attrs, adaptive(n), d, n->in_shape[0].dim[2 + d], n->out_shape[0].dim[2 + d], out);
}

static void pool_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int64_t *xs = n->in_shape[0].dim, *ys = n->out_shape[0].dim;
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *x = (const weft_real *) arg->in[0] + row / ys[2] * xs[2] * xs[3];
        weft_real *y = (weft_real *) arg->out[0] + row * ys[3];
        const weft_pool_span v = span_of(n, 0, row % ys[2]);
        for (int64_t wo = 0; wo < ys[3]; wo++) {
            const weft_pool_span h = span_of(n, 1, wo);
            double sum = 0, most = -INFINITY;
            for (int64_t hi = v.begin; hi < v.end; hi += v.step)
                for (int64_t wi = h.begin; wi < h.end; wi += h.step) {
                    sum += x[hi * xs[3] + wi];
                    most = fmax(most, x[hi * xs[3] + wi]);
                }
            const bool empty = v.begin >= v.end || h.begin >= h.end;
            y[wo] = (weft_real) (empty ? 0 : averages(n) ? sum / (double) (v.counted * h.counted) : most);
        }
    }
}

static bool takes_all(const weft_node *n) // one window, of all pixels and nothing else
{
    const weft_pool_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *y = n->out_shape[0].dim;
    if (adaptive(n)) return y[2] == 1 && y[3] == 1;
    for (int d = 0; d < 2; d++)
        if (at->kernel[d] != x[2 + d] || at->dilation[d] != 1 || at->pads[d] || at->pads[2 + d]) return false;
    return true;
}

static weft_result pool_emit(const weft_node *n, weft_emit *e)
{
    const weft_pool_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *y = n->out_shape[0].dim;
    const bool wide = x[1] % 4 == 0;
    if (takes_all(n) && x[2] * x[3] >= 64) // one long window: a reduction shares it between invocations
        return weft_reduce_emit(n, e, averages(n) ? WEFT_MEAN : WEFT_MAX, 1 << 2 | 1 << 3, true);
    WEFT_TRY(weft_loop_check(n));
    struct pool_params p = {
        .count = (u32) (weft_shape_count(n->out_shape[0]) / (wide ? 4 : 1)), .c = (u32) (x[1] / (wide ? 4 : 1)),
        .hi = (i32) x[2], .wi = (i32) x[3], .ho = (i32) y[2], .wo = (i32) y[3],
    };
    for (int d = 0; d < 2 && !adaptive(n); d++) {
        p.kernel[d] = at->kernel[d], p.stride[d] = (i32) weft_pool_stride(at, d), p.dilation[d] = at->dilation[d];
        p.pads[d] = at->pads[d], p.pads[2 + d] = at->pads[2 + d];
    }
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "pool", .spec = { averages(n), adaptive(n), (uint32_t) at->count_include_pad, wide }, .spec_count = 4,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .flops = n->op->flops(n),
    });
}

static double pool_flops(const weft_node *n)
{
    const weft_pool_attrs *at = n->attrs;
    const double window = adaptive(n) ? (double) weft_shape_count(n->in_shape[0]) / (double) weft_shape_count(n->out_shape[0])
                                      : (double) at->kernel[0] * at->kernel[1];
    return (double) weft_shape_count(n->out_shape[0]) * (window < 1 ? 1 : window);
}

// The attributes, then the size of x: those of the rows of pool_grad.c. A maximum's gradient needs x itself.
static weft_result pool_back(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    static const char *const rows[] = { "max_pool2d_grad", "avg_pool2d_grad", "adaptive_max_pool2d_grad", "adaptive_avg_pool2d_grad" };
    const int64_t *x = n->in_shape[0].dim;
    const struct { weft_pool_attrs at; int32_t of[2]; } back = { *(const weft_pool_attrs *) n->attrs, { (int32_t) x[2], (int32_t) x[3] } };
    const char *name = rows[n->op->index];
    if (want[0]) dx[0] = averages(n) ? weft_graph_call(g, name, WEFT_V(dy[0]), &back) : weft_graph_call(g, name, WEFT_V(dy[0], n->in[0]), &back.at);
    return WEFT_OK;
}

#define FUNCTIONS .infer = pool_infer, .items = pool_items, .cpu = pool_cpu, .emit = pool_emit, .flops = pool_flops, .grad = pool_back
#define AT(...) &(const weft_pool_attrs) { .dilation = { 1, 1 }, __VA_ARGS__ }

static const weft_op max_pool2d = {
    .name = "max_pool2d", .doc = "y[n,c,ho,wo] = the largest x[n,c] in the window at (ho, wo); padding never wins.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_IMAGE, .attr_bytes = sizeof(weft_pool_attrs), .index = WEFT_POOL_MAX, FUNCTIONS,
    .attrs = (const weft_attr[]) {
        WEFT_POOL_WINDOW, WEFT_ATTR(weft_pool_attrs, dilation, INT, .count = 2, .def = 1, .min = 1, .max = 4096, .doc = "step inside the window"), { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 4, 8, 8) }, .attrs = AT(.kernel = { 2, 2 }) },
        { .in = { WEFT_SHAPE(2, 5, 7, 11) }, .attrs = AT(.kernel = { 3, 3 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }) },
        { .in = { WEFT_SHAPE(1, 8, 9, 10) }, .attrs = AT(.kernel = { 3, 2 }, .stride = { 2, 3 }, .pads = { 0, 1, 1, 0 }, .ceil_mode = 1) },
        { .in = { WEFT_SHAPE(1, 3, 9, 10) }, .attrs = &(const weft_pool_attrs) { { 2, 3 }, { 1, 2 }, { 3, 2 }, { 1, 2, 0, 1 }, 0, 0, { 0 } } },
        { .in = { WEFT_SHAPE(1, 3, 5, 5) }, .attrs = AT(.kernel = { 1, 1 }, .stride = { 2, 2 }) },
        { .in = { WEFT_SHAPE(2, 5, 9, 11) }, .attrs = AT(.kernel = { 9, 11 }) },
        { 0 }
    },
};

static const weft_op avg_pool2d = {
    .name = "avg_pool2d",
    .doc = "y[n,c,ho,wo] = the mean of x[n,c] in the window at (ho, wo). Padding counts as zeros if count_include_pad, else not at all.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_IMAGE, .attr_bytes = sizeof(weft_pool_attrs), .index = WEFT_POOL_AVG, FUNCTIONS,
    .attrs = (const weft_attr[]) {
        WEFT_POOL_WINDOW, WEFT_ATTR(weft_pool_attrs, dilation, INT, .count = 2, .def = 1, .min = 1, .max = 1, .doc = "always 1"),
        WEFT_ATTR(weft_pool_attrs, count_include_pad, INT, .def = 1, .min = 0, .max = 1, .doc = "1: padding is averaged in"), { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 4, 8, 8) }, .attrs = AT(.kernel = { 2, 2 }) },
        { .in = { WEFT_SHAPE(2, 5, 7, 11) }, .attrs = AT(.kernel = { 3, 3 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }) },
        { .in = { WEFT_SHAPE(2, 5, 7, 11) }, .attrs = AT(.kernel = { 3, 3 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .count_include_pad = 1) },
        { .in = { WEFT_SHAPE(1, 8, 9, 10) },
          .attrs = AT(.kernel = { 3, 2 }, .stride = { 2, 3 }, .pads = { 0, 1, 1, 0 }, .ceil_mode = 1, .count_include_pad = 1) },
        { .in = { WEFT_SHAPE(1, 2, 33, 17) }, .attrs = AT(.kernel = { 16, 16 }, .stride = { 1, 1 }) },
        { .in = { WEFT_SHAPE(2, 5, 9, 11) }, .attrs = AT(.kernel = { 9, 11 }) },
        { .in = { WEFT_SHAPE(1, 4, 255, 258) }, .attrs = AT(.kernel = { 255, 258 }) }, // more pixels than a loop has turns: ops/turns.h
        { 0 }
    },
};

static const weft_op adaptive_max_pool2d = {
    .name = "adaptive_max_pool2d",
    .doc = "y[n,c,ho,wo] = the largest x[n,c] in rows floor(ho hi / ho_count) to ceil((ho + 1) hi / ho_count), columns alike.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_IMAGE, .attr_bytes = sizeof(weft_pool_attrs), .index = WEFT_POOL_ADAPTIVE_MAX, FUNCTIONS,
    .attrs = (const weft_attr[]) { WEFT_POOL_SIZE, { 0 } },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 11, 13) }, .attrs = AT(.size = { 3, 5 }) },
        { .in = { WEFT_SHAPE(1, 8, 16, 16) }, .attrs = AT(.size = { 7, 7 }) },
        { .in = { WEFT_SHAPE(1, 5, 9, 9) }, .attrs = AT(.size = { 1, 1 }) },
        { 0 }
    },
};

static const weft_op adaptive_avg_pool2d = {
    .name = "adaptive_avg_pool2d",
    .doc = "y[n,c,ho,wo] = the mean of x[n,c] over rows floor(ho hi / ho_count) to ceil((ho + 1) hi / ho_count), columns alike.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_IMAGE, .attr_bytes = sizeof(weft_pool_attrs), .index = WEFT_POOL_ADAPTIVE_AVG, FUNCTIONS,
    .attrs = (const weft_attr[]) { WEFT_POOL_SIZE, { 0 } },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 4, 16, 16) }, .attrs = AT(.size = { 7, 7 }) },
        { .in = { WEFT_SHAPE(2, 3, 47, 5) }, .attrs = AT(.size = { 28, 3 }) },
        { .in = { WEFT_SHAPE(1, 2, 4, 3) }, .attrs = AT(.size = { 6, 5 }) }, // more windows than pixels
        { .in = { WEFT_SHAPE(2, 65, 9, 7) }, .attrs = AT(.size = { 1, 1 }) },
        { .in = { WEFT_SHAPE(1, 4, 33, 65) }, .attrs = AT(.size = { 1, 1 }) },
        { 0 }
    },
};

const weft_op *const weft_family_pool[] = { &max_pool2d, &avg_pool2d, &adaptive_max_pool2d, &adaptive_avg_pool2d, NULL };
