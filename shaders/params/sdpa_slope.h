#include "base.h"
WEFT_PARAMS(sdpa_slope) {
    u32 lines, len, width; // queries, keys, numbers in a row of y
    f32 scale;
} WEFT_PARAMS_END;
