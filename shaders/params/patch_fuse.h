#include "base.h"
WEFT_PARAMS(patch_fuse) {
    u32 count;
    u32 from[2], to[2]; // patches along y and x
    i32 reach;
    u32 turned;         // columns first
    u32 y_part[2], x_part[2], before_part[2], after_part[2]; // of the patches that j counts: first, how many
} WEFT_PARAMS_END;
