#include "base.h"
// Of the kernels that sum up what a convolution's weights receive. dw[o, i, tap] lies at o o_step + i i_step + tap tap_step. Sums of parts of the
// pixels lie apart, each [tap][i][o of all groups].
WEFT_PARAMS(conv_weights) {
    u32 n, ci, co;       // images, channels of x, of dy
    i32 hi, wi, ho, wo;
    i32 kernel[2];       // y, x, as all pairs
    i32 stride[2], dilation[2];
    i32 pad[2];          // before
    u32 ci_group, co_group;
    u32 o_step, i_step, tap_step;
    u32 parts, part;     // and how many lines or pixels of dy each has
    u32 row_tiles, column_tiles;
} WEFT_PARAMS_END;
