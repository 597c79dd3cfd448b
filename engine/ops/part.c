// SPDX-License-Identifier: MIT
// A stretch of a tensor's memory under a shape of its own: no kernel, no copy. Passes make it where a slice is one stretch.
#include "ops/part.h"
#include "ops/copy.h"
#include "ops/grad.h"
#include <string.h>

static weft_result part_infer(weft_node *n)
{
    const weft_part_attrs *at = n->attrs;
    weft_shape y = { .rank = at->shape.count };
    for (int d = 0; d < y.rank; d++) y.dim[d] = at->shape.at[d];
    if (at->begin < 0 || at->begin % WEFT_PART_ALIGN || at->begin + weft_shape_count(y) > weft_shape_count(n->in_shape[0]))
        return weft_node_fail(n, "elements from %d on are none of x", (int) at->begin);
    n->out_shape[0] = y;
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

static int64_t part_begin(const weft_node *n) { return ((const weft_part_attrs *) n->attrs)->begin; }

static void part_cpu(const weft_node *n, const weft_cpu_args *a)
{
    const size_t size = n->in_dtype[0] == WEFT_I32 ? 4 : sizeof(weft_real);
    memcpy((char *) a->out[0] + (size_t) a->begin * size, (const char *) a->in[0] + (size_t) (part_begin(n) + a->begin) * size, (size_t) (a->end - a->begin) * size);
}

const weft_op weft_op_part = {
    .name = "part",
    .doc = "y = as many elements of x as the shape has, from element `begin` on, in x's order.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_ALIAS | WEFT_OP_INTERNAL,
    .attr_bytes = sizeof(weft_part_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_part_attrs, shape, LIST, .min = 1, .max = 0x1p40, .doc = "of y"),
        WEFT_ATTR(weft_part_attrs, begin, INT, .doc = "the first element, a multiple of 128"),
        { 0 }
    },
    .infer = part_infer, .items = weft_copy_items, .cpu = part_cpu, .alias_begin = part_begin,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(3, 5, 64) }, .attrs = &(const weft_part_attrs) { WEFT_LIST(7, 9), 256 } },
        { .in = { WEFT_SHAPE(3, 100) }, .attrs = &(const weft_part_attrs) { WEFT_LIST(1, 2, 64, 1), 128 } },
        { .in = { WEFT_SHAPE(300) }, .attrs = &(const weft_part_attrs) { WEFT_LIST(44), 256 }, .integers = 1, .low = -9, .high = 9 },
        { 0 }
    },
};
