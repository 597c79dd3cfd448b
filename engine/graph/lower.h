// SPDX-License-Identifier: MIT
// From a bound graph to what an interpreter walks: the passes in their order, and a plan of the values' memory.
#pragma once
#include "graph/graph.h"
#include "graph/plan.h"
#include "graph/state.h"

// prune, expand, fold, and with `fuse` also fuse and fold again. All graphs in between lie in to->arena.
weft_result weft_lower(const weft_graph *bound, weft_pool *pool, bool fuse, weft_graph *to);
// The same for devices with kernels of their own.
weft_result weft_lower_device(const weft_graph *bound, weft_pool *pool, bool fuse, weft_graph *to);

// Whose memory a value lies in: its own, unless an alias row made it.
weft_value weft_lower_root(const weft_graph *g, weft_value v);
int64_t weft_lower_begin(const weft_graph *g, weft_value v); // and at which element of the root it begins

// last[v] of every root: the last node that reads its memory - aliases read nothing, who reads what they make does -, its maker if
// none does. With `kept`, outputs and what states become are read when all nodes are done: by node_count.
void weft_lower_readers(const weft_graph *g, bool kept, int *last);

// The most bytes of what nodes make that are alive at once, 4 an element, and the first node at which they are. last: as above, with `kept`.
weft_result weft_lower_most_alive(const weft_graph *g, const int *last, weft_arena *scratch, size_t *bytes, int *node);

// Plans the values that nodes make, 4 bytes an element, each from its maker to its last use (`keep`: to the end).
// lives[v] of every value; those that take no room (inputs, constants, aliases, states, what is made in a state) have 0 bytes.
// updates: of every state, as weft_state_plan gave them. scratch: bytes that each node needs beside, planned as lives[value_count + node];
// NULL: none, and lives has value_count elements.
weft_result weft_lower_plan(const weft_graph *g, const weft_state_update *updates, const size_t *scratch, size_t align, bool keep,
                            weft_life *lives, weft_plan *out);

// Bytes that such a plan takes, states included, and operations of a run.
weft_result weft_lower_measure(const weft_graph *g, size_t *bytes, double *flops);

// For a plan (as above, with the states) that does not fit `cap` bytes: makes in `to` the graph that fits with the fewest
// operations done twice or, if none does, the smallest found. False in `changed`: `from` fits, or nothing is smaller; `to` is empty.
weft_result weft_lower_fit(const weft_graph *from, size_t cap, weft_graph *to, bool *changed);
