#include "base.h"
WEFT_PARAMS(add_parts) {
    u32 count, each, parts; // sums, of one tensor, and what each is the sum of
} WEFT_PARAMS_END;
