#include "base.h"
// Of lstm_cells and lstm_back.
WEFT_PARAMS(lstm_back) {
    u32 n, h, tiles;      // sequences, units, workgroups along units
    u32 steps, step;      // this one of all, counted in the order in which they were taken; `steps`: what h0 receives
    u32 gates_n, gates_t; // from one sequence and time to the next, in rows of x
    u32 backwards;        // the last time was the first step
} WEFT_PARAMS_END;
