#include "base.h"
WEFT_PARAMS(layer_norm) {
    u32 rows, inner; // x is [rows, inner]
    f32 eps;
} WEFT_PARAMS_END;
