// SPDX-License-Identifier: MIT
// One graph inside another: its nodes, with values of the other as its inputs.
#pragma once
#include "graph/model.h"

// Adds the nodes of `from` to `to`. map[v] of every value of `from` is what takes its place in `to`: given for the inputs and for
// constants that are replaced, -1 for all others, which are filled in. Names get "prefix/" in front; NULL: they stay. The constants
// become weights of `into` (which must keep alive what holds them): those that are there already, by their data, or by name and
// content, are taken; NULL: they come along as they are.
weft_result weft_graph_insert(const weft_graph *from, weft_graph *to, weft_value *map, const char *prefix, weft_model *into);
