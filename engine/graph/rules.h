// SPDX-License-Identifier: MIT
// The table of fusion rules; its rows live with the operators, in ops/rules.c.
#pragma once
#include "graph/graph.h"

extern const weft_fuse_rule weft_fuse_rules[]; // ends with {0}

// Those of use before a gradient is taken: what one row's gradient says better than that of two.
extern const weft_fuse_rule weft_grad_fuse_rules[];

// Those for devices, on a graph that the others are done with.
extern const weft_fuse_rule weft_device_fuse_rules[];

extern const weft_beside_rule weft_beside_rules[], weft_device_beside_rules[];

// Products of a few rows, many in one node: ops/products_find.c. False in `changed`: there is nothing to gain, `to` is void.
weft_result weft_pass_products(const weft_graph *from, weft_graph *to, bool *changed);

// Last of all: nodes that can be said in another way, by themselves.
extern const weft_simple_rule weft_simple_rules[];
