#include "base.h"
WEFT_PARAMS(down_conv) {
    u32 n, ci, co;
    i32 hi, wi, ho, wo; // of x and y
    i32 between[2];     // y, x: size of what lies between filter and convolution
    i32 crop[2];        // the convolution's pads around that: top, left
    i32 pads[2];        // the filter's around x
    f32 gain;           // the filter's
    f32 a, b;           // of the activation
    u32 blocks, across, down; // workgroups of an image: along the channels, the columns, the rows
} WEFT_PARAMS_END;
