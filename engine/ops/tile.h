// SPDX-License-Identifier: MIT
// What products through shared memory are expected to cost on a GPU, so that the first way is a good one before the tuner has measured any.
// The figures are from compilers' code (tests/static/INSTRUCTIONS.md) and from what GPUs of all vendors have in common; no device is asked.
#pragma once
#include <math.h>

// Invocations that keep a GPU busy: the 3,000 to 5,000 lanes of those most have, twice, because one invocation in a lane waits too often. A
// larger GPU gains from more; for it the tuner decides.
enum { WEFT_TILE_LANES = 8192 };

// How long a lane is at one multiplication (with addition), 1: as it would be if it did nothing else. An invocation has tall x wide sums of its
// workgroup's pixels x columns. The slowest of three decides:
// - Instructions: what a step does besides multiplications is shared by the invocation's sums. Counted in Vega's, RDNA 3's and Ampere's code:
//   7 to 13 % of vector instructions with 64 sums, 13 to 19 % with 32, 22 to 26 % with 16.
// - Shared memory: (tall + wide) floats for tall x wide multiplications. RDNA 3, Ampere and later, and Xe read 128 bytes for 128 lanes in a cycle,
//   one byte for a multiplication; GCN, RDNA 1 and 2 and Turing have twice that, so for them it is never this that decides from 4 x 4 on.
// - Global memory: pixels + columns floats for pixels x columns multiplications, out of a second-level cache of about 0.16 bytes for each.
static inline double weft_tile_pace(double tall, double wide, double pixels, double columns)
{
    const double issue = 1 + 6 / (tall * wide), shared = 4 * (1 / tall + 1 / wide), global = 4 * (1 / pixels + 1 / columns) / 0.16;
    return fmax(issue, fmax(shared, global));
}

// How long a GPU is at `groups` workgroups of so many invocations, each of which does `each` multiplications at that pace.
static inline double weft_tile_time(double groups, double threads, double each, double pace)
{
    return fmax(1, ceil(groups * threads / WEFT_TILE_LANES)) * each * pace;
}
