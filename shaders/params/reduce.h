#include "base.h"
WEFT_PARAMS(reduce) {
    u32 count, len;    // outputs, and elements of each
    u32 chunks, chunk; // into which those are split, and their size
    f32 total;         // elements of an output before any split
    u32 dim[8];        // kept dimensions in the order of y, then reduced ones in the order of x
    u32 x_stride[8];
    u32 index_stride[8]; // of the reduced ones: where an element stands among them
} WEFT_PARAMS_END;
