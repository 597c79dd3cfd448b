// SPDX-License-Identifier: MIT
// Resizing along one axis: which input pixels an output pixel is made of. For `resize` and its gradient.
#pragma once
#include "ops/resample.h"

typedef struct weft_resize_attrs {
    int32_t mode, coordinates, rounding, size[2];
    float scale[2], cubic_coeff;
    int32_t exclude_outside, antialias;
} weft_resize_attrs;
enum { NEAREST, BILINEAR, BICUBIC, AREA };
enum { HALF_PIXEL, PYTORCH_HALF_PIXEL, ALIGN_CORNERS, ASYMMETRIC, HALF_PIXEL_SYMMETRIC, TF_HALF_PIXEL_FOR_NN };
enum { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, FLOOR, CEIL };

#define WEFT_RESIZE_ATTRS \
    WEFT_ATTR(weft_resize_attrs, mode, ENUM, .choices = "nearest|bilinear|bicubic|area", .doc = "which pixels are mixed"), \
    WEFT_ATTR(weft_resize_attrs, coordinates, ENUM, .doc = "where an output pixel lies", \
    .choices = "half_pixel|pytorch_half_pixel|align_corners|asymmetric|half_pixel_symmetric|tf_half_pixel_for_nn"), \
    WEFT_ATTR(weft_resize_attrs, rounding, ENUM, .choices = "round_prefer_floor|round_prefer_ceil|floor|ceil", .doc = "nearest: of the position"), \
    WEFT_ATTR(weft_resize_attrs, size, INT, .count = 2, .min = 0, .max = 65536, .doc = "height and width of y; 0: by scale"), \
    WEFT_ATTR(weft_resize_attrs, scale, FLOAT, .count = 2, .min = 0, .max = 4096, .doc = "output pixels per input pixel, y and x"), \
    WEFT_ATTR(weft_resize_attrs, cubic_coeff, FLOAT, .def = -0.75, .min = -4, .max = 4, .doc = "bicubic: the coefficient a"), \
    WEFT_ATTR(weft_resize_attrs, exclude_outside, INT, .min = 0, .max = 1, .doc = "1: pixels outside x weigh nothing, instead of repeating the edge"), \
    WEFT_ATTR(weft_resize_attrs, antialias, INT, .min = 0, .max = 1, .doc = "1: bilinear and bicubic average when they shrink")

typedef struct weft_resize_axis {
    const weft_resize_attrs *at;
    int64_t in, out;
    double ratio; // input pixels per output pixel
} weft_resize_axis;
// Along y (d = 0) or x; scaled: the size comes from `scale`, not from another input.
weft_resize_axis weft_resize_axis_of(const weft_resize_attrs *at, int d, bool scaled, int64_t in, int64_t out);

// The input pixels that output pixel i is made of: from `first`, `count` of them; some may lie outside.
typedef struct weft_resize_taps { int64_t first, count; double centre, width, sum; bool clip; } weft_resize_taps;
weft_resize_taps weft_resize_taps_of(const weft_resize_axis *a, int64_t i);
double weft_resize_weight(const weft_resize_axis *a, const weft_resize_taps *t, int64_t k);
int64_t weft_resize_pixel(const weft_resize_axis *a, const weft_resize_taps *t, int64_t k); // beyond the edge lies the edge

// All of them as a table; transposed: for what flows from the output pixels back to the input.
weft_resample_axis weft_resize_resample(weft_graph *g, const weft_resize_axis *a, bool transposed);

// Fails for a side of more than 2^20 pixels: weight tables have a line for each, and a file must not ask for billions.
weft_result weft_resize_side(const weft_node *n, int64_t side);
