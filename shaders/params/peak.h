#include "base.h"
WEFT_PARAMS(peak) {
    u32 turns;   // peak_fma: of the loop; peak_read: loads of an invocation
    u32 stride;  // between the loads or stores of an invocation, in fours
    u32 count;   // fours there are
    f32 a, b;    // peak_fma: x = x a + b
} WEFT_PARAMS_END;
