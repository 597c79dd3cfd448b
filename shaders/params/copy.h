#include "base.h"
WEFT_PARAMS(copy) {
    u32 count;       // elements moved
    u32 dim[8];      // of the loop, slowest first
    i32 y_stride[8];
    i32 x_stride[8]; // may be negative, or 0
    u32 y_offset, x_offset;
    u32 magic[4], shifts; // of dim[1] to dim[4], a byte each: glsl/divide.glsl
} WEFT_PARAMS_END;
