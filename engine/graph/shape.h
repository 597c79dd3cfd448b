// SPDX-License-Identifier: MIT
// Shapes: counting, strides, printing.
#pragma once
#include "base/status.h"

// Elements, 1 for a scalar. Shapes in a bound graph are checked: the product fits 2^40.
static inline int64_t weft_shape_count(weft_shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= s.dim[i];
    return n;
}

// Row-major strides, in elements.
static inline void weft_shape_strides(weft_shape s, int64_t stride[WEFT_MAX_RANK])
{
    int64_t step = 1;
    for (int i = s.rank - 1; i >= 0; i--) stride[i] = step, step *= s.dim[i];
}

static inline bool weft_shape_equal(weft_shape a, weft_shape b)
{
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i]) return false;
    return true;
}

enum { WEFT_SHAPE_TEXT = 192 };
const char *weft_shape_text(weft_shape s, char text[WEFT_SHAPE_TEXT]); // "[1, 3, 256, 256]"

// Every dimension at least 1 and the product at most 2^40: otherwise a sentence that starts with `what`.
weft_result weft_shape_check(weft_shape s, const char *what);

// NumPy's rule: dimensions aligned at the end, 1 stretches. False: they do not fit.
bool weft_shape_broadcast(weft_shape a, weft_shape b, weft_shape *out);

// Strides with which a value of shape `s` is read as if it had shape `to`: 0 where it is stretched.
void weft_shape_stretch(weft_shape s, const int64_t stride[WEFT_MAX_RANK], weft_shape to, int64_t out[WEFT_MAX_RANK]);
