#include "base.h"
WEFT_PARAMS(pad) { // 128 bytes: the count is the product of the dimensions
    u32 dim[8];      // of y, slowest in memory first
    i32 before[8];   // elements added in front; negative: taken away
    u32 x_dim[8];
    i32 x_stride[8];
} WEFT_PARAMS_END;
