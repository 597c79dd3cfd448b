// SPDX-License-Identifier: MIT
// What flows back through `resize`: the same weights, transposed.
#include "ops/resize_axis.h"

typedef struct resize_grad_attrs { weft_resize_attrs at; int32_t of[2]; } resize_grad_attrs; // also in resize.c

static weft_resize_axis axis_of(const weft_node *n, int d)
{
    const resize_grad_attrs *at = n->attrs;
    return weft_resize_axis_of(&at->at, d, true, at->of[d], n->in_shape[0].dim[2 + d]);
}

static weft_result resize_grad_infer(weft_node *n)
{
    const resize_grad_attrs *at = n->attrs;
    if (n->in_shape[0].rank != 4) return weft_node_fail(n, "dy must have 4 dimensions");
    n->out_shape[0] = n->in_shape[0];
    for (int d = 0; d < 2; d++) {
        const int64_t size = n->in_shape[0].dim[2 + d];
        if (at->at.scale[d] > 0 && (int64_t) ((double) at->of[d] * at->at.scale[d]) != size)
            return weft_node_fail(n, "dy has %lld pixels along axis %d, which is not `of`, %d, times the scale", (long long) size, 2 + d, at->of[d]);
        n->out_shape[0].dim[2 + d] = at->of[d];
        WEFT_TRY(weft_resize_side(n, size));
        WEFT_TRY(weft_resize_side(n, at->of[d]));
    }
    if (at->at.size[0] || at->at.size[1]) return weft_node_fail(n, "the size is that of dy; give none");
    if (at->at.antialias && at->at.mode != BILINEAR && at->at.mode != BICUBIC) return weft_node_fail(n, "only bilinear and bicubic can antialias");
    return WEFT_OK;
}

static int64_t resize_grad_items(const weft_node *n)
{
    const int64_t *x = n->out_shape[0].dim;
    return x[0] * x[1] * x[2];
}

// Weight of input pixel `pixel` in output pixel i.
static double weight_of(const weft_resize_axis *a, int64_t i, int64_t pixel)
{
    const weft_resize_taps t = weft_resize_taps_of(a, i);
    double sum = 0;
    for (int64_t k = 0; k < t.count; k++)
        if (weft_resize_pixel(a, &t, k) == pixel) sum += weft_resize_weight(a, &t, k);
    return sum;
}

enum { COLUMNS = 256 };
static void resize_grad_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_resize_axis v = axis_of(n, 0), h = axis_of(n, 1);
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *plane = (const weft_real *) arg->in[0] + row / v.in * v.out * h.out;
        weft_real *dx = (weft_real *) arg->out[0] + row * h.in;
        for (int64_t first = 0; first < h.in; first += COLUMNS) {
            const int64_t count = h.in - first < COLUMNS ? h.in - first : COLUMNS;
            double sum[COLUMNS] = { 0 };
            for (int64_t ho = 0; ho < v.out; ho++) {
                const double by = weight_of(&v, ho, row % v.in);
                for (int64_t wo = 0; by != 0 && wo < h.out; wo++) {
                    const weft_resize_taps t = weft_resize_taps_of(&h, wo);
                    for (int64_t k = 0; k < t.count; k++) {
                        const int64_t at = weft_resize_pixel(&h, &t, k) - first;
                        if (at >= 0 && at < count) sum[at] += by * weft_resize_weight(&h, &t, k) * plane[ho * h.out + wo];
                    }
                }
            }
            for (int64_t i = 0; i < count; i++) dx[first + i] = (weft_real) sum[i];
        }
    }
}

static weft_result resize_grad_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_resize_axis v = axis_of(n, 0), h = axis_of(n, 1);
    const weft_resample_axis tv = weft_resize_resample(g, &v, true), th = weft_resize_resample(g, &h, true);
    out[0] = weft_resample(g, n->in[0], &tv, &th);
    return weft_graph_status(g);
}

static double resize_grad_flops(const weft_node *n)
{
    const double reach = ((const resize_grad_attrs *) n->attrs)->at.mode == BICUBIC ? 4 : 2;
    return 2.0 * reach * reach * (double) (weft_shape_count(n->in_shape[0]) + weft_shape_count(n->out_shape[0]));
}

#define AT(h, w, ...) &(const resize_grad_attrs) { { .cubic_coeff = -0.75f, __VA_ARGS__ }, { h, w } }
const weft_op weft_op_resize_grad = {
    .name = "resize_grad",
    .doc = "dx of `resize`, whose attributes it has: dx[n,c,hi,wi] = the sum over (ho, wo) of dy[n,c,ho,wo] times the weight of (hi, wi) in it. "
           "x has the size `of`; the scale is used where it gave y its size.",
    .out_names = "dx", .in_names = "dy", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(resize_grad_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_RESIZE_ATTRS,
        WEFT_ATTR(resize_grad_attrs, of, INT, .count = 2, .def = 1, .min = 1, .max = 65536, .doc = "height and width of x"), { 0 }
    },
    .infer = resize_grad_infer, .items = resize_grad_items, .cpu = resize_grad_cpu, .expand = resize_grad_expand, .flops = resize_grad_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 10, 14) }, .attrs = AT(5, 7, .coordinates = ASYMMETRIC, .rounding = FLOOR, .scale = { 2, 2 }) },
        { .in = { WEFT_SHAPE(1, 4, 4, 3) }, .attrs = AT(8, 6, .coordinates = ALIGN_CORNERS, .rounding = ROUND_PREFER_CEIL) },
        { .in = { WEFT_SHAPE(1, 8, 10, 14) }, .attrs = AT(5, 7, .mode = BILINEAR, .scale = { 2, 2 }) },
        { .in = { WEFT_SHAPE(1, 3, 1, 13) }, .attrs = AT(9, 7, .mode = BILINEAR, .coordinates = ALIGN_CORNERS) },
        { .in = { WEFT_SHAPE(1, 3, 5, 7) }, .attrs = AT(16, 18, .mode = BILINEAR, .antialias = 1) },
        { .in = { WEFT_SHAPE(2, 4, 11, 9) }, .attrs = AT(5, 7, .mode = BICUBIC) },
        { .in = { WEFT_SHAPE(1, 3, 3, 15) }, .attrs = AT(5, 7, .mode = BICUBIC, .exclude_outside = 1) },
        { .in = { WEFT_SHAPE(1, 3, 40, 33) }, .attrs = AT(3, 2, .mode = AREA) }, // many output pixels per input pixel
        { 0 }
    },
};
