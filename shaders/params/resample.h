#include "base.h"
WEFT_PARAMS(resample) {
    u32 count, c;   // elements of y and channels, or quads of them
    u32 hi, wi, ho, wo;
    u32 taps_v, taps_h;
} WEFT_PARAMS_END;
