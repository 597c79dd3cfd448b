#include "base.h"
WEFT_PARAMS(up_conv) {
    u32 n, ci, co, c; // images; channels of x and y; c: those of y, or fours of them
    i32 hi, wi;
    u32 ho, wo;
    i32 from[2];      // y, x: row and column of the convolution's whole result, which nothing was taken from, that output 0's first tap meets
    i32 begin[2], end[2]; // what is left of that
    u32 tall;         // rows of y that a workgroup makes
    u32 blocks, strips, segments; // workgroups: along the channels, the columns, the rows
    f32 gain;
    f32 a, b, act_gain, clamp; // of the activation; clamp 0: none
} WEFT_PARAMS_END;
