// SPDX-License-Identifier: MIT
// Normalisation by statistics of the input itself: what instance, group and batch norm share.
#pragma once
#include "graph/graph.h"
#include "ops/lines.h"
#include "params/norm_whole.h"

// A tensor [n, c, ...] seen as [n, c, rows]; strides in elements, as it lies in memory.
typedef struct weft_norm_view { int64_t n, c, rows, n_stride, c_stride, row_stride; } weft_norm_view;
weft_norm_view weft_norm_look(weft_shape s, weft_layout layout);

// The truth: y = (x - mean) / sqrt(var + eps) * scale[c] + bias[c] over the images [n0, n1) and channels [c0, c1), whose
// mean and variance are taken together. scale and bias may be NULL.
void weft_norm_piece(const weft_norm_view *v, const int64_t n_range[2], const int64_t c_range[2], double eps, const weft_real *x,
                     const weft_real *scale, const weft_real *bias, weft_real *y);

// What a norm takes its statistics over: the channels of a group, of one image or of all.
typedef struct weft_norm_kind { int64_t groups; bool over_n; float eps; } weft_norm_kind;

weft_norm_kind weft_norm_kind_of(const weft_node *n);      // of instance_norm and group_norm
weft_norm_kind weft_norm_grad_kind_of(const weft_node *n); // of norm_grad
bool weft_norm_grad_params(const weft_node *n);            // whether it has outputs dscale and dbias

// The same on a device, x being input 0, scale and bias inputs 1 and 2. One dispatch in which a workgroup makes statistics by itself
// ("norm_whole", cut: as weft_line_ways has it), or three ("norm_split").
int weft_norm_ways(const weft_node *n, const weft_emit *e, const weft_norm_kind *k, weft_way list[WEFT_MAX_WAYS]);
weft_result weft_norm_emit(const weft_node *n, weft_emit *e, const weft_norm_kind *k);

// Statistics as lines of numbers of input `x`, each for a workgroup or a part of one: what kernels norm_whole and norm_grad work on.
typedef struct weft_norm_lines {
    weft_line_set set;
    struct norm_whole_params params;
    uint32_t order; // of elements: WEFT_NORM_...
    bool images, plain; // statistics are of all images; the mean is taken for zero
} weft_norm_lines;
enum { WEFT_NORM_ONE_CHANNEL, WEFT_NORM_CHANNELS_FIRST, WEFT_NORM_POSITIONS_FIRST, WEFT_NORM_CHANNELS_ONLY };
weft_norm_lines weft_norm_lines_of(const weft_node *n, int x, const weft_norm_kind *k);
weft_norm_lines weft_norm_rows(int64_t rows, int64_t count, double eps); // packed rows
// The dispatch of the way taken, one of weft_line_ways'. `scale`: whether there is one. Binds, flops and further constants are the caller's.
void weft_norm_dispatch(const weft_norm_lines *l, const weft_emit *e, bool scale, weft_dispatch *d);

// Such a node whose y = (x - mean) / sqrt(var + eps) scale + bias is one dispatch.
int weft_norm_whole_ways(const weft_emit *e, const weft_norm_lines *l, weft_way list[WEFT_LINE_WAYS]);
weft_result weft_norm_whole(const weft_node *n, weft_emit *e, const weft_norm_lines *l);

// Ways of a norm or its gradient, x being input `x`: those of one dispatch, and "norm_split".
int weft_norm_any_ways(const weft_node *n, int x, const weft_emit *e, const weft_norm_kind *k, const char *const whole[2], weft_way list[WEFT_MAX_WAYS]);

// "norm_split": dispatches for statistics that should not wait for one workgroup. Inputs by place, -1: there is none; params: outputs 1 and 2 are
// what scale and bias receive.
typedef struct weft_norm_inputs { int x, dy, scale, bias; bool params; } weft_norm_inputs;
bool weft_norm_splits(const weft_node *n, int x); // there are positions to split
weft_result weft_norm_split(const weft_node *n, weft_emit *e, const weft_norm_kind *k, weft_norm_inputs in);

// Input i, where present, must be a vector of `count` numbers.
weft_result weft_norm_vector(const weft_node *n, int i, const char *what, int64_t count);

// Gradient rule of such a row by x, scale and bias, its inputs 0, 1 and 2: norm_grad.c. x is seen as `view`, [n, c, ..];
// params: scale and bias, as they are stretched to x.
weft_result weft_norm_grad(const weft_node *n, weft_graph *g, weft_value dy, const bool *want, weft_value *dx, const weft_norm_kind *k,
                           weft_shape view, weft_shape params);
weft_shape weft_norm_channels(weft_shape x); // [c, 1, ...]: one number per channel

typedef struct weft_layer_norm_attrs { float eps; int32_t axes; } weft_layer_norm_attrs;
// And of add_layer_norm, whose inputs these are.
typedef struct weft_add_norm_attrs { weft_layer_norm_attrs norm; int32_t sum; } weft_add_norm_attrs;
enum { WEFT_ADD_NORM_X, WEFT_ADD_NORM_SCALE, WEFT_ADD_NORM_BIAS, WEFT_ADD_NORM_R, WEFT_ADD_NORM_INPUTS };
// Inputs of norm_grad, and what it wants of a residual: rows, no channels.
enum { WEFT_NORM_GRAD_DY, WEFT_NORM_GRAD_X, WEFT_NORM_GRAD_SCALE, WEFT_NORM_GRAD_R, WEFT_NORM_GRAD_INPUTS };
// Attributes of batch_norm, which fusion looks at.
typedef struct weft_batch_norm_attrs { float eps; int32_t batch_stats; } weft_batch_norm_attrs;
