#include "base.h"
WEFT_PARAMS(sgd) {
    u32 count;    // elements of p
    u32 nesterov;
    f32 momentum, decay;
} WEFT_PARAMS_END;
