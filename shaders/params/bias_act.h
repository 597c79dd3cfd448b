#include "base.h"
WEFT_PARAMS(bias_act) {
    u32 count, c, area; // elements or fours of them, channels or fours, pixels of one image
    f32 a, b;           // of the activation
    f32 gain, clamp;    // clamp 0: none
    u32 c_magic, c_shift, area_magic, area_shift; // glsl/divide.glsl
} WEFT_PARAMS_END;
