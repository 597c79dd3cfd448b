// SPDX-License-Identifier: MIT
// A convolution by a kernel as large as an image is what a gradient by weights is said as: a library has its own way for it.
#pragma once
#include "cpu/fast.h"

typedef struct weft_cpu_conv_weights weft_cpu_conv_weights;

// Whether the conv2d node is such a one: plain, with a kernel that is larger than the output.
bool weft_cpu_conv_weights_fits(const weft_node *n);
// *out NULL on success: the library cannot. *scratch: bytes that run needs.
weft_result weft_cpu_conv_weights_create(weft_context *ctx, const weft_node *n, weft_cpu_conv_weights **out, size_t *scratch);
weft_result weft_cpu_conv_weights_run(weft_cpu_conv_weights *w, const weft_node *n, float *y, const float *x, const float *kernel, void *scratch);
void weft_cpu_conv_weights_destroy(weft_context *ctx, weft_cpu_conv_weights *w);
