#include "base.h"
WEFT_PARAMS(one_hot) {
    u32 count;         // elements of y
    u32 dim[8];        // of the loop, slowest first
    i32 ids_stride[8];
    i32 own_stride[8]; // 1 along the new axis
    u32 depth;
    f32 on, off;
} WEFT_PARAMS_END;
