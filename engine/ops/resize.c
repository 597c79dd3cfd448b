// SPDX-License-Identifier: MIT
// Resizing of images. Every mode is a weighted sum along each axis; devices get the weights as tables (resample.c).
#include "graph/graph.h"
#include "ops/resample.h"
#include <math.h>

typedef struct resize_attrs {
    int32_t mode, coordinates, rounding, size[2];
    float scale[2], cubic_coeff;
    int32_t exclude_outside, antialias;
} resize_attrs;
enum { NEAREST, BILINEAR, BICUBIC, AREA };
enum { HALF_PIXEL, PYTORCH_HALF_PIXEL, ALIGN_CORNERS, ASYMMETRIC, HALF_PIXEL_SYMMETRIC, TF_HALF_PIXEL_FOR_NN };
enum { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, FLOOR, CEIL };

// --- One axis. -----------------------------------------------------------------------------------------------

typedef struct axis {
    const resize_attrs *at;
    int64_t in, out;
    double ratio; // input pixels per output pixel
} axis;

static axis axis_of(const weft_node *n, int d)
{
    const resize_attrs *at = n->attrs;
    axis a = { at, n->in_shape[0].dim[2 + d], n->out_shape[0].dim[2 + d], 0 };
    const bool scaled = at->scale[d] > 0 && !weft_has(n, 1) && !at->size[d];
    a.ratio = scaled ? 1.0 / at->scale[d] : (double) a.in / (double) a.out;
    return a;
}

// Where output pixel i lies in the input; the centre of pixel k is k.
static double position(const axis *a, int64_t i)
{
    const double stretch = a->out > 1 ? (double) (a->in - 1) / (double) (a->out - 1) : 0;
    switch (a->at->coordinates) {
    case PYTORCH_HALF_PIXEL: return a->out > 1 ? ((double) i + 0.5) * a->ratio - 0.5 : 0;
    case ALIGN_CORNERS: return (double) i * stretch;
    case ASYMMETRIC: return (double) i * a->ratio;
    case HALF_PIXEL_SYMMETRIC: {
        const double whole = (double) a->out * a->ratio / (double) a->in; // how much of the exact output size there is
        return (double) a->in / 2 * (1 - whole) + ((double) i + 0.5) * a->ratio - 0.5;
    }
    case TF_HALF_PIXEL_FOR_NN: return ((double) i + 0.5) * a->ratio;
    default: return ((double) i + 0.5) * a->ratio - 0.5;
    }
}

// In f32 throughout, as the frameworks do it: which pixel is nearest may hang on the last bit.
static float position_f32(const axis *a, int64_t i)
{
    const float ratio = (float) a->ratio, at = (float) i;
    switch (a->at->coordinates) {
    case PYTORCH_HALF_PIXEL: return a->out > 1 ? (at + 0.5f) * ratio - 0.5f : 0;
    case ALIGN_CORNERS: return a->out > 1 ? at * ((float) (a->in - 1) / (float) (a->out - 1)) : 0;
    case ASYMMETRIC: return at * ratio;
    case TF_HALF_PIXEL_FOR_NN: return (at + 0.5f) * ratio;
    case HALF_PIXEL_SYMMETRIC: return (float) position(a, i);
    default: return (at + 0.5f) * ratio - 0.5f;
    }
}

static int64_t nearest(const axis *a, int64_t i)
{
    const float x = position_f32(a, i);
    float k;
    if (a->at->rounding == FLOOR) k = floorf(x);
    else if (a->at->rounding == CEIL) k = ceilf(x);
    else if (a->at->rounding == ROUND_PREFER_CEIL) k = floorf(x + 0.5f);
    else k = ceilf(x - 0.5f);
    return (int64_t) fminf(fmaxf(k, 0), (float) (a->in - 1));
}

static double triangle(double x) { return fmax(0, 1 - fabs(x)); }

static double cubic(double x, double c) // Keys 1981
{
    x = fabs(x);
    if (x <= 1) return ((c + 2) * x - (c + 3)) * x * x + 1;
    return x < 2 ? c * (((x - 5) * x + 8) * x - 4) : 0;
}

// The input pixels that output pixel i is made of: from `first`, `count` of them; some may lie outside.
typedef struct taps { int64_t first, count; double centre, width, sum; bool clip; } taps;

