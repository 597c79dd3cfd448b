// SPDX-License-Identifier: MIT
// Dimensions in another order.
#include "ops/copy.h"
#include "ops/grad.h"

typedef struct transpose_attrs { weft_list perm; } transpose_attrs;

// Which dimension of x becomes dimension d of y.
static int source(const weft_node *n, int d)
{
    const transpose_attrs *at = n->attrs;
    return at->perm.count ? (int) at->perm.at[d] : n->in_shape[0].rank - 1 - d;
}

static weft_result transpose_infer(weft_node *n)
{
    const transpose_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    unsigned seen = 0;
    if (at->perm.count && at->perm.count != x.rank)
        return weft_node_fail(n, "perm has %d numbers, x has %d dimensions", at->perm.count, x.rank);
    n->out_dtype[0] = n->in_dtype[0];
    n->out_shape[0].rank = x.rank;
    for (int d = 0; d < x.rank; d++) {
        const int64_t from = at->perm.count ? at->perm.at[d] : source(n, d);
        if (from < 0 || from >= x.rank || seen >> from & 1)
            return weft_node_fail(n, "perm is not the numbers 0..%d in some order", x.rank - 1);
        seen |= 1u << from;
        n->out_shape[0].dim[d] = x.dim[from];
    }
    return WEFT_OK;
}

static bool transpose_box(const weft_node *n, int k, weft_box *box)
{
    int64_t x[WEFT_MAX_RANK];
    weft_in_strides(n, 0, x);
    weft_out_strides(n, 0, box->y_stride);
    box->shape = n->out_shape[0];
    for (int d = 0; d < box->shape.rank; d++) box->x_stride[d] = x[source(n, d)];
    return k == 0;
}

WEFT_COPY_FUNCTIONS(transpose)

static weft_result transpose_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    int back[WEFT_MAX_RANK];
    for (int d = 0; d < n->in_shape[0].rank; d++) back[source(n, d)] = d;
    if (want[0]) dx[0] = weft_grad_permute(g, dy[0], back);
    return WEFT_OK;
}

#define CASE(...) .attrs = &(const transpose_attrs) { WEFT_LIST(__VA_ARGS__) }
const weft_op weft_op_transpose = {
    .name = "transpose",
    .doc = "y[i[0], i[1], ...] = x with i[d] as its index along dimension perm[d]: dimension d of y is dimension perm[d]\n"
           "of x. As numpy.transpose and ONNX Transpose.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(transpose), .grad = transpose_grad,
    .attr_bytes = sizeof(transpose_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(transpose_attrs, perm, LIST, .doc = "x's dimensions in y's order; empty: reversed"),
        { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(7) } },
        { .in = { WEFT_SHAPE(13, 65) } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, CASE(0, 2, 3, 1) },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, CASE(3, 0, 2, 1) },
        { .in = { WEFT_SHAPE(2, 3, 4, 5, 3) }, CASE(0, 1, 3, 2, 4), .integers = 1, .low = -9, .high = 9 },
        { .in = { WEFT_SHAPE(2, 3, 2, 1, 2, 3, 2, 2) }, CASE(7, 0, 6, 1, 5, 2, 4, 3) },
        { 0 }
    },
};
