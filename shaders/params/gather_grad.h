#include "base.h"
WEFT_PARAMS(gather_grad) {
    u32 count; // elements of dx, [.., size, inner]
    u32 size, ids, inner; // dy is [.., ids, inner]
} WEFT_PARAMS_END;
