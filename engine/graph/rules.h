// SPDX-License-Identifier: MIT
// The table of fusion rules; its rows live with the operators, in ops/rules.c.
#pragma once
#include "graph/graph.h"

extern const weft_fuse_rule weft_fuse_rules[]; // ends with {0}
