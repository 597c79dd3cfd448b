#include "base.h"
WEFT_PARAMS(binary_four) {
    u32 count;          // fours of y
    u32 dim[4];         // of the loop, slowest first, the last one in fours; see ops/loop.h
    u32 a_stride[4];    // in fours, or in elements where four elements of y share one
    u32 b_stride[4];
    u32 magic[4], shift[4]; // of dim: glsl/divide.glsl
} WEFT_PARAMS_END;
