// SPDX-License-Identifier: MIT
// Elements moved round an axis: what falls off one end comes in at the other.
#include "ops/copy.h"
#include "ops/grad.h"

typedef struct roll_attrs { weft_list shifts, axes; } roll_attrs;

// How far each axis is rolled, 0..size - 1.
static weft_result shifts(const weft_node *n, int64_t by[WEFT_MAX_RANK])
{
    const roll_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    if (at->shifts.count != at->axes.count) return weft_node_fail(n, "%d shifts for %d axes", at->shifts.count, at->axes.count);
    for (int d = 0; d < WEFT_MAX_RANK; d++) by[d] = 0;
    for (int i = 0; i < at->axes.count; i++) {
        const int d = weft_axis(n, at->axes.at[i], x.rank);
        if (d < 0) return WEFT_ERR_ARGUMENT;
        const int64_t size = x.dim[d];
        by[d] = ((by[d] + at->shifts.at[i]) % size + size) % size;
    }
    return WEFT_OK;
}

static weft_result roll_infer(weft_node *n)
{
    int64_t by[WEFT_MAX_RANK];
    n->out_shape[0] = n->in_shape[0];
    n->out_dtype[0] = n->in_dtype[0];
    return shifts(n, by);
}

// Each rolled axis is two pieces: bit b of k says which one of the b-th rolled axis.
static bool roll_box(const weft_node *n, int k, weft_box *box)
{
    int64_t by[WEFT_MAX_RANK];
    if (shifts(n, by) != WEFT_OK) return false;
    weft_out_strides(n, 0, box->y_stride);
    weft_in_strides(n, 0, box->x_stride);
    box->shape = n->out_shape[0];
    int bit = 0;
    for (int d = 0; d < box->shape.rank; d++) {
        const int64_t size = box->shape.dim[d];
        if (!by[d]) continue;
        const bool wrapped = k >> bit++ & 1; // the piece that came in at the front
        box->shape.dim[d] = wrapped ? by[d] : size - by[d];
        *(wrapped ? &box->x_offset : &box->y_offset) += wrapped ? (size - by[d]) * box->x_stride[d] : by[d] * box->y_stride[d];
    }
    return k < 1 << bit;
}

WEFT_COPY_FUNCTIONS(roll)

static weft_result roll_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    roll_attrs back = *(const roll_attrs *) n->attrs;
    for (int i = 0; i < back.shifts.count; i++) back.shifts.at[i] = -(back.shifts.at[i] % n->out_shape[0].dim[weft_axis(n, back.axes.at[i], n->out_shape[0].rank)]);
    if (want[0]) dx[0] = weft_graph_op(g, n->op, dy, 1, &back);
    return WEFT_OK;
}

const weft_op weft_op_roll = {
    .name = "roll",
    .doc = "y[.., (i + shift) mod size, ..] = x[.., i, ..] along each of axes. As numpy.roll and torch.roll.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(roll), .grad = roll_grad,
    .attr_bytes = sizeof(roll_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(roll_attrs, shifts, LIST, .doc = "how far, per axis; negative: towards the front"),
        WEFT_ATTR(roll_attrs, axes, LIST, .doc = "negative from the end"),
        { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(67) }, .attrs = &(const roll_attrs) { WEFT_LIST(3), WEFT_LIST(0) } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const roll_attrs) { WEFT_LIST(-2, 11), WEFT_LIST(2, -1) } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const roll_attrs) { WEFT_LIST(3, 1), WEFT_LIST(1, 0) } },
        { .in = { WEFT_SHAPE(2, 1, 3, 2, 2, 1, 3, 2) }, .attrs = &(const roll_attrs) { WEFT_LIST(1, 2, 1), WEFT_LIST(0, 2, 7) }, .integers = 1, .low = -9, .high = 9 },
        { 0 }
    },
};
