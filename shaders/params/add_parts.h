#include "base.h"
WEFT_PARAMS(add_parts) {
    u32 count, parts; // sums, and what each is the sum of
} WEFT_PARAMS_END;
