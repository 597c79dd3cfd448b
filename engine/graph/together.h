// SPDX-License-Identifier: MIT
// Nodes that do not depend on each other as one node.
#pragma once
#include "graph/graph.h"

typedef struct weft_bundle { // nodes whose work one other does; what it puts into the map is all that others read of them
    const int *nodes;
    int node_count;
    const weft_value *needs; // what they read of others; -1: nothing
    int need_count;
    const void *what; // for `make`
} weft_bundle;

// Adds the node of a bundle to `to`, and puts what it makes into the map.
typedef weft_result weft_bundle_make(void *user, const weft_bundle *b, const weft_graph *from, weft_graph *to, weft_value *map);

// Copies `from` with every bundle made as one, when all that it needs is there; others wait for it. False in `changed`: nothing was gained,
// because more memory would be alive at once; `to` is empty. No node of a bundle, nor of those it waits for, may wait for the bundle.
weft_result weft_graph_together(const weft_graph *from, const weft_bundle *list, int count, weft_bundle_make *make, void *user, weft_graph *to, bool *changed);
