// SPDX-License-Identifier: MIT
// What a convolution's weights receive: attributes of the row conv2d_weight_grad, and its dispatches.
#pragma once
#include "ops/padding.h"
#include "graph/graph.h"

typedef struct weft_conv_weights_attrs {
    int32_t stride[2], dilation[2], pads[2], pad_mode, groups, kernel[2]; // y, x; pads: top, left
} weft_conv_weights_attrs;

weft_value weft_conv_weights(weft_graph *g, weft_value x, weft_value dy, const weft_conv_weights_attrs *at); // a node of it
int weft_conv_weights_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS]);
weft_result weft_conv_weights_emit(const weft_node *n, weft_emit *e);
