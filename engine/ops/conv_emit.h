// SPDX-License-Identifier: MIT
// Convolutions on a device: which kernel, and with what.
#pragma once
#include "ops/conv.h"

enum { WEFT_CONV_SPEC = 9 }; // constants of shaders/glsl/conv_constants.glsl; a kernel's own follow
// Fills them for a node that has the attributes (first) and inputs of conv2d.
void weft_conv_spec(const weft_node *n, const weft_emit *e, uint32_t spec[WEFT_CONV_SPEC]);

// Of conv2d and conv_transpose2d.
int weft_conv_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS]);
weft_result weft_conv_emit(const weft_node *n, weft_emit *e);
// For kernels that leave sums without the epilogue in f32 scratch, laid out [part][image, row, column][channel, with a gate all of w's]: adds the
// parts and ends the convolution.
weft_result weft_conv_emit_finish(const weft_node *n, weft_emit *e, int scratch, uint32_t parts);
