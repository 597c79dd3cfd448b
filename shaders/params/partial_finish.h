#include "base.h"
WEFT_PARAMS(partial_finish) {
    u32 count, c;     // elements of y, and its channels
    u32 mask_pixels;  // of all masks: fewer than y's where the images share one
    u32 mask_c;       // channels of m
    f32 window, eps;
} WEFT_PARAMS_END;
