#include "base.h"
#define SDPA_BATCH 4
// Of sdpa, sdpa_rows and sdpa_grad: `batch` is images times heads. Own rows, of q or of k, are those that a workgroup answers for; the others pass by.
WEFT_PARAMS(sdpa) {
    u32 batch, own, other; // rows
    u32 d, e;              // numbers in a row of q and k, and in one of v and y
    f32 scale;
    u32 tiles, column_tiles; // workgroups along own rows, and along the columns that they make
    u32 mask_own, mask_other; // steps of the mask
    u32 dim[SDPA_BATCH], mask_step[SDPA_BATCH]; // of the batch, slowest first
    u32 heads, step[3], at[3]; // of q, k and v, and what they receive: from row to row, and where the first head begins in it
} WEFT_PARAMS_END;
