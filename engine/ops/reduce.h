// SPDX-License-Identifier: MIT
// Reductions over some dimensions of input 0, for rows that are one in disguise.
#pragma once
#include "graph/op.h"

enum weft_reduce { WEFT_SUM, WEFT_MEAN, WEFT_MAX, WEFT_MIN, WEFT_PROD, WEFT_L1, WEFT_L2, WEFT_SUM_SQUARE, WEFT_LOG_SUM_EXP, WEFT_ARGMAX, WEFT_ARGMIN,
                   WEFT_SUM_PRODUCT };

// Bit d: dimension d of input 0 is one of those that a row of ops/reduce.c with these attributes takes together. False: there is no such one.
bool weft_reduce_mask(const weft_node *n, uint32_t *mask);

// Output 0 is input 0 reduced over the dimensions of `mask` (bit d: dimension d), which it keeps as 1 or drops.
weft_result weft_reduce_emit(const weft_node *n, weft_emit *e, enum weft_reduce how, uint32_t mask, bool keep);
