#include "base.h"
WEFT_PARAMS(adam) {
    u32 count;        // elements of p, or fours of them
    u32 decoupled;    // the decay shrinks p itself
    f32 beta1, rest1; // rest: 1 - beta
    f32 beta2, rest2;
    f32 log1, log2;   // natural logarithms of the betas
    f32 eps, decay;
} WEFT_PARAMS_END;
