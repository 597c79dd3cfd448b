// SPDX-License-Identifier: MIT
// A tensor repeated along dimensions of size 1.
#include "ops/copy.h"
#include "ops/grad.h"

typedef struct expand_attrs { weft_list shape; } expand_attrs;

static weft_result expand_infer(weft_node *n)
{
    const expand_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    weft_shape to = { .rank = at->shape.count };
    char text[2][WEFT_SHAPE_TEXT];
    for (int d = 0; d < to.rank; d++) {
        const int own = d - to.rank + x.rank;
        to.dim[d] = at->shape.at[d] == -1 ? own < 0 ? 1 : x.dim[own] : at->shape.at[d];
        if (to.dim[d] < 1) return weft_node_fail(n, "dimension %d of the new shape is %lld", d, (long long) at->shape.at[d]);
    }
    if (weft_has(n, 1) && to.rank) return weft_node_fail(n, "takes its shape from an attribute or from 'like', not from both");
    if (weft_has(n, 1)) to = n->in_shape[1];
    n->out_dtype[0] = n->in_dtype[0];
    if (weft_shape_broadcast(x, to, &n->out_shape[0])) return WEFT_OK;
    return weft_node_fail(n, "x %s does not stretch to %s", weft_shape_text(x, text[0]), weft_shape_text(to, text[1]));
}

static bool expand_box(const weft_node *n, int k, weft_box *box)
{
    int64_t x[WEFT_MAX_RANK];
    weft_in_strides(n, 0, x);
    weft_out_strides(n, 0, box->y_stride);
    weft_shape_stretch(n->in_shape[0], x, n->out_shape[0], box->x_stride);
    box->shape = n->out_shape[0];
    return k == 0;
}

WEFT_COPY_FUNCTIONS(expand)

static weft_result expand_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (want[0]) dx[0] = weft_grad_unstretch(g, dy[0], n->in_shape[0]);
    return WEFT_OK;
}

const weft_op weft_op_expand = {
    .name = "expand",
    .doc = "y = x stretched to `shape`, or to the shape of `like`, by NumPy's broadcasting rule: dimensions are aligned at\n"
           "the end, those of size 1 are repeated. As ONNX Expand: where x is larger than the shape asked for, it stays.",
    .out_names = "y", .in_names = "x like?", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED, WEFT_COPY_ROW(expand), .grad = expand_grad,
    .attr_bytes = sizeof(expand_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(expand_attrs, shape, LIST, .min = -1, .max = 0x1p40, .doc = "the new shape; -1 keeps x's dimension"),
        { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1) }, .attrs = &(const expand_attrs) { WEFT_LIST(65) } },
        { .in = { WEFT_SHAPE(2, 5, 1, 1) }, .attrs = &(const expand_attrs) { WEFT_LIST(-1, -1, 3, 7) } },
        { .in = { WEFT_SHAPE(5, 1, 1), WEFT_SHAPE(2, 5, 3, 7) } },
        { .in = { WEFT_SHAPE(2, 5, 1, 1), WEFT_SHAPE(2, 5, 3, 7) } },
        { .in = { WEFT_SHAPE(3, 1) }, .attrs = &(const expand_attrs) { WEFT_LIST(2, 1, 1, 3, 1, 2, 3, 5) }, .integers = 1, .low = -9, .high = 9 },
        { 0 }
    },
};
