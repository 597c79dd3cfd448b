// SPDX-License-Identifier: MIT
// A generator's weights as something to find, and a generator with others put in.
#pragma once
#include "edit/objective.h"

// The parameters of its synthesis, by name: not noise maps, filters of resampling, or numbers in formulas. The arena holds the list.
weft_result weft_tuned_names(const weft_source *g, weft_arena *a, const char *const **names, int *count);

// A model of the same entries and metadata with these weights in place of its own; what stays is shared.
weft_result weft_tuned_model(weft_context *ctx, const weft_model *m, const weft_array *weights, int count, weft_model **out);
