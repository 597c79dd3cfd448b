#include "base.h"
WEFT_PARAMS(batch_norm) {
    u32 count;     // elements of y
    f32 eps;
    u32 dim[8];    // of the loop, slowest first; see ops/loop.h
    i32 x_stride[8];
    i32 c_stride[8]; // 1 for the channels, else 0
} WEFT_PARAMS_END;
