#include "base.h"
// Of every convolution kernel. Outputs of one phase (all there are, unless transposed) are numbered by j on each axis:
// they lie at phase + j phases, and meet input at + j stride + t tap through the weights' tap first + t tap_by.
WEFT_PARAMS(conv) {
    u32 n, ci, co;       // of x and y; with a gate w has twice co
    i32 hi, wi, ho, wo;
    i32 kernel[2];       // y, x, as all pairs
    i32 stride[2];       // 1 when transposed
    i32 tap[2];          // input positions from one tap to the next; negative when transposed
    i32 tap_by[2];       // taps from one that counts to the next; 1 unless transposed
    i32 pad[2];          // before
    i32 dilation[2];
    i32 phases[2];       // the stride when transposed, else 1
    u32 ci_group, co_group;
    u32 w_tap, w_group, w_ci; // strides of w; that of output channels is 1
    f32 a, b;            // of the activation
    u32 column_tiles, pixel_tiles; // workgroups of a group of channels, of a phase of an image
    u32 by_pixels;       // 1: workgroups that follow each other share weights, 0: pixels
} WEFT_PARAMS_END;
