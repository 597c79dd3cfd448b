#include "base.h"
WEFT_PARAMS(matmul_finish) {
    u32 count; // elements of y
    u32 n;     // length of its rows
    u32 parts;
} WEFT_PARAMS_END;
