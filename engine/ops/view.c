// SPDX-License-Identifier: MIT
// The same elements in the same order under a shape with dimensions of size 1 more or less, or some made one.
#include "ops/copy.h"

typedef struct axes_attrs { weft_list axes; } axes_attrs;
typedef struct flatten_attrs { int32_t start, end; } flatten_attrs;

static weft_result identity_infer(weft_node *n)
{
    n->out_shape[0] = n->in_shape[0];
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

// The axes as bits.
static weft_result axis_bits(const weft_node *n, int rank, unsigned *bits)
{
    const weft_list *axes = &((const axes_attrs *) n->attrs)->axes;
    *bits = 0;
    for (int i = 0; i < axes->count; i++) {
        const int d = weft_axis(n, axes->at[i], rank);
        if (d < 0) return WEFT_ERR_ARGUMENT;
        if (*bits >> d & 1) return weft_node_fail(n, "axis %d is named twice", d);
        *bits |= 1u << d;
    }
    return WEFT_OK;
}

static weft_result squeeze_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[0];
    const bool all = !((const axes_attrs *) n->attrs)->axes.count;
    weft_shape *y = &n->out_shape[0];
    unsigned drop;
    WEFT_TRY(axis_bits(n, x.rank, &drop));
    y->rank = 0;
    for (int d = 0; d < x.rank; d++) {
        if (drop >> d & 1 && x.dim[d] != 1) return weft_node_fail(n, "axis %d has size %lld, not 1", d, (long long) x.dim[d]);
        if (!(drop >> d & 1) && !(all && x.dim[d] == 1)) y->dim[y->rank++] = x.dim[d];
    }
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

static weft_result unsqueeze_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[0];
    const int rank = x.rank + ((const axes_attrs *) n->attrs)->axes.count;
    unsigned insert;
    if (rank > WEFT_MAX_RANK) return weft_node_fail(n, "y would have %d dimensions, more than %d", rank, WEFT_MAX_RANK);
    WEFT_TRY(axis_bits(n, rank, &insert));
    n->out_shape[0].rank = rank;
    for (int d = 0, from = 0; d < rank; d++) n->out_shape[0].dim[d] = insert >> d & 1 ? 1 : x.dim[from++];
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

static weft_result flatten_infer(weft_node *n)
{
    const flatten_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    const int rank = x.rank ? x.rank : 1, start = weft_axis(n, at->start, rank), end = weft_axis(n, at->end, rank);
    if (start < 0 || end < 0) return WEFT_ERR_ARGUMENT;
    if (start > end) return weft_node_fail(n, "start %d lies after end %d", start, end);
    weft_shape *y = &n->out_shape[0];
    y->rank = 0;
    for (int d = 0; d < rank; d++) {
        const int64_t size = d < x.rank ? x.dim[d] : 1;
        if (d > start && d <= end) y->dim[y->rank - 1] *= size;
        else y->dim[y->rank++] = size;
    }
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

#define VIEW_ROW(name_) \
    .name = #name_, .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_ALIAS, .infer = name_##_infer, \
    .items = weft_copy_items, .cpu = weft_same_cpu, .grad = weft_same_grad

static const weft_op identity = {
    VIEW_ROW(identity), .doc = "y = x. Dropout is this once training is over.",
    .cases = (const weft_case[]) { { .in = { WEFT_SHAPE(2, 3, 5, 7) } }, { 0 } },
};

static const weft_op squeeze = {
    VIEW_ROW(squeeze), .doc = "y = x without the dimensions `axes`, which must have size 1. As ONNX Squeeze.",
    .attr_bytes = sizeof(axes_attrs),
    .attrs = (const weft_attr[]) { WEFT_ATTR(axes_attrs, axes, LIST, .doc = "negative from the end; empty: every dimension of size 1"), { 0 } },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 1, 5, 1) } },
        { .in = { WEFT_SHAPE(2, 1, 5, 1) }, .attrs = &(const axes_attrs) { WEFT_LIST(-1) } },
        { .in = { WEFT_SHAPE(1, 1) } },
        { 0 }
    },
};

static const weft_op unsqueeze = {
    VIEW_ROW(unsqueeze), .doc = "y = x with new dimensions of size 1, so that they are y's dimensions `axes`. As ONNX Unsqueeze.",
    .attr_bytes = sizeof(axes_attrs),
    .attrs = (const weft_attr[]) { WEFT_ATTR(axes_attrs, axes, LIST, .doc = "of y; negative from the end"), { 0 } },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(3, 5) }, .attrs = &(const axes_attrs) { WEFT_LIST(0, -1) } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const axes_attrs) { WEFT_LIST(2) } },
        { 0 }
    },
};

static const weft_op flatten = {
    VIEW_ROW(flatten), .doc = "y = x with the dimensions start..end as one. As torch.flatten.",
    .attr_bytes = sizeof(flatten_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(flatten_attrs, start, INT, .def = 1, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "first dimension; negative from the end"),
        WEFT_ATTR(flatten_attrs, end, INT, .def = -1, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "last dimension; negative from the end"),
        { 0 }
    },
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const flatten_attrs) { 1, -1 } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) }, .attrs = &(const flatten_attrs) { 0, 2 } },
        { 0 }
    },
};

const weft_op *const weft_family_view[] = { &identity, &squeeze, &unsqueeze, &flatten, NULL };
