// SPDX-License-Identifier: MIT
// One graph inside another: its nodes, with values of the other as its inputs.
#pragma once
#include "graph/model.h"

// Adds the nodes of `from` to `to`. map[v] of every value of `from` is what takes its place in `to`: given for the inputs and for
// constants that are replaced, -1 for all others, which are filled in. Names get "prefix/" in front; NULL: they stay. The constants
// become weights of `into` (which must keep alive what holds them): those that are there already, by their data, or by name and
// content, are taken; NULL: they come along as they are. States come along; dims[k] is what their dimension -k-1 is.
weft_result weft_graph_insert(const weft_graph *from, weft_graph *to, weft_value *map, const int64_t *dims, const char *prefix, weft_model *into);

// The weight of the model that `w` of another one is, or becomes: its data is shared.
weft_result weft_model_share(weft_model *m, const weft_weight *w, const char *prefix, const weft_weight **out);
