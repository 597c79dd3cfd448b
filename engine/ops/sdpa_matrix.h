// SPDX-License-Identifier: MIT
// Attention on matrix units: shaders/sdpa_matrix.comp.
#pragma once
#include "ops/sdpa.h"

// Adds its ways, the best first. Cut: subgroups of a workgroup, keys of a stretch, matrices side by side along v.
void weft_sdpa_matrix_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS], int *count);
// A dispatch's constants, numbers and size; kernel, binds and flops are the caller's. params: with the mask's steps already.
void weft_sdpa_matrix_dispatch(const weft_node *n, const weft_emit *e, weft_dispatch *d, struct sdpa_params *p);
