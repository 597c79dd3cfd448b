#include "base.h"
// Of norm_whole and norm_grad.
WEFT_PARAMS(norm_whole) {
    u32 stats;             // statistics: [n, groups], or [groups] over all images
    u32 groups, per_group; // channels of a group
    u32 positions, rows;   // of a statistic, and of one image
    u32 x_stride[3], y_stride[3]; // of image, channel, position
    u32 count;             // elements of a statistic
    f32 eps;
    u32 group_magic, group_shift, position_magic, position_shift, row_magic, row_shift; // divide by per_group, positions and rows
} WEFT_PARAMS_END;
