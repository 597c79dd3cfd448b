// SPDX-License-Identifier: MIT
// What the softmax rows are told, and softmax over packed lines for rows that have one inside.
#pragma once
#include "graph/op.h"

typedef struct weft_softmax_attrs { int32_t axis; float scale; } weft_softmax_attrs; // a negative axis counts from the end

// Writes exp(scale x) / sum over the line of exp(scale x) of `lines` lines of `len` numbers.
weft_result weft_softmax_lines(weft_emit *e, int64_t lines, int64_t len, double scale, weft_bind y, weft_bind x);
