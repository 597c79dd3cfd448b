#include "base.h"
#define MATMUL_BATCH 4
WEFT_PARAMS(matmul) {
    u32 m, n, k;
    u32 a_row, a_k, b_k, b_column; // strides
    u32 row_tiles, column_tiles;   // workgroups; invocations for matmul_direct
    u32 batch;                     // products
    u32 dim[MATMUL_BATCH], a_step[MATMUL_BATCH], b_step[MATMUL_BATCH]; // of the batch, slowest first; steps in elements
    u32 parts, k_part;             // of k: how many, and the length of each but the last
} WEFT_PARAMS_END;
