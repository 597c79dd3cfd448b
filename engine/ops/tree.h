// SPDX-License-Identifier: MIT
// Rows whose workgroups add up together: by subgroup operations where a device has them, or through shared memory (glsl/tree.glsl).
#pragma once
#include "graph/op.h"

static inline int weft_tree_ways(const weft_emit *e, const char *by_subgroup, const char *shared, weft_way *list)
{
    int count = 0;
    if (weft_emit_caps(e)->subgroup_add) list[count++] = (weft_way) { by_subgroup, { 0 } };
    list[count++] = (weft_way) { shared, { 0 } };
    return count;
}
