// SPDX-License-Identifier: MIT
// Numbers as vectors that are one value everywhere but in one place.
#include "ops/copy.h"
#include "ops/loop.h"
#include "params/one_hot.h"

typedef struct one_hot_attrs { int32_t depth, axis; float on, off; } one_hot_attrs;

static weft_result one_hot_infer(weft_node *n)
{
    const one_hot_attrs *at = n->attrs;
    const weft_shape ids = n->in_shape[0];
    if (n->in_dtype[0] != WEFT_I32) return weft_node_fail(n, "ids are no integers: cast them to i32");
    if (ids.rank == WEFT_MAX_RANK) return weft_node_fail(n, "ids have %d dimensions already", ids.rank);
    const int axis = weft_axis(n, at->axis, ids.rank + 1);
    if (axis < 0) return WEFT_ERR_ARGUMENT;
    n->out_shape[0].rank = ids.rank + 1;
    for (int d = 0; d <= ids.rank; d++) n->out_shape[0].dim[d] = d == axis ? at->depth : ids.dim[d - (d > axis)];
    return WEFT_OK;
}

// The loop over y, ids, and a number that counts along the new axis.
static void one_hot_loop(const weft_node *n, weft_loop *l)
{
    const weft_shape y = n->out_shape[0];
    const int axis = weft_axis(n, ((const one_hot_attrs *) n->attrs)->axis, y.rank);
    int64_t stride[3][WEFT_MAX_RANK] = { 0 }, ids[WEFT_MAX_RANK];
    weft_out_strides(n, 0, stride[0]);
    weft_in_strides(n, 0, ids);
    for (int d = 0; d < y.rank; d++) {
        if (d == axis) stride[2][d] = 1;
        else stride[1][d] = ids[d - (d > axis)];
    }
    weft_loop_make(l, y, 3, stride);
}

static void one_hot_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const one_hot_attrs *at = n->attrs;
    weft_loop l;
    one_hot_loop(n, &l);
    for (weft_lines w = weft_lines_of(&l, arg->begin, arg->end); weft_lines_next(&w);)
        for (int64_t i = 0; i < w.count; i++) {
            const int64_t id = ((const int32_t *) arg->in[0])[w.at[1] + i * w.step[1]], own = w.at[2] + i * w.step[2];
            ((weft_real *) arg->out[0])[w.at[0] + i] = (id < 0 ? id + at->depth : id) == own ? at->on : at->off;
        }
}

static weft_result one_hot_emit(const weft_node *n, weft_emit *e)
{
    const one_hot_attrs *at = n->attrs;
    weft_loop l;
    WEFT_TRY(weft_loop_check(n));
    one_hot_loop(n, &l);
    struct one_hot_params p = { .count = (u32) weft_shape_count(n->out_shape[0]), .depth = (u32) at->depth, .on = at->on, .off = at->off };
    weft_loop_dims(&l, p.dim);
    weft_loop_strides(&l, 1, p.ids_stride);
    weft_loop_strides(&l, 2, p.own_stride);
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "one_hot", .spec = { (uint32_t) l.rank }, .spec_count = 1,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count },
    });
}

const weft_op weft_op_one_hot = {
    .name = "one_hot",
    .doc = "y[.., k, ..] = on where ids[.., ..] = k, else off, with a new dimension of size `depth` as dimension `axis`.\n"
           "Negative ids count from the end; ids that are beyond either end give `off` everywhere. As ONNX OneHot.",
    .out_names = "y", .in_names = "ids", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED,
    .attr_bytes = sizeof(one_hot_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(one_hot_attrs, depth, INT, .def = 2, .min = 1, .max = 0x1p30, .doc = "how many different numbers"),
        WEFT_ATTR(one_hot_attrs, axis, INT, .def = -1, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "of y; negative from the end"),
        WEFT_ATTR(one_hot_attrs, on, FLOAT, .def = 1, .doc = "value at the number"),
        WEFT_ATTR(one_hot_attrs, off, FLOAT, .doc = "value elsewhere"),
        { 0 }
    },
    .infer = one_hot_infer, .items = weft_copy_items, .cpu = one_hot_cpu, .emit = one_hot_emit,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(13) }, .attrs = &(const one_hot_attrs) { 5, -1, 1, 0 }, .integers = 1, .low = -7, .high = 7 },
        { .in = { WEFT_SHAPE(2, 5, 7) }, .attrs = &(const one_hot_attrs) { 3, 1, 2, -1 }, .integers = 1, .low = 0, .high = 4 },
        { .in = { WEFT_SHAPE(2, 1, 3, 2, 1, 2, 2) }, .attrs = &(const one_hot_attrs) { 3, 0, 1, 0 }, .integers = 1, .low = 0, .high = 3 },
        { 0 }
    },
};
