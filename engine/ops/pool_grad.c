// SPDX-License-Identifier: MIT
// What flows back through pooling. Averages are weighted sums along each axis, so their gradient is one too (resample.c). A
// maximum sends all to its first largest pixel: one pass finds it for every window, another gathers for every pixel.
#include "ops/loop.h"
#include "ops/pool.h"
#include "ops/resample.h"
#include "params/pool.h"
#include <math.h>

typedef struct pool_grad_attrs { weft_pool_attrs at; int32_t of[2]; } pool_grad_attrs; // also in pool.c; without `of` where x is given
enum { DY, X };

static bool adaptive(const weft_node *n) { return n->op->index >= WEFT_POOL_ADAPTIVE_MAX; }
static bool averages(const weft_node *n) { return n->op->index & 1; }

static weft_result grad_infer(weft_node *n)
{
    const pool_grad_attrs *at = n->attrs;
    if (n->in_shape[DY].rank != 4 || (!averages(n) && n->in_shape[X].rank != 4))
        return weft_node_fail(n, "%s must have 4 dimensions", averages(n) ? "dy" : "dy and x");
    n->out_shape[0] = averages(n) ? n->in_shape[DY] : n->in_shape[X];
    weft_shape y = n->out_shape[0];
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    for (int d = 0; d < 2; d++) {
        if (averages(n)) n->out_shape[0].dim[2 + d] = at->of[d];
        if (adaptive(n)) y.dim[2 + d] = at->at.size[d];
        else WEFT_TRY(weft_pool_windows(n, &at->at, d, n->out_shape[0].dim[2 + d], &y.dim[2 + d]));
    }
    if (!weft_shape_equal(y, n->in_shape[DY])) return weft_node_fail(n, "dy is %s, not %s", weft_shape_text(n->in_shape[DY], a), weft_shape_text(y, b));
    return WEFT_OK;
}

static weft_pool_span span_of(const weft_node *n, int d, int64_t out)
{
    return weft_pool_span_of(n->attrs, adaptive(n), d, n->out_shape[0].dim[2 + d], n->in_shape[DY].dim[2 + d], out);
}

static double grad_flops(const weft_node *n)
{
    const weft_pool_attrs *at = n->attrs;
    const double window = adaptive(n) ? 4 : (double) at->kernel[0] * at->kernel[1];
    return (double) weft_shape_count(n->in_shape[DY]) * window + (double) weft_shape_count(n->out_shape[0]);
}

// --- Averages. -----------------------------------------------------------------------------------------------

static int64_t avg_items(const weft_node *n)
{
    const int64_t *x = n->out_shape[0].dim;
    return x[0] * x[1] * x[2];
}

enum { COLUMNS = 256 };
static void avg_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int64_t *xs = n->out_shape[0].dim, *ys = n->in_shape[DY].dim;
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *plane = (const weft_real *) arg->in[DY] + row / xs[2] * ys[2] * ys[3];
        weft_real *dx = (weft_real *) arg->out[0] + row * xs[3];
        for (int64_t first = 0; first < xs[3]; first += COLUMNS) {
            const int64_t count = xs[3] - first < COLUMNS ? xs[3] - first : COLUMNS;
            double sum[COLUMNS] = { 0 };
            for (int64_t ho = 0; ho < ys[2]; ho++) {
                const weft_pool_span v = span_of(n, 0, ho);
                if (row % xs[2] < v.begin || row % xs[2] >= v.end) continue;
                for (int64_t wo = 0; wo < ys[3]; wo++) {
                    const weft_pool_span h = span_of(n, 1, wo);
                    const double part = plane[ho * ys[3] + wo] / (double) (v.counted * h.counted);
                    for (int64_t wi = h.begin > first ? h.begin : first; wi < h.end && wi < first + count; wi++) sum[wi - first] += part;
                }
            }
            for (int64_t i = 0; i < count; i++) dx[first + i] = (weft_real) sum[i];
        }
    }
}

static weft_resample_axis axis_of(const weft_node *n, weft_graph *g, int d)
{
    const int64_t in = n->out_shape[0].dim[2 + d], outs = n->in_shape[DY].dim[2 + d];
    int64_t count = 0, at = 0;
    for (int64_t i = 0; i < outs; i++) {
        const weft_pool_span s = span_of(n, d, i);
        count += s.end > s.begin ? s.end - s.begin : 0;
    }
    weft_resample_tap *list = weft_arena_new(g->arena, sizeof *list * (size_t) (count + 1));
    for (int64_t i = 0; list && i < outs; i++) {
        const weft_pool_span s = span_of(n, d, i);
        for (int64_t k = s.begin; k < s.end; k++) list[at++] = (weft_resample_tap) { k, i, 1 / (double) s.counted };
    }
    return weft_resample_axis_new(g, list, list ? count : 0, outs, in);
}

static weft_result avg_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_resample_axis v = axis_of(n, g, 0), h = axis_of(n, g, 1);
    out[0] = weft_resample(g, n->in[DY], &v, &h);
    return weft_graph_status(g);
}

