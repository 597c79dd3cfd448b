// n / d for n below 2^31, from what engine/ops/divide.h made of d: a division takes some 30 instructions on GPUs, and far more on processors.
uint divide(uint n, uint magic, uint shift) {
    uint high, low;
    umulExtended(n, magic, high, low);
    return magic == 0 ? n : high >> shift;
}
