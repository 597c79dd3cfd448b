#include "base.h"
WEFT_PARAMS(bias_act) {
    u32 count, c, area; // elements, channels, pixels of one image
    f32 a, b;           // of the activation
    f32 gain, clamp;    // clamp 0: none
} WEFT_PARAMS_END;
