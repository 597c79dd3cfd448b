// SPDX-License-Identifier: MIT
// Axes turned round.
#include "ops/copy.h"
#include "ops/grad.h"

typedef struct flip_attrs { weft_list axes; } flip_attrs;

static weft_result flip_infer(weft_node *n)
{
    const flip_attrs *at = n->attrs;
    unsigned seen = 0;
    for (int i = 0; i < at->axes.count; i++) {
        const int d = weft_axis(n, at->axes.at[i], n->in_shape[0].rank);
        if (d < 0) return WEFT_ERR_ARGUMENT;
        if (seen >> d & 1) return weft_node_fail(n, "axis %d is named twice", d);
        seen |= 1u << d;
    }
    n->out_shape[0] = n->in_shape[0];
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

static bool flip_box(const weft_node *n, int k, weft_box *box)
{
    const flip_attrs *at = n->attrs;
    weft_out_strides(n, 0, box->y_stride);
    weft_in_strides(n, 0, box->x_stride);
    box->shape = n->out_shape[0];
    for (int i = 0; i < at->axes.count; i++) {
        const int d = weft_axis(n, at->axes.at[i], box->shape.rank);
        box->x_offset += (box->shape.dim[d] - 1) * box->x_stride[d];
        box->x_stride[d] = -box->x_stride[d];
    }
    return k == 0;
}

WEFT_COPY_FUNCTIONS(flip)

static weft_result flip_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (want[0]) dx[0] = weft_graph_op(g, n->op, dy, 1, n->attrs);
    return WEFT_OK;
}

const weft_op weft_op_flip = {
    .name = "flip",
    .doc = "y[.., i, ..] = x[.., size - 1 - i, ..] along each of axes. As numpy.flip.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(flip), .grad = flip_grad,
    .attr_bytes = sizeof(flip_attrs),
    .attrs = (const weft_attr[]) { WEFT_ATTR(flip_attrs, axes, LIST, .doc = "negative from the end"), { 0 } },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(65) }, .attrs = &(const flip_attrs) { WEFT_LIST(0) } },
        { .in = { WEFT_SHAPE(2097217) }, .attrs = &(const flip_attrs) { WEFT_LIST(0) } }, // more workgroups than a grid's row takes
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const flip_attrs) { WEFT_LIST(-1) } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const flip_attrs) { WEFT_LIST(1, 2) }, .integers = 1, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(2, 3, 2, 2, 3, 2, 1, 3) }, .attrs = &(const flip_attrs) { WEFT_LIST(0, 2, 4, 6, 7) } },
        { 0 }
    },
};
