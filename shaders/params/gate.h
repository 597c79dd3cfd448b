#include "base.h"
WEFT_PARAMS(gate) {
    u32 count;     // elements of y
    u32 half_step; // from an element to the one that gates it
    f32 a, b;      // of the activation
    u32 dim[8];    // of the loop, slowest first; see ops/loop.h
    i32 x_stride[8];
} WEFT_PARAMS_END;
