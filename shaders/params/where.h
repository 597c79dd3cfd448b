#include "base.h"
WEFT_PARAMS(where) { // 128 bytes: the count is the product of the dimensions
    u32 dim[8]; // of the loop, slowest first
    i32 cond_stride[8];
    i32 a_stride[8];
    i32 b_stride[8];
} WEFT_PARAMS_END;
