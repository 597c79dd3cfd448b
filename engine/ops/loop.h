// SPDX-License-Identifier: MIT
// An iteration space in which several tensors are walked together: what strided kernels loop over.
// Dimensions are ordered as the first tensor lies in memory, and merged where all tensors allow it, so most
// elementwise work ends up with rank 1. The first tensor must be packed: position i of the loop is its element i.
#pragma once
#include "graph/op.h"

enum { WEFT_LOOP_TENSORS = 4 };
typedef struct weft_loop {
    int rank, tensors;
    int64_t dim[WEFT_MAX_RANK];                         // slowest first
    int64_t stride[WEFT_LOOP_TENSORS][WEFT_MAX_RANK];   // in elements
} weft_loop;

// `shape` is that of the first tensor; stride[t][d] its and the others' strides over its dimensions.
void weft_loop_make(weft_loop *l, weft_shape shape, int tensors, int64_t stride[][WEFT_MAX_RANK]);

// The loop of output 0 of a node and its inputs 0.., stretched to it (NumPy's rule), as they lie in memory.
void weft_loop_broadcast(weft_loop *l, const weft_node *n, int inputs);

// The output's layout in a shader's terms: fills dim[8] and stride[8] of one tensor, padded with 1 and 0.
void weft_loop_dims(const weft_loop *l, uint32_t dim[WEFT_MAX_RANK]);
void weft_loop_strides(const weft_loop *l, int tensor, int32_t stride[WEFT_MAX_RANK]);

// Kernels index with 32 bits: fails, naming the node, when a tensor of the node has more elements.
weft_result weft_loop_check(const weft_node *n);

// Walks positions begin..end of a loop on the processor, one line of its fastest dimension after the other:
//   for (weft_lines w = weft_lines_of(&l, begin, end); weft_lines_next(&w);)
//       w.count elements from at[t] on, step[t] apart, in every tensor t.
typedef struct weft_lines {
    const weft_loop *loop;
    int64_t begin, end, count, at[WEFT_LOOP_TENSORS], step[WEFT_LOOP_TENSORS];
} weft_lines;
weft_lines weft_lines_of(const weft_loop *l, int64_t begin, int64_t end);
bool weft_lines_next(weft_lines *w);
