// SPDX-License-Identifier: MIT
// Resizing of images. Every mode is a weighted sum along each axis; devices get the weights as tables (resample.c).
#include "ops/resize_axis.h"
#include <math.h>

static weft_resize_axis axis_of(const weft_node *n, int d)
{
    return weft_resize_axis_of(n->attrs, d, !weft_has(n, 1), n->in_shape[0].dim[2 + d], n->out_shape[0].dim[2 + d]);
}

weft_result weft_resize_side(const weft_node *n, int64_t side)
{
    return side <= 1 << 20 ? WEFT_OK : weft_node_fail(n, "a side of %lld pixels is more than 2^20", (long long) side);
}

static weft_result resize_infer(weft_node *n)
{
    const weft_resize_attrs *at = n->attrs;
    if (n->in_shape[0].rank != 4 || (weft_has(n, 1) && n->in_shape[1].rank != 4)) return weft_node_fail(n, "x and like must have 4 dimensions");
    n->out_shape[0] = n->in_shape[0];
    for (int d = 0; d < 2; d++) {
        int64_t *size = &n->out_shape[0].dim[2 + d];
        if (weft_has(n, 1)) *size = n->in_shape[1].dim[2 + d];
        else if (at->size[d]) *size = at->size[d];
        else if (at->scale[d] > 0) *size = (int64_t) floor((double) *size * at->scale[d]);
        else return weft_node_fail(n, "no size is given: set size or scale, or connect like");
        WEFT_TRY(weft_resize_side(n, n->in_shape[0].dim[2 + d]));
        WEFT_TRY(weft_resize_side(n, *size));
    }
    if (at->antialias && at->mode != BILINEAR && at->mode != BICUBIC) return weft_node_fail(n, "only bilinear and bicubic can antialias");
    return WEFT_OK;
}

static int64_t resize_items(const weft_node *n)
{
    const int64_t *y = n->out_shape[0].dim;
    return y[0] * y[1] * y[2];
}

static void resize_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_resize_axis v = axis_of(n, 0), h = axis_of(n, 1);
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *x = (const weft_real *) arg->in[0] + row / v.out * v.in * h.in;
        weft_real *y = (weft_real *) arg->out[0] + row * h.out;
        const weft_resize_taps tv = weft_resize_taps_of(&v, row % v.out);
        for (int64_t wo = 0; wo < h.out; wo++) {
            const weft_resize_taps th = weft_resize_taps_of(&h, wo);
            double sum = 0;
            for (int64_t i = 0; i < tv.count; i++) {
                double line = 0;
                for (int64_t k = 0; k < th.count; k++) line += weft_resize_weight(&h, &th, k) * x[weft_resize_pixel(&v, &tv, i) * h.in + weft_resize_pixel(&h, &th, k)];
                sum += weft_resize_weight(&v, &tv, i) * line;
            }
            y[wo] = (weft_real) sum;
        }
    }
}

static weft_result resize_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_resize_axis v = axis_of(n, 0), h = axis_of(n, 1);
    const weft_resample_axis tv = weft_resize_resample(g, &v, false), th = weft_resize_resample(g, &h, false);
    out[0] = weft_resample(g, n->in[0], &tv, &th);
    return weft_graph_status(g);
}

// The attributes, then the size of x: those of resize_grad.
static weft_result resize_back(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    struct { weft_resize_attrs at; int32_t of[2]; } back = { *(const weft_resize_attrs *) n->attrs, { (int32_t) n->in_shape[0].dim[2], (int32_t) n->in_shape[0].dim[3] } };
    for (int d = 0; d < 2; d++) {
        if (weft_has(n, 1) || back.at.size[d]) back.at.scale[d] = 0;
        back.at.size[d] = 0;
    }
    if (want[0]) dx[0] = weft_graph_call(g, "resize_grad", WEFT_V(dy[0]), &back);
    return WEFT_OK;
}

static double resize_flops(const weft_node *n)
{
    const weft_resize_attrs *at = n->attrs;
    const weft_resize_axis v = axis_of(n, 0), h = axis_of(n, 1);
    const double reach = at->mode == BICUBIC ? 4 : at->mode == BILINEAR ? 2 : 1;
    const double wide_v = at->antialias || at->mode == AREA ? fmax(1, v.ratio) : 1, wide_h = at->antialias || at->mode == AREA ? fmax(1, h.ratio) : 1;
    return 2.0 * (double) weft_shape_count(n->out_shape[0]) * (reach * wide_v + 1) * reach * wide_h;
}

#define AT(...) &(const weft_resize_attrs) { .cubic_coeff = -0.75f, __VA_ARGS__ }
const weft_op weft_op_resize = {
    .name = "resize",
    .doc = "y[n,c,ho,wo] = x[n,c] at the place where (ho, wo) lies in x: its nearest pixel, or a weighted sum of pixels around it. "
           "Coordinates, rounding, cubic_coeff and exclude_outside as in ONNX Resize (PyTorch's `nearest` is asymmetric with floor); "
           "area is the mean of the pixels that the output pixel covers (PyTorch). antialias widens the filter when shrinking (as Pillow). "
           "The size of y is that of `like`, else `size`, else that of x times `scale`, rounded down.",
    .out_names = "y", .in_names = "x like?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(weft_resize_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_RESIZE_ATTRS, { 0 }
    },
    .infer = resize_infer, .items = resize_items, .cpu = resize_cpu, .expand = resize_expand, .grad = resize_back, .flops = resize_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = AT(.coordinates = ASYMMETRIC, .rounding = FLOOR, .scale = { 2, 2 }) },
        { .in = { WEFT_SHAPE(1, 4, 8, 6) }, .attrs = AT(.coordinates = ALIGN_CORNERS, .rounding = ROUND_PREFER_CEIL, .size = { 4, 3 }) },
        { .in = { WEFT_SHAPE(1, 3, 5, 7), WEFT_SHAPE(1, 2, 9, 4) }, .attrs = AT(.coordinates = TF_HALF_PIXEL_FOR_NN, .rounding = CEIL) },
        { .in = { WEFT_SHAPE(1, 8, 5, 7) }, .attrs = AT(.mode = BILINEAR, .scale = { 2, 2 }) },
        { .in = { WEFT_SHAPE(1, 3, 9, 7) }, .attrs = AT(.mode = BILINEAR, .coordinates = ALIGN_CORNERS, .size = { 1, 13 }) },
        { .in = { WEFT_SHAPE(1, 3, 9, 7) }, .attrs = AT(.mode = BILINEAR, .coordinates = HALF_PIXEL_SYMMETRIC, .scale = { 1.3f, 0.7f }) },
        { .in = { WEFT_SHAPE(1, 3, 16, 18) }, .attrs = AT(.mode = BILINEAR, .size = { 5, 7 }, .antialias = 1) },
        { .in = { WEFT_SHAPE(2, 4, 5, 7) }, .attrs = AT(.mode = BICUBIC, .size = { 11, 9 }) },
        { .in = { WEFT_SHAPE(1, 3, 5, 7) }, .attrs = AT(.mode = BICUBIC, .size = { 3, 15 }, .exclude_outside = 1) },
        { .in = { WEFT_SHAPE(1, 3, 17, 23) }, .attrs = AT(.mode = BICUBIC, .size = { 6, 5 }, .antialias = 1) },
        { .in = { WEFT_SHAPE(1, 3, 16, 13) }, .attrs = AT(.mode = AREA, .size = { 7, 4 }) },
        { 0 }
    },
};