// --- Maxima. -------------------------------------------------------------------------------------------------

static int64_t max_items(const weft_node *n) { return n->out_shape[0].dim[0] * n->out_shape[0].dim[1]; }

// The first largest pixel of a window, -1: it has none.
static int64_t largest(const weft_pool_span *v, const weft_pool_span *h, int64_t width, const weft_real *x)
{
    int64_t best = -1;
    for (int64_t hi = v->begin; hi < v->end; hi += v->step)
        for (int64_t wi = h->begin; wi < h->end; wi += h->step)
            if (best < 0 || x[hi * width + wi] > x[best]) best = hi * width + wi;
    return best;
}

static void max_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int64_t *xs = n->out_shape[0].dim, *ys = n->in_shape[DY].dim;
    for (int64_t plane = arg->begin; plane < arg->end; plane++) {
        const weft_real *x = (const weft_real *) arg->in[X] + plane * xs[2] * xs[3], *dy = (const weft_real *) arg->in[DY] + plane * ys[2] * ys[3];
        weft_real *dx = (weft_real *) arg->out[0] + plane * xs[2] * xs[3];
        for (int64_t i = 0; i < xs[2] * xs[3]; i++) dx[i] = 0;
        for (int64_t ho = 0; ho < ys[2]; ho++)
            for (int64_t wo = 0; wo < ys[3]; wo++) {
                const weft_pool_span v = span_of(n, 0, ho), h = span_of(n, 1, wo);
                const int64_t best = largest(&v, &h, xs[3], x);
                if (best >= 0) dx[best] += dy[ho * ys[3] + wo];
            }
    }
}

static weft_result max_emit(const weft_node *n, weft_emit *e)
{
    const weft_pool_attrs *at = n->attrs;
    const int64_t *x = n->out_shape[0].dim, *y = n->in_shape[DY].dim;
    WEFT_TRY(weft_loop_check(n));
    for (int d = 2; d < 4; d++)
        if ((x[d] + 1) * y[d] > UINT32_MAX) return weft_node_fail(n, "axis %d is too long for so many windows", d), WEFT_ERR_UNSUPPORTED;
    struct pool_params p = {
        .count = (u32) weft_shape_count(n->in_shape[DY]), .c = (u32) x[1], .hi = (i32) x[2], .wi = (i32) x[3], .ho = (i32) y[2], .wo = (i32) y[3],
    };
    for (int d = 0; d < 2 && !adaptive(n); d++) {
        p.kernel[d] = at->kernel[d], p.stride[d] = (i32) weft_pool_stride(at, d), p.dilation[d] = at->dilation[d];
        p.pads[d] = at->pads[d], p.pads[2 + d] = at->pads[2 + d];
    }
    const int best = weft_emit_scratch(e, p.count, WEFT_I32);
    if (best < 0) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "pool_best", .spec = { adaptive(n) }, .spec_count = 1, .params = &p, .params_bytes = sizeof p, .grid = { p.count },
        .bind = { WEFT_BIND_SCRATCH(best, 1), WEFT_BIND_IN(X) }, .bind_count = 2, .flops = grad_flops(n),
    }));
    p.count = (u32) weft_shape_count(n->out_shape[0]);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "pool_spread", .spec = { adaptive(n) }, .spec_count = 1, .params = &p, .params_bytes = sizeof p, .grid = { p.count },
        .bind = { WEFT_BIND_OUT(0), WEFT_BIND_IN(DY), WEFT_BIND_SCRATCH(best, 0) }, .bind_count = 3, .flops = grad_flops(n),
    });
}

// --- The rows. -----------------------------------------------------------------------------------------------

#define OF WEFT_ATTR(pool_grad_attrs, of, INT, .count = 2, .def = 1, .min = 1, .max = 65536, .doc = "height and width of x")
#define AVG_ROW \
    .out_names = "dx", .in_names = "dy", .flags = WEFT_OP_IMAGE, .attr_bytes = sizeof(pool_grad_attrs), .infer = grad_infer, \
    .items = avg_items, .cpu = avg_cpu, .expand = avg_expand, .flops = grad_flops
#define MAX_ROW \
    .out_names = "dx", .in_names = "dy x", .flags = WEFT_OP_IMAGE, .attr_bytes = sizeof(weft_pool_attrs), .infer = grad_infer, \
    .items = max_items, .cpu = max_cpu, .emit = max_emit, .flops = grad_flops
#define AT(...) &(const weft_pool_attrs) { .dilation = { 1, 1 }, __VA_ARGS__ }
#define AT_OF(h, w, ...) &(const pool_grad_attrs) { { .dilation = { 1, 1 }, __VA_ARGS__ }, { h, w } }

