// SPDX-License-Identifier: MIT
// Attention on matrix units: shaders/sdpa_matrix.comp, shaders/sdpa_matrix2.comp and, for the gradient, shaders/sdpa_grad_matrix.comp.
#pragma once
#include "ops/sdpa.h"

// Adds ways of sdpa, the best first. Cut: subgroups of a workgroup, keys of a stretch, matrices side by side along v.
void weft_sdpa_matrix_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS], int *count);
// With matrices as large as the tile. Cut: queries and keys of a stretch, columns of v, invocations, all in eights.
void weft_sdpa_matrix2_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS], int *count);
// A dispatch's constants, numbers and size, of either; kernel, binds and flops are the caller's. params: with the mask's steps already.
void weft_sdpa_matrix_dispatch(const weft_node *n, const weft_emit *e, weft_dispatch *d, struct sdpa_params *p);

// Of sdpa_grad, whose q is input `first`; own rows are queries, or keys.
void weft_sdpa_grad_matrix_ways(const weft_node *n, int first, const weft_emit *e, weft_way list[WEFT_MAX_WAYS], int *count);
weft_result weft_sdpa_grad_matrix_dispatch(const weft_node *n, int first, const weft_emit *e, bool keys, weft_dispatch *d, struct sdpa_params *p);
