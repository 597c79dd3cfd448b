#include "base.h"
#define SDPA_BATCH 4
#define SDPA_QUERIES 16 // of a workgroup
#define SDPA_KEYS 32    // looked at together
WEFT_PARAMS(sdpa) {
    u32 batch, l, s, d, e;
    f32 scale;
    u32 tiles, e_tiles; // workgroups along l and e
    u32 mask_l, mask_s; // steps of the mask
    u32 dim[SDPA_BATCH], mask_step[SDPA_BATCH]; // of the batch, slowest first
} WEFT_PARAMS_END;
