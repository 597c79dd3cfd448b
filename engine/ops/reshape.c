// SPDX-License-Identifier: MIT
// The same numbers under another shape: no kernel, no copy.
#include "ops/copy.h"

typedef struct reshape_attrs { weft_list shape; } reshape_attrs;

static weft_result reshape_infer(weft_node *n)
{
    const reshape_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    weft_shape *y = &n->out_shape[0];
    int64_t known = 1;
    int free_dim = -1;
    char text[WEFT_SHAPE_TEXT];
    y->rank = at->shape.count;
    for (int d = 0; d < y->rank; d++) {
        y->dim[d] = at->shape.at[d];
        if (y->dim[d] == 0 && d < x.rank) y->dim[d] = x.dim[d];
        if (y->dim[d] == -1 && free_dim < 0) free_dim = d;
        else if (y->dim[d] < 1) return weft_node_fail(n, "dimension %d of the new shape is %lld", d, (long long) y->dim[d]);
        else if (y->dim[d] > ((int64_t) 1 << 40) / known) return weft_node_fail(n, "the new shape has more than 2^40 elements");
        else known *= y->dim[d];
    }
    if (free_dim >= 0) y->dim[free_dim] = weft_shape_count(x) / known;
    n->out_dtype[0] = n->in_dtype[0];
    if (weft_shape_count(*y) != weft_shape_count(x))
        return weft_node_fail(n, "x %s has %lld elements, the new shape %lld", weft_shape_text(x, text),
                              (long long) weft_shape_count(x), (long long) weft_shape_count(*y));
    return WEFT_OK;
}

static int64_t reshape_items(const weft_node *n) { return weft_shape_count(n->out_shape[0]); }

static void reshape_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    for (int64_t i = arg->begin; i < arg->end; i++) {
        if (n->in_dtype[0] == WEFT_I32) ((int32_t *) arg->out[0])[i] = ((const int32_t *) arg->in[0])[i];
        else ((weft_real *) arg->out[0])[i] = ((const weft_real *) arg->in[0])[i];
    }
}

const weft_op weft_op_reshape = {
    .name = "reshape",
    .doc = "y has the elements of x in the same order and the given shape. 0 keeps x's dimension, one -1 takes what is left.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_ALIAS,
    .attr_bytes = sizeof(reshape_attrs),
    .attrs = (const weft_attr[]) { WEFT_ATTR(reshape_attrs, shape, LIST, .doc = "the new shape"), { 0 } },
    .infer = reshape_infer, .items = reshape_items, .cpu = reshape_cpu, .grad = weft_same_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const reshape_attrs) { { 3, { 0, -1, 7 } } } },
        { 0 }
    },
};
