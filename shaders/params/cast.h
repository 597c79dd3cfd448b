#include "base.h"
WEFT_PARAMS(cast) {
    u32 count; // elements
} WEFT_PARAMS_END;
