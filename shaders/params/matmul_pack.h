#include "base.h"
WEFT_PARAMS(matmul_pack) {
    u32 count;         // elements written: [matrices, k, width]
    u32 k, n, width;
    u32 b_k, b_column; // strides
} WEFT_PARAMS_END;
