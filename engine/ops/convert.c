// SPDX-License-Identifier: MIT
// From one place in memory to another: layout and storage may change, numbers do not.
#include "ops/copy.h"

static weft_result convert_infer(weft_node *n)
{
    n->out_shape[0] = n->in_shape[0];
    n->out_dtype[0] = n->in_dtype[0];
    return WEFT_OK;
}

static bool convert_box(const weft_node *n, int k, weft_box *box)
{
    box->shape = n->in_shape[0];
    weft_out_strides(n, 0, box->y_stride);
    weft_in_strides(n, 0, box->x_stride);
    return k == 0;
}

WEFT_COPY_FUNCTIONS(convert)

const weft_op weft_op_convert = {
    .name = "convert",
    .doc = "y = x, with another layout or storage on the device. Put in by the physical pass where a kernel wants its\n"
           "input otherwise than it was made.",
    .out_names = "y", .in_names = "x", .flags = WEFT_OP_INTEGERS | WEFT_OP_STRIDED | WEFT_OP_INTERNAL | WEFT_OP_CONVERT,
    WEFT_COPY_ROW(convert),
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1) } },
        { .in = { WEFT_SHAPE(2, 3, 5, 7) } },
        { .in = { WEFT_SHAPE(3, 65) }, .integers = 1, .low = -9, .high = 9 },
        { 0 }
    },
};
