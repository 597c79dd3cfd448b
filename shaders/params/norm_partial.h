#include "base.h"
WEFT_PARAMS(norm_partial) {
    u32 count;    // partials: [n, chunks, channels]
    u32 channels, chunks;
    u32 rows;     // positions of a channel
    u32 chunk;    // positions of a partial; the last one of a channel may have fewer
    u32 n_stride, c_stride, row_stride; // of x
} WEFT_PARAMS_END;
