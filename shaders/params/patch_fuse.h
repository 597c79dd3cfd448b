#include "base.h"
WEFT_PARAMS(patch_fuse) {
    u32 count;           // elements of y: [images, from y x, to y x]
    u32 from[2], to[2];  // patches along y and x
    i32 reach;
} WEFT_PARAMS_END;
