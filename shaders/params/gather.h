#include "base.h"
WEFT_PARAMS(gather) {
    u32 count;         // elements of y
    u32 dim[8];        // of the loop, slowest first
    i32 x_stride[8];   // 0 along the dimensions of ids
    i32 ids_stride[8]; // 0 along the others
    u32 axis_size;     // of x
    i32 axis_stride;
} WEFT_PARAMS_END;
