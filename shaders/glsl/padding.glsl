// What lies beyond the edge of a tensor; engine/ops/padding.h says the same for C. -1: zero.
int pad_at(uint mode, int i, int size) {
    if (i >= 0 && i < size) return i;
    if (mode == 0) return -1;
    if (mode == 2 || size == 1) return i < 0 ? 0 : size - 1;
    int period = mode == 1 ? 2 * (size - 1) : size;
    // % of a negative number is not defined in GLSL
    int k = i < 0 ? period - 1 - (-1 - i) % period : i % period;
    return k < size ? k : period - k;
}
