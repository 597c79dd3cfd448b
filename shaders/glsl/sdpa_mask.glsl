// Where the mask of an attention begins (MASK: there is one), where rows do, and the least score.
uint mask_first(uint z) { // of the mask, for one of the batch
    uint at = 0;
    if (MASK) [[unroll]] for (int d = SDPA_BATCH - 1; d >= 0; d--) {
        at += z % p.dim[d] * p.mask_step[d];
        z /= p.dim[d];
    }
    return at;
}
// Row 0 of q (0), k (1) or v (2), of one of the batch; there are `rows` of `width` numbers, p.step[which] from one to the next.
uint rows_first(uint which, uint rows, uint z, uint width) { return z / p.heads * rows * p.step[which] + z % p.heads * width + p.at[which]; }
// And of y, whose rows are as long as all heads.
uint y_first(uint rows, uint z) { return (z / p.heads * rows * p.heads + z % p.heads) * p.e; }
uint y_step() { return p.heads * p.e; }
const float LEAST = -3.402823466e38;
