// SPDX-License-Identifier: MIT
// For rows that are a convolution and a filter beside it: one of the two as a node of its own, for weft_emit_part; of the whole image, or of some
// rows of it after others, so that less lies between the two at a time.
#pragma once
#include "ops/conv.h"
#include "ops/upfirdn2d.h"

typedef struct weft_apart {
    weft_node node;
    weft_conv_attrs conv;
    weft_upfirdn_attrs filter;
    weft_value in[WEFT_CONV_INPUTS], out;
    weft_shape in_shape[WEFT_CONV_INPUTS], out_shape;
    int8_t in_dtype[WEFT_CONV_INPUTS], in_layout[WEFT_CONV_INPUTS], out_dtype, out_layout;
    bool in_constant[WEFT_CONV_INPUTS];
} weft_apart;

// Rows begin .. begin + rows of what the node makes, and of those of its inputs that lie beside them.
typedef struct weft_band {
    int64_t begin, rows;
    weft_stretch list[3];
    int count;
} weft_band;

// How many rows each of at most so many bands has, so that all begin where a tensor may. 0: it cannot be cut.
int64_t weft_band_rows(const weft_node *whole, int64_t bands, bool noise);
// Bands that leave a quarter of a device's range between the two, where `bytes` would lie.
int64_t weft_band_count(const weft_caps *caps, int64_t bytes);
// These rows of an output or input of `whole`, of one image.
void weft_band_add(weft_band *b, weft_value v, weft_shape s);

// A node without inputs, whose output is that of `whole`; it points into `p`, which must stay where it is.
void weft_apart_start(weft_apart *p, const weft_node *whole, const char *op, int inputs);
// What such a row has beside the convolution's own ways: kernels that do both, which come first where they win, and bands, or NULL.
typedef struct weft_apart_choice {
    const weft_way *together;
    int count;
    bool wins;
    const weft_way *bands;
} weft_apart_choice;
// All of them in their order; gives how many. far: the whole image cannot be bound. Bands are for processors, and for GPUs where they must be.
int weft_apart_ways(const weft_emit *e, const weft_node *conv, bool far, const weft_apart_choice *own, weft_way list[WEFT_MAX_WAYS]);
// Its input `slot` is that of `whole`, if that has it.
void weft_apart_give(weft_apart *p, int slot, const weft_node *whole, int input);
