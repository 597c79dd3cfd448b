#include "base.h"
WEFT_PARAMS(upfirdn2d) {
    u32 count, c; // elements of y and channels, or quads of them
    i32 hi, wi;
    u32 ho, wo;
    i32 f[2], up[2], down[2], pad[2]; // y, x; pad: before
    f32 gain;
    f32 a, b, act_gain, clamp; // of the activation; clamp 0: none
} WEFT_PARAMS_END;
