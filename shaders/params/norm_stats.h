#include "base.h"
WEFT_PARAMS(norm_stats) {
    u32 count;     // statistics: [n, groups], or [groups] over all images
    u32 channels, groups, per_group, chunks;
    u32 lines;     // partials of one channel: chunks, or n * chunks
    f32 chunk, last; // positions of a partial, of the last one of a channel
    f32 total;     // positions of a statistic
    f32 eps;
    u32 n_stride, c_stride; // of x
} WEFT_PARAMS_END;
