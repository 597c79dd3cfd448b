#include "base.h"
WEFT_PARAMS(binary) {
    u32 count;         // elements of y
    u32 dim[8];        // of the loop, slowest first; see ops/loop.h
    i32 a_stride[8];
    i32 b_stride[8];
} WEFT_PARAMS_END;
