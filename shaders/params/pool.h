#include "base.h"
WEFT_PARAMS(pool) {
    u32 count, c; // elements of y and channels, or quads of them
    i32 hi, wi, ho, wo;
    i32 kernel[2], stride[2], dilation[2], pads[4];
} WEFT_PARAMS_END;
