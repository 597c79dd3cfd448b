// Which of a and b lie in f16 though all else is f32: bits of a constant HALVES of each kernel.
#define A_HALF ((HALVES & 1u) != 0)
#define B_HALF ((HALVES & 2u) != 0)

// Where the matrices of product z begin.
void matmul_batch(uint z, out uint a_first, out uint b_first) {
    a_first = b_first = 0;
    [[unroll]] for (int d = MATMUL_BATCH - 1; d >= 0; d--) {
        uint at = z % p.dim[d];
        z /= p.dim[d];
        a_first += at * p.a_step[d];
        b_first += at * p.b_step[d];
    }
}
