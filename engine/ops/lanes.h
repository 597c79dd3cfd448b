// SPDX-License-Identifier: MIT
// Kernels whose lanes load different elements and broadcast them to each other: the *_subgroup ones.
#pragma once
#include "graph/op.h"

// The size that their subgroups shall have: 0 where nothing can be relied on. GPUs: 32, which most of them are made for, or what comes nearest,
// up to 64; the least where registers are few, because lanes share them.
static inline uint32_t weft_lanes(const weft_caps *caps)
{
    const uint32_t least = caps->subgroup_sizes[0], most = caps->subgroup_sizes[1];
    const uint32_t lanes = caps->few_registers || least > 32 ? least : most < 32 ? most : 32;
    return lanes >= 4 && lanes <= (caps->is_software ? 32 : 64) ? lanes : 0;
}
