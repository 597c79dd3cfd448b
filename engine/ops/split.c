// SPDX-License-Identifier: MIT
// A tensor cut along an axis.
#include "ops/copy.h"
#include "ops/divide.h"
#include "ops/grad.h"

typedef struct split_attrs { int32_t axis, parts; weft_list sizes; } split_attrs;

static int split_outputs(const void *attrs)
{
    const split_attrs *at = attrs;
    return at->sizes.count ? at->sizes.count : at->parts;
}

static weft_result split_infer(weft_node *n)
{
    const split_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    const int axis = weft_axis(n, at->axis, x.rank);
    if (axis < 0) return WEFT_ERR_ARGUMENT;
    // Without sizes: as even as can be, the last part smaller (ONNX, and chunk of PyTorch where that gives all parts).
    const int64_t size = ceil_div(x.dim[axis], at->parts);
    int64_t left = x.dim[axis];
    for (int k = 0; k < n->out_count; k++) {
        n->out_dtype[k] = n->in_dtype[0];
        n->out_shape[k] = x;
        n->out_shape[k].dim[axis] = at->sizes.count ? at->sizes.at[k] : left < size ? left : size;
        if (n->out_shape[k].dim[axis] < 1) return weft_node_fail(n, "part %d of axis %d, of %lld, is empty", k, axis, (long long) x.dim[axis]);
        left -= n->out_shape[k].dim[axis];
    }
    if (left) return weft_node_fail(n, "the sizes do not add up to the %lld of axis %d", (long long) x.dim[axis], axis);
    return WEFT_OK;
}

static bool split_box(const weft_node *n, int k, weft_box *box)
{
    if (k >= n->out_count) return false;
    const int axis = weft_axis(n, ((const split_attrs *) n->attrs)->axis, n->in_shape[0].rank);
    box->out = k;
    box->shape = n->out_shape[k];
    weft_out_strides(n, k, box->y_stride);
    weft_in_strides(n, 0, box->x_stride);
    for (int i = 0; i < k; i++) box->x_offset += n->out_shape[i].dim[axis] * box->x_stride[axis];
    return true;
}

WEFT_COPY_FUNCTIONS(split)

static weft_result split_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    weft_value *part = weft_arena_new(g->arena, sizeof *part * (size_t) n->out_count);
    if (!part) return WEFT_ERR_MEMORY;
    for (int k = 0; k < n->out_count; k++) // what nobody uses receives zeros
        part[k] = dy[k] >= 0 ? dy[k] : weft_grad_expand(g, weft_graph_scalar(g, 0), n->out_shape[k]);
    const double axis = ((const split_attrs *) n->attrs)->axis;
    if (want[0]) dx[0] = weft_grad_call(g, "concat", part, n->out_count, WEFT_WITH({ "axis", NULL, 1, { axis } }));
    return WEFT_OK;
}

const weft_op weft_op_split = {
    .name = "split",
    .doc = "The outputs one after the other along `axis` are x: parts of the given sizes, or `parts` parts of the same size\n"
           "(the last may be smaller). As ONNX Split.",
    .out_names = "y...", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, .outputs = split_outputs, WEFT_COPY_ROW(split), .grad = split_grad,
    .attr_bytes = sizeof(split_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(split_attrs, axis, INT, .def = 1, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "negative from the end"),
        WEFT_ATTR(split_attrs, parts, INT, .def = 2, .min = 1, .max = 16, .doc = "how many parts, where no sizes are given"),
        WEFT_ATTR(split_attrs, sizes, LIST, .min = 1, .max = 0x1p40, .doc = "of the parts along the axis; empty: `parts` decides"),
        { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 6, 5, 7) }, .attrs = &(const split_attrs) { 1, 2 } },
        { .in = { WEFT_SHAPE(2, 6, 5, 7) }, .attrs = &(const split_attrs) { -1, 2 } },
        { .in = { WEFT_SHAPE(2, 7, 5, 3) }, .attrs = &(const split_attrs) { 1, 2, WEFT_LIST(1, 4, 2) } },
        { .in = { WEFT_SHAPE(129) }, .attrs = &(const split_attrs) { 0, 2, WEFT_LIST(65, 64) }, .integers = 1, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(2, 1, 2, 3, 2, 5, 2, 2) }, .attrs = &(const split_attrs) { 5, 3 } },
        { 0 }
    },
};
