// Where the mask of an attention begins; MASK: there is one. And the least score.
uint mask_first(uint z) { // of the mask, for one of the batch
    uint at = 0;
    if (MASK) [[unroll]] for (int d = SDPA_BATCH - 1; d >= 0; d--) {
        at += z % p.dim[d] * p.mask_step[d];
        z /= p.dim[d];
    }
    return at;
}
const float LEAST = -3.402823466e38;
