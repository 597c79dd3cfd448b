// SPDX-License-Identifier: MIT
// Tables of weights for `resample`: per output pixel the first input pixel and the weights of those that follow, as f32 bits.
#pragma once
#include "graph/graph.h"

// Output pixel `to` receives `weight` times input pixel `from`; several taps may name the same pair.
typedef struct weft_resample_tap { int64_t to, from; double weight; } weft_resample_tap;

// One axis: a constant [out, 1 + width].
typedef struct weft_resample_axis { weft_value table; int64_t in, out, width; } weft_resample_axis;
weft_resample_axis weft_resample_axis_new(weft_graph *g, const weft_resample_tap *taps, int64_t count, int64_t in, int64_t out);

// x resampled along y and x: at once, or one axis after the other where both have many taps.
weft_value weft_resample(weft_graph *g, weft_value x, const weft_resample_axis *v, const weft_resample_axis *h);
