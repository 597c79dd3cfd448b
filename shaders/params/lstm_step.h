#include "base.h"
WEFT_PARAMS(lstm_step) {
    u32 n, h, dirs;       // sequences, units, directions
    u32 steps, step;      // this one of all
    u32 row_tiles;        // workgroups along n
    u32 gates_n, gates_t; // from one sequence and time to the next, in rows of x
} WEFT_PARAMS_END;
