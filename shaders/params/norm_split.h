#include "base.h"
// Of norm_partial and norm_apply: a workgroup has some channels of a stretch of positions of one image.
WEFT_PARAMS(norm_split) {
    u32 lines;             // [n, chunks, channels]
    u32 n, channels, chunks;
    u32 rows, chunk;       // positions of a channel, and of a stretch; the last one of a channel may have fewer
    u32 groups, per_group; // channels of a group
    u32 over_n;            // 1: statistics are of all images
    u32 x_stride[3], y_stride[3]; // of image, channel, position
} WEFT_PARAMS_END;
