// SPDX-License-Identifier: MIT
// Ways as text, and the text by which nodes that want the same way are known.
#pragma once
#include "graph/graph.h"

// "conv_tile 8 8 1": the kernel and its cut, without the zeros at its end. Gives `text`.
enum { WEFT_WAY_TEXT = 48 };
const char *weft_way_text(const weft_way *w, char text[WEFT_WAY_TEXT]);

// "conv2d stride=2 pads=1,1,1,1 [1,64,128,128]/image/f16 [64,64,3,3]/kernel/f16 -": operator, attributes that are not floats, and what lies
// where, outputs last. A text that does not fit ends in a hash of the rest. `physical`: the graph of the node.
enum { WEFT_NODE_KEY = 512 };
const char *weft_node_key(const weft_graph *physical, const weft_node *n, char key[WEFT_NODE_KEY]);
