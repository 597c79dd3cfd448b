#include "base.h"
WEFT_PARAMS(norm_apply) {
    u32 count;     // elements of y
    u32 dim[4];    // of the loop, slowest first
    u32 x_stride[4], stat_stride[4], c_stride[4];
} WEFT_PARAMS_END;
