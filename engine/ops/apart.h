// SPDX-License-Identifier: MIT
// For rows that are a convolution and a filter beside it: one of the two as a node of its own, for weft_emit_part.
#pragma once
#include "ops/conv.h"
#include "ops/upfirdn2d.h"

typedef struct weft_apart {
    weft_node node;
    weft_conv_attrs conv;
    weft_value in[WEFT_CONV_INPUTS], out;
    weft_shape in_shape[WEFT_CONV_INPUTS], out_shape;
    int8_t in_dtype[WEFT_CONV_INPUTS], in_layout[WEFT_CONV_INPUTS], out_dtype, out_layout;
    bool in_constant[WEFT_CONV_INPUTS];
} weft_apart;

// A node without inputs, whose output is that of `whole`; it points into `p`, which must stay where it is.
void weft_apart_start(weft_apart *p, const weft_node *whole, const char *op, int inputs);
// Its input `slot` is that of `whole`, if that has it.
void weft_apart_give(weft_apart *p, int slot, const weft_node *whole, int input);
