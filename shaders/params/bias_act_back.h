#include "base.h"
WEFT_PARAMS(bias_act_back) {
    u32 n, c, area;      // images, channels or fours of them, pixels of one image
    u32 columns, chunks; // workgroups side by side over channels, one after another over pixels of an image
    f32 a, b;            // of the activation
    f32 gain, per_gain;  // and 1 / gain
    f32 clamp;           // from which absolute value on y is limited; 0: never
} WEFT_PARAMS_END;