static double raw_weight(const axis *a, const taps *t, int64_t k)
{
    const int64_t pixel = t->first + k;
    if (a->at->mode <= NEAREST || a->at->mode == AREA) return 1;
    if (t->clip && (pixel < 0 || pixel >= a->in)) return 0;
    const double x = ((double) pixel - t->centre) / t->width;
    return a->at->mode == BILINEAR ? triangle(x) : cubic(x, a->at->cubic_coeff);
}

static taps taps_of(const axis *a, int64_t i)
{
    const resize_attrs *at = a->at;
    taps t = { .width = 1, .sum = 1, .count = 1 };
    if (at->mode == NEAREST) return t.first = nearest(a, i), t;
    if (at->mode == AREA) {
        t.first = i * a->in / a->out;
        t.count = ((i + 1) * a->in + a->out - 1) / a->out - t.first;
        t.sum = (double) t.count;
        return t;
    }
    const double reach = at->mode == BICUBIC ? 2 : 1;
    t.centre = position(a, i);
    t.clip = at->exclude_outside || at->antialias;
    t.first = (int64_t) floor(t.centre) - (int64_t) reach + 1;
    t.count = 2 * (int64_t) reach;
    if (at->antialias) { // the filter is as wide as the pixels it makes
        t.width = fmax(a->ratio, 1);
        t.first = (int64_t) floor(t.centre - reach * t.width) + 1;
        t.count = (int64_t) ceil(t.centre + reach * t.width) - t.first;
        if (t.first < 0) t.count += t.first, t.first = 0;
        if (t.first + t.count > a->in) t.count = a->in - t.first;
    }
    if (!t.clip) return t;
    t.sum = 0;
    for (int64_t k = 0; k < t.count; k++) t.sum += raw_weight(a, &t, k);
    return t;
}

static double weight(const axis *a, const taps *t, int64_t k) { return raw_weight(a, t, k) / t->sum; }
static int64_t pixel(const axis *a, const taps *t, int64_t k) // beyond the edge lies the edge
{
    const int64_t at = t->first + k;
    return at < 0 ? 0 : at >= a->in ? a->in - 1 : at;
}

// --- The row. ------------------------------------------------------------------------------------------------

static weft_result resize_infer(weft_node *n)
{
    const resize_attrs *at = n->attrs;
    if (n->in_shape[0].rank != 4 || (weft_has(n, 1) && n->in_shape[1].rank != 4)) return weft_node_fail(n, "x and like must have 4 dimensions");
    n->out_shape[0] = n->in_shape[0];
    for (int d = 0; d < 2; d++) {
        int64_t *size = &n->out_shape[0].dim[2 + d];
        if (weft_has(n, 1)) *size = n->in_shape[1].dim[2 + d];
        else if (at->size[d]) *size = at->size[d];
        else if (at->scale[d] > 0) *size = (int64_t) floor((double) *size * at->scale[d]);
        else return weft_node_fail(n, "no size is given: set size or scale, or connect like");
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
    const axis v = axis_of(n, 0), h = axis_of(n, 1);
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *x = (const weft_real *) arg->in[0] + row / v.out * v.in * h.in;
        weft_real *y = (weft_real *) arg->out[0] + row * h.out;
        const taps tv = taps_of(&v, row % v.out);
        for (int64_t wo = 0; wo < h.out; wo++) {
            const taps th = taps_of(&h, wo);
            double sum = 0;
            for (int64_t i = 0; i < tv.count; i++) {
                double line = 0;
                for (int64_t k = 0; k < th.count; k++) line += weight(&h, &th, k) * x[pixel(&v, &tv, i) * h.in + pixel(&h, &th, k)];
                sum += weight(&v, &tv, i) * line;
            }
            y[wo] = (weft_real) sum;
        }
    }
}

// The taps of one axis as a table for `resample`; `width`: the most taps of an output pixel.
static weft_value table_of(weft_graph *g, const axis *a, int64_t *width)
{
    *width = 1;
    for (int64_t i = 0; i < a->out; i++) {
        const taps t = taps_of(a, i);
        const int64_t count = pixel(a, &t, t.count - 1) - pixel(a, &t, 0) + 1;
        if (count > *width) *width = count;
    }
    weft_resample_table table;
    const weft_value v = weft_resample_new(g, a->out, *width, &table);
    for (int64_t i = 0; v >= 0 && i < a->out; i++) {
        const taps t = taps_of(a, i);
        table.first[i * table.step] = (int32_t) pixel(a, &t, 0);
        for (int64_t k = 0; k < t.count; k++)
            weft_resample_add(&table, i, pixel(a, &t, k) - pixel(a, &t, 0), weight(a, &t, k));
    }
    return v;
}

