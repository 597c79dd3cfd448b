// SPDX-License-Identifier: MIT
// Where the tensors of a program lie: a plan from the program alone, before any device object exists.
#pragma once
#include "graph/plan.h"
#include "graph/program.h"
#include "graph/state.h"

typedef struct weft_place_params {
    size_t align, block; // of device memory: of every tensor, and the most bytes one allocation may have, a multiple of it
    bool keep;           // values last to the end of a run
    bool tight;          // no memory is given for fewer barriers
} weft_place_params;

// lives[b] of every buffer; those that take no room here (constants, aliases, states, what is made in a state) have 0 bytes.
// States have memory of their own, and where there are any, runs are repeated without inputs: those must last to the end.
weft_result weft_program_plan(const weft_program *p, const weft_graph *g, const weft_state_update *updates, const weft_place_params *params,
                              weft_life *lives, weft_plan *out);
