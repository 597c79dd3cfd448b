// SPDX-License-Identifier: MIT
// Normalisation by statistics of the input itself: what instance, group and batch norm share.
#pragma once
#include "graph/graph.h"

// A tensor [n, c, ...] seen as [n, c, rows]; strides in elements, as it lies in memory.
typedef struct weft_norm_view { int64_t n, c, rows, n_stride, c_stride, row_stride; } weft_norm_view;
weft_norm_view weft_norm_look(weft_shape s, weft_layout layout);

// The truth: y = (x - mean) / sqrt(var + eps) * scale[c] + bias[c] over the images [n0, n1) and channels [c0, c1), whose
// mean and variance are taken together. scale and bias may be NULL.
void weft_norm_piece(const weft_norm_view *v, const int64_t n_range[2], const int64_t c_range[2], double eps, const weft_real *x,
                     const weft_real *scale, const weft_real *bias, weft_real *y);

// The same on a device, x being input 0, scale and bias inputs 1 and 2: statistics per image and group of channels, or (`over_n`)
// per group over all images.
weft_result weft_norm_emit(const weft_node *n, weft_emit *e, int64_t groups, bool over_n, float eps);

// Input i, where present, must be a vector of `count` numbers.
weft_result weft_norm_vector(const weft_node *n, int i, const char *what, int64_t count);

// Gradient of such a row by x, scale and bias, its inputs 0, 1 and 2: norm_grad.c.
typedef struct weft_norm_over {
    weft_shape view;   // x, where statistics are taken over
    uint32_t mask;     // the dimensions of `mask`
    weft_shape params; // scale and bias, as they are stretched to x
    double eps;
} weft_norm_over;
weft_result weft_norm_grad(const weft_node *n, weft_graph *g, weft_value dy, const bool *want, weft_value *dx, const weft_norm_over *over);
weft_shape weft_norm_channels(weft_shape x); // [c, 1, ...]: one number per channel

// Attributes of batch_norm, which fusion looks at.
typedef struct weft_batch_norm_attrs { float eps; int32_t batch_stats; } weft_batch_norm_attrs;