static const weft_op avg_pool2d_grad = {
    .name = "avg_pool2d_grad", .doc = "dx of avg_pool2d, whose attributes it has: every dy spread evenly over its window. x has the size `of`.",
    .index = WEFT_POOL_AVG, AVG_ROW,
    .attrs = (const weft_attr[]) {
        WEFT_POOL_WINDOW, WEFT_ATTR(weft_pool_attrs, dilation, INT, .count = 2, .def = 1, .min = 1, .max = 1, .doc = "always 1"),
        WEFT_ATTR(weft_pool_attrs, count_include_pad, INT, .def = 1, .min = 0, .max = 1, .doc = "1: padding is averaged in"), OF, { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 4, 4, 4) }, .attrs = AT_OF(8, 8, .kernel = { 2, 2 }) },
        { .in = { WEFT_SHAPE(2, 5, 4, 6) }, .attrs = AT_OF(7, 11, .kernel = { 3, 3 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }) },
        { .in = { WEFT_SHAPE(2, 5, 4, 6) }, .attrs = AT_OF(7, 11, .kernel = { 3, 3 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .count_include_pad = 1) },
        { .in = { WEFT_SHAPE(1, 2, 18, 2) }, .attrs = AT_OF(33, 17, .kernel = { 16, 16 }, .stride = { 1, 1 }) },
        { 0 }
    },
};

static const weft_op adaptive_avg_pool2d_grad = {
    .name = "adaptive_avg_pool2d_grad", .doc = "dx of adaptive_avg_pool2d: every dy spread evenly over its window. x has the size `of`.",
    .index = WEFT_POOL_ADAPTIVE_AVG, AVG_ROW, .attrs = (const weft_attr[]) { WEFT_POOL_SIZE, OF, { 0 } },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 4, 7, 7) }, .attrs = AT_OF(16, 16, .size = { 7, 7 }) },
        { .in = { WEFT_SHAPE(1, 2, 6, 5) }, .attrs = AT_OF(4, 3, .size = { 6, 5 }) },
        { .in = { WEFT_SHAPE(2, 65, 1, 1) }, .attrs = AT_OF(9, 7, .size = { 1, 1 }) },
        { 0 }
    },
};

static const weft_op max_pool2d_grad = {
    .name = "max_pool2d_grad", .doc = "dx of max_pool2d, whose attributes it has: every dy goes to the first largest x of its window, in row order.",
    .index = WEFT_POOL_MAX, MAX_ROW,
    .attrs = (const weft_attr[]) {
        WEFT_POOL_WINDOW, WEFT_ATTR(weft_pool_attrs, dilation, INT, .count = 2, .def = 1, .min = 1, .max = 4096, .doc = "step inside the window"), { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 4, 4, 4), WEFT_SHAPE(1, 4, 8, 8) }, .attrs = AT(.kernel = { 2, 2 }) },
        { .in = { WEFT_SHAPE(2, 5, 4, 6), WEFT_SHAPE(2, 5, 7, 11) }, .attrs = AT(.kernel = { 3, 3 }, .stride = { 2, 2 }, .pads = { 1, 1, 1, 1 }), .masks = 2 },
        { .in = { WEFT_SHAPE(1, 8, 5, 4), WEFT_SHAPE(1, 8, 9, 10) },
          .attrs = AT(.kernel = { 3, 2 }, .stride = { 2, 3 }, .pads = { 0, 1, 1, 0 }, .ceil_mode = 1) },
        { .in = { WEFT_SHAPE(1, 3, 7, 5), WEFT_SHAPE(1, 3, 9, 10) }, .attrs = &(const weft_pool_attrs) { { 2, 3 }, { 1, 2 }, { 3, 2 }, { 1, 2, 0, 1 }, 0, 0, { 0 } } },
        { .in = { WEFT_SHAPE(1, 3, 3, 3), WEFT_SHAPE(1, 3, 5, 5) }, .attrs = AT(.kernel = { 1, 1 }, .stride = { 2, 2 }) }, // pixels in no window
        { 0 }
    },
};

static const weft_op adaptive_max_pool2d_grad = {
    .name = "adaptive_max_pool2d_grad", .doc = "dx of adaptive_max_pool2d: every dy goes to the first largest x of its window, in row order.",
    .index = WEFT_POOL_ADAPTIVE_MAX, MAX_ROW, .attrs = (const weft_attr[]) { WEFT_POOL_SIZE, { 0 } },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 3, 5), WEFT_SHAPE(2, 3, 11, 13) }, .attrs = AT(.size = { 3, 5 }) },
        { .in = { WEFT_SHAPE(1, 4, 6, 5), WEFT_SHAPE(1, 4, 4, 3) }, .attrs = AT(.size = { 6, 5 }) },
        { .in = { WEFT_SHAPE(1, 5, 1, 1), WEFT_SHAPE(1, 5, 9, 9) }, .attrs = AT(.size = { 1, 1 }), .masks = 2 },
        { 0 }
    },
};

const weft_op *const weft_family_pool_grad[] = { &max_pool2d_grad, &avg_pool2d_grad, &adaptive_max_pool2d_grad, &adaptive_avg_pool2d_grad, NULL };
