// SPDX-License-Identifier: MIT
// Tables of weights for `resample`: per output pixel the first input pixel and the weights of those that follow, as f32 bits.
#pragma once
#include "graph/graph.h"

typedef struct weft_resample_table {
    int32_t *first;   // of output pixel i: first[i * step]; its weights follow
    int64_t step;
} weft_resample_table;

// A constant [size, 1 + width] of zeros to be filled in place; -1: no memory.
weft_value weft_resample_new(weft_graph *g, int64_t size, int64_t width, weft_resample_table *out);
void weft_resample_add(weft_resample_table *t, int64_t i, int64_t k, double weight); // to weight k of output pixel i
