// SPDX-License-Identifier: MIT
// Groups of channels become blocks of pixels, and back.
#include "ops/copy.h"
#include "ops/grad.h"
#include <string.h>

enum { CRD, DCR };
typedef struct shuffle_attrs { int32_t factor, mode; } shuffle_attrs;

static weft_result shuffle_infer(weft_node *n)
{
    const shuffle_attrs *at = n->attrs;
    const int64_t r = at->factor, *x = n->in_shape[0].dim;
    n->out_dtype[0] = n->in_dtype[0];
    if (n->in_shape[0].rank != 4) return weft_node_fail(n, "x has %d dimensions, not 4", n->in_shape[0].rank);
    if (x[1] % (r * r)) return weft_node_fail(n, "x has %lld channels, no multiple of %lld", (long long) x[1], (long long) (r * r));
    n->out_shape[0] = (weft_shape) { 4, { x[0], x[1] / (r * r), x[2] * r, x[3] * r } };
    return WEFT_OK;
}

static weft_result unshuffle_infer(weft_node *n)
{
    const shuffle_attrs *at = n->attrs;
    const int64_t r = at->factor, *x = n->in_shape[0].dim;
    n->out_dtype[0] = n->in_dtype[0];
    if (n->in_shape[0].rank != 4) return weft_node_fail(n, "x has %d dimensions, not 4", n->in_shape[0].rank);
    if (x[2] % r || x[3] % r)
        return weft_node_fail(n, "x is %lld x %lld, no multiples of %lld", (long long) x[2], (long long) x[3], (long long) r);
    n->out_shape[0] = (weft_shape) { 4, { x[0], x[1] * r * r, x[2] / r, x[3] / r } };
    return WEFT_OK;
}

// Both sides of the shuffle as [n, c, h, ry, w, rx]: of the tensor with many channels and of the one with many pixels.
static void many_channels(const shuffle_attrs *at, const weft_shape s, const int64_t own[], int64_t stride[])
{
    const int64_t r = at->factor, c = s.dim[1] / (r * r);
    const int64_t step = at->mode == CRD ? 1 : c; // channel (c r + ry) r + rx, or (ry r + rx) C + c
    const int64_t all[6] = { own[0], own[1] * (at->mode == CRD ? r * r : 1), own[2], own[1] * step * r, own[3], own[1] * step };
    memcpy(stride, all, sizeof all);
}

static void many_pixels(const shuffle_attrs *at, const int64_t own[], int64_t stride[])
{
    const int64_t all[6] = { own[0], own[1], own[2] * at->factor, own[2], own[3] * at->factor, own[3] };
    memcpy(stride, all, sizeof all);
}

static weft_shape positions(const shuffle_attrs *at, weft_shape pixels)
{
    const int64_t r = at->factor, *d = pixels.dim;
    return (weft_shape) { 6, { d[0], d[1], d[2] / r, r, d[3] / r, r } };
}

static bool shuffle_box(const weft_node *n, int k, weft_box *box)
{
    int64_t x[WEFT_MAX_RANK], y[WEFT_MAX_RANK];
    weft_in_strides(n, 0, x);
    weft_out_strides(n, 0, y);
    box->shape = positions(n->attrs, n->out_shape[0]);
    many_channels(n->attrs, n->in_shape[0], x, box->x_stride);
    many_pixels(n->attrs, y, box->y_stride);
    return k == 0;
}

static bool unshuffle_box(const weft_node *n, int k, weft_box *box)
{
    int64_t x[WEFT_MAX_RANK], y[WEFT_MAX_RANK];
    weft_in_strides(n, 0, x);
    weft_out_strides(n, 0, y);
    box->shape = positions(n->attrs, n->in_shape[0]);
    many_channels(n->attrs, n->out_shape[0], y, box->y_stride);
    many_pixels(n->attrs, x, box->x_stride);
    return k == 0;
}

WEFT_COPY_FUNCTIONS(shuffle)
WEFT_COPY_FUNCTIONS(unshuffle)

static weft_result shuffle_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (want[0]) dx[0] = weft_graph_call(g, "pixel_unshuffle", WEFT_V(dy[0]), n->attrs);
    return WEFT_OK;
}

static weft_result unshuffle_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (want[0]) dx[0] = weft_graph_call(g, "pixel_shuffle", WEFT_V(dy[0]), n->attrs);
    return WEFT_OK;
}

static const weft_attr shuffle_table[] = {
    WEFT_ATTR(shuffle_attrs, factor, INT, .def = 2, .min = 1, .max = 256, .doc = "side of a block of pixels"),
    WEFT_ATTR(shuffle_attrs, mode, ENUM, .choices = "crd|dcr", .doc = "the block's place inside the channel number: after the channel (PyTorch) or before it"),
    { 0 }
};

static const weft_op pixel_shuffle = {
    .name = "pixel_shuffle",
    .doc = "y[n, c, h r + ry, w r + rx] = x[n, (c r + ry) r + rx, h, w] (crd: PyTorch's PixelShuffle), or\n"
           "x[n, (ry r + rx) C + c, h, w] (dcr: ONNX DepthToSpace's default, TensorFlow), where C is y's channels.\n"
           "Shi et al., Real-time single image and video super-resolution using sub-pixel convolution (2016).",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(shuffle), .grad = shuffle_grad,
    .attr_bytes = sizeof(shuffle_attrs), .attrs = shuffle_table,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 4, 1, 1) }, .attrs = &(const shuffle_attrs) { 2, CRD } },
        { .in = { WEFT_SHAPE(2, 12, 5, 7) }, .attrs = &(const shuffle_attrs) { 2, CRD } },
        { .in = { WEFT_SHAPE(2, 12, 5, 7) }, .attrs = &(const shuffle_attrs) { 2, DCR } },
        { .in = { WEFT_SHAPE(1, 18, 3, 5) }, .attrs = &(const shuffle_attrs) { 3, CRD } },
        { 0 }
    },
};

static const weft_op pixel_unshuffle = {
    .name = "pixel_unshuffle",
    .doc = "The inverse of pixel_shuffle: y[n, (c r + ry) r + rx, h, w] = x[n, c, h r + ry, w r + rx] (crd: PyTorch), or\n"
           "y[n, (ry r + rx) C + c, h, w] (dcr: ONNX SpaceToDepth), where C is x's channels.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(unshuffle), .grad = unshuffle_grad,
    .attr_bytes = sizeof(shuffle_attrs), .attrs = shuffle_table,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 10, 14) }, .attrs = &(const shuffle_attrs) { 2, CRD } },
        { .in = { WEFT_SHAPE(2, 3, 10, 14) }, .attrs = &(const shuffle_attrs) { 2, DCR } },
        { .in = { WEFT_SHAPE(1, 2, 9, 15) }, .attrs = &(const shuffle_attrs) { 3, CRD } },
        { 0 }
    },
};

const weft_op *const weft_family_pixel_shuffle[] = { &pixel_shuffle, &pixel_unshuffle, NULL };
