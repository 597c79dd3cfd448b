#include "base.h"
WEFT_PARAMS(unary_grad) {
    u32 count;       // elements, or fours of them
    f32 a, b;        // the operator's attributes
    u32 dim[4];      // of the loop, slowest first; see ops/loop.h
    u32 x_stride[4];
    u32 y_stride[4];
    u32 dy_stride[4];
    u32 magic[4], shift[4]; // of dim: glsl/divide.glsl
} WEFT_PARAMS_END;
