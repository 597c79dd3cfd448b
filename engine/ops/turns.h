// SPDX-License-Identifier: MIT
// Loops of kernels: an old software driver (lavapipe of Mesa 22) ends all loops of an invocation once they have made 65,535 turns together, with
// no word of it. Each time a loop is met its end counts as one more; loops that the compiler unrolls do not count. GPUs have no such limit.
#pragma once
#include "graph/op.h"

// How many numbers, pixels or the like an invocation may go through, each of which costs `turns` of its loops.
static inline int64_t weft_turns_most(const weft_caps *caps, double turns)
{
    const double most = 65000;
    return !caps->is_software ? INT64_MAX / 2 : turns >= most ? 1 : (int64_t) (most / turns);
}
