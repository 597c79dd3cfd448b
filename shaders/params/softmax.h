#include "base.h"
WEFT_PARAMS(softmax) {
    u32 lines, len;
    u32 y_step, x_step; // along the line
    f32 scale;
    u32 dim[8];         // of the lines, slowest first; see ops/loop.h
    i32 y_stride[8], x_stride[8];
} WEFT_PARAMS_END;