static weft_value keep_table(weft_graph *g, int64_t size) // every pixel is itself
{
    weft_resample_table table;
    const weft_value v = weft_resample_new(g, size, 1, &table);
    for (int64_t i = 0; v >= 0 && i < size; i++) {
        table.first[i * table.step] = (int32_t) i;
        weft_resample_add(&table, i, 0, 1);
    }
    return v;
}

static weft_result resize_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const axis v = axis_of(n, 0), h = axis_of(n, 1);
    int64_t wide_v, wide_h;
    const weft_value tv = table_of(g, &v, &wide_v), th = table_of(g, &h, &wide_h);
    if (wide_v * wide_h <= 16 || wide_v == 1 || wide_h == 1) {
        out[0] = weft_graph_call(g, "resample", WEFT_V(n->in[0], tv, th), NULL);
    } else if (v.ratio > h.ratio) { // wide filters are cheaper one axis at a time, the one that shrinks more first
        const weft_value between = weft_graph_call(g, "resample", WEFT_V(n->in[0], tv, keep_table(g, h.in)), NULL);
        out[0] = weft_graph_call(g, "resample", WEFT_V(between, keep_table(g, v.out), th), NULL);
    } else {
        const weft_value between = weft_graph_call(g, "resample", WEFT_V(n->in[0], keep_table(g, v.in), th), NULL);
        out[0] = weft_graph_call(g, "resample", WEFT_V(between, tv, keep_table(g, h.out)), NULL);
    }
    return weft_graph_status(g);
}

static double resize_flops(const weft_node *n)
{
    const resize_attrs *at = n->attrs;
    const axis v = axis_of(n, 0), h = axis_of(n, 1);
    const double reach = at->mode == BICUBIC ? 4 : at->mode == BILINEAR ? 2 : 1;
    const double wide_v = at->antialias || at->mode == AREA ? fmax(1, v.ratio) : 1, wide_h = at->antialias || at->mode == AREA ? fmax(1, h.ratio) : 1;
    return 2.0 * (double) weft_shape_count(n->out_shape[0]) * (reach * wide_v + 1) * reach * wide_h;
}

#define AT(...) &(const resize_attrs) { .cubic_coeff = -0.75f, __VA_ARGS__ }
const weft_op weft_op_resize = {
    .name = "resize",
    .doc = "y[n,c,ho,wo] = x[n,c] at the place where (ho, wo) lies in x: its nearest pixel, or a weighted sum of pixels around it. "
           "Coordinates, rounding, cubic_coeff and exclude_outside as in ONNX Resize (PyTorch's `nearest` is asymmetric with floor); "
           "area is the mean of the pixels that the output pixel covers (PyTorch). antialias widens the filter when shrinking (as Pillow). "
           "The size of y is that of `like`, else `size`, else that of x times `scale`, rounded down.",
    .out_names = "y", .in_names = "x like?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(resize_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(resize_attrs, mode, ENUM, .choices = "nearest|bilinear|bicubic|area", .doc = "which pixels are mixed"),
        WEFT_ATTR(resize_attrs, coordinates, ENUM, .doc = "where an output pixel lies",
                  .choices = "half_pixel|pytorch_half_pixel|align_corners|asymmetric|half_pixel_symmetric|tf_half_pixel_for_nn"),
        WEFT_ATTR(resize_attrs, rounding, ENUM, .choices = "round_prefer_floor|round_prefer_ceil|floor|ceil", .doc = "nearest: of the position"),
        WEFT_ATTR(resize_attrs, size, INT, .count = 2, .min = 0, .max = 65536, .doc = "height and width of y; 0: by scale"),
        WEFT_ATTR(resize_attrs, scale, FLOAT, .count = 2, .min = 0, .max = 4096, .doc = "output pixels per input pixel, y and x"),
        WEFT_ATTR(resize_attrs, cubic_coeff, FLOAT, .def = -0.75, .min = -4, .max = 4, .doc = "bicubic: the coefficient a"),
        WEFT_ATTR(resize_attrs, exclude_outside, INT, .min = 0, .max = 1, .doc = "1: pixels outside x weigh nothing, instead of repeating the edge"),
        WEFT_ATTR(resize_attrs, antialias, INT, .min = 0, .max = 1, .doc = "1: bilinear and bicubic average when they shrink"),
        { 0 }
    },
    .infer = resize_infer, .items = resize_items, .cpu = resize_cpu, .expand = resize_expand, .flops = resize_flops,
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
