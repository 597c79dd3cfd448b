#include "base.h"
WEFT_PARAMS(unfold) { // and fold, with x and y exchanged: "image" and "columns"
    u32 count;            // elements written
    u32 c, hi, wi;        // of the image
    u32 ho, wo;           // positions of the window
    i32 image_stride[4];
    u32 kernel[2], stride[2], dilation[2]; // y, x
    i32 top, left;
} WEFT_PARAMS_END;
