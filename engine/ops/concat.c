// SPDX-License-Identifier: MIT
// Tensors one after the other along an axis that they have, or (stack) along a new one.
#include "ops/copy.h"
#include "ops/grad.h"

typedef struct concat_attrs { int32_t axis; } concat_attrs;

static weft_result check_dtypes(weft_node *n)
{
    n->out_dtype[0] = n->in_dtype[0];
    for (int i = 1; i < n->in_count; i++)
        if (n->in_dtype[i] != n->in_dtype[0]) return weft_node_fail(n, "input %d holds another type of number than input 0: cast one of them", i);
    return WEFT_OK;
}

static weft_result concat_infer(weft_node *n)
{
    const weft_shape first = n->in_shape[0];
    const int axis = weft_axis(n, ((const concat_attrs *) n->attrs)->axis, first.rank);
    if (axis < 0) return WEFT_ERR_ARGUMENT;
    n->out_shape[0] = first;
    for (int i = 1; i < n->in_count; i++) {
        weft_shape s = n->in_shape[i];
        char text[2][WEFT_SHAPE_TEXT];
        const int64_t size = s.rank == first.rank ? s.dim[axis] : 0;
        n->out_shape[0].dim[axis] += size;
        if (s.rank == first.rank) s.dim[axis] = first.dim[axis];
        if (!weft_shape_equal(s, first))
            return weft_node_fail(n, "input %d is %s, input 0 %s: they may differ along axis %d alone", i,
                                  weft_shape_text(n->in_shape[i], text[0]), weft_shape_text(first, text[1]), axis);
    }
    return check_dtypes(n);
}

static bool concat_box(const weft_node *n, int k, weft_box *box)
{
    if (k >= n->in_count) return false;
    const int axis = weft_axis(n, ((const concat_attrs *) n->attrs)->axis, n->in_shape[0].rank);
    box->in = k;
    box->shape = n->in_shape[k];
    weft_out_strides(n, 0, box->y_stride);
    weft_in_strides(n, k, box->x_stride);
    for (int i = 0; i < k; i++) box->y_offset += n->in_shape[i].dim[axis] * box->y_stride[axis];
    return true;
}

static weft_result stack_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[0];
    if (x.rank == WEFT_MAX_RANK) return weft_node_fail(n, "x has %d dimensions already", x.rank);
    const int axis = weft_axis(n, ((const concat_attrs *) n->attrs)->axis, x.rank + 1);
    if (axis < 0) return WEFT_ERR_ARGUMENT;
    for (int i = 1; i < n->in_count; i++)
        if (!weft_shape_equal(n->in_shape[i], x)) return weft_node_fail(n, "input %d has another shape than input 0", i);
    n->out_shape[0] = (weft_shape) { .rank = x.rank + 1 };
    for (int d = 0; d <= x.rank; d++) n->out_shape[0].dim[d] = d == axis ? n->in_count : x.dim[d - (d > axis)];
    return check_dtypes(n);
}

static bool stack_box(const weft_node *n, int k, weft_box *box)
{
    if (k >= n->in_count) return false;
    int64_t y[WEFT_MAX_RANK];
    const int axis = weft_axis(n, ((const concat_attrs *) n->attrs)->axis, n->out_shape[0].rank);
    weft_out_strides(n, 0, y);
    weft_in_strides(n, k, box->x_stride);
    box->in = k;
    box->shape = n->in_shape[k];
    box->y_offset = k * y[axis];
    for (int d = 0; d < box->shape.rank; d++) box->y_stride[d] = y[d + (d >= axis)];
    return true;
}

WEFT_COPY_FUNCTIONS(concat)
WEFT_COPY_FUNCTIONS(stack)

static weft_result concat_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const int axis = weft_axis(n, ((const concat_attrs *) n->attrs)->axis, n->out_shape[0].rank);
    int64_t first = 0;
    for (int i = 0; i < n->in_count; first += n->in_shape[i++].dim[axis])
        if (want[i]) dx[i] = weft_grad_slice(g, dy[0], axis, first, first + n->in_shape[i].dim[axis]);
    return WEFT_OK;
}

static weft_result stack_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const int axis = weft_axis(n, ((const concat_attrs *) n->attrs)->axis, n->out_shape[0].rank);
    for (int i = 0; i < n->in_count; i++)
        if (want[i]) dx[i] = weft_grad_reshape(g, weft_grad_slice(g, dy[0], axis, i, i + 1), n->in_shape[i]);
    return WEFT_OK;
}

static const weft_op concat = {
    .name = "concat",
    .doc = "y = the inputs one after the other along `axis`. As numpy.concatenate and ONNX Concat.",
    .out_names = "y", .in_names = "x...", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(concat), .grad = concat_grad,
    .attr_bytes = sizeof(concat_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(concat_attrs, axis, INT, .def = 1, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "negative from the end"),
        { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 5, 7), WEFT_SHAPE(2, 1, 5, 7), WEFT_SHAPE(2, 4, 5, 7) }, .attrs = &(const concat_attrs) { 1 } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7), WEFT_SHAPE(2, 3, 5, 2) }, .attrs = &(const concat_attrs) { -1 } },
        { .in = { WEFT_SHAPE(64), WEFT_SHAPE(1), WEFT_SHAPE(63) }, .attrs = &(const concat_attrs) { 0 } },
        { .in = { WEFT_SHAPE(3, 5) }, .attrs = &(const concat_attrs) { 0 } },
        { .in = { WEFT_SHAPE(3, 5), WEFT_SHAPE(3, 2) }, .attrs = &(const concat_attrs) { 1 }, .integers = 3, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(2, 1, 2, 3, 2, 1, 2, 2), WEFT_SHAPE(2, 1, 2, 3, 1, 1, 2, 2) }, .attrs = &(const concat_attrs) { 4 } },
        { 0 }
    },
};

static const weft_op stack = {
    .name = "stack",
    .doc = "y = the inputs, all of one shape, side by side along a new dimension `axis`. As numpy.stack.",
    .out_names = "y", .in_names = "x...", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(stack), .grad = stack_grad,
    .attr_bytes = sizeof(concat_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(concat_attrs, axis, INT, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "of the new dimension; negative from the end"),
        { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(5, 7), WEFT_SHAPE(5, 7), WEFT_SHAPE(5, 7) }, .attrs = &(const concat_attrs) { 0 } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7), WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const concat_attrs) { 2 } },
        { .in = { WEFT_SHAPE(2, 3, 5), WEFT_SHAPE(2, 3, 5) }, .attrs = &(const concat_attrs) { -1 }, .integers = 3, .low = -9, .high = 9 },
        { 0 }
    },
};

const weft_op *const weft_family_concat[] = { &concat, &stack, NULL };
