// SPDX-License-Identifier: MIT
// Windows of the pooling rows and of their gradients.
#pragma once
#include "graph/op.h"

typedef struct weft_pool_attrs { int32_t kernel[2], stride[2], dilation[2], pads[4], ceil_mode, count_include_pad, size[2]; } weft_pool_attrs;
enum { WEFT_POOL_MAX, WEFT_POOL_AVG, WEFT_POOL_ADAPTIVE_MAX, WEFT_POOL_ADAPTIVE_AVG }; // index of the row, and of its gradient
static inline int64_t weft_pool_stride(const weft_pool_attrs *at, int d) { return at->stride[d] ? at->stride[d] : at->kernel[d]; }

// How many windows `in` pixels have along one axis.
weft_result weft_pool_windows(const weft_node *n, const weft_pool_attrs *at, int d, int64_t in, int64_t *count);

typedef struct weft_pool_span { int64_t begin, end, step, counted; } weft_pool_span; // pixels of a window along one axis; how many an average divides by
weft_pool_span weft_pool_span_of(const weft_pool_attrs *at, bool adaptive, int d, int64_t in, int64_t outs, int64_t out);

#define WEFT_POOL_WINDOW \
    WEFT_ATTR(weft_pool_attrs, kernel, INT, .count = 2, .def = 1, .min = 1, .max = 4096, .doc = "size of the window, y and x"), \
    WEFT_ATTR(weft_pool_attrs, stride, INT, .count = 2, .def = 0, .min = 0, .max = 4096, .doc = "step of the window; 0: its size"), \
    WEFT_ATTR(weft_pool_attrs, pads, INT, .count = 4, .min = 0, .max = 4096, .doc = "pixels added: top, left, bottom, right"), \
    WEFT_ATTR(weft_pool_attrs, ceil_mode, INT, .min = 0, .max = 1, .doc = "1: a last window that hangs over the end counts")
#define WEFT_POOL_SIZE WEFT_ATTR(weft_pool_attrs, size, INT, .count = 2, .def = 1, .min = 1, .max = 65536, .doc = "height and width of y")
