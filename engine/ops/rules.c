// SPDX-License-Identifier: MIT
// Fusion rules: which pairs of operators one kernel can do.
#include "graph/rules.h"

const weft_fuse_rule weft_fuse_rules[] = { { 0 } };
