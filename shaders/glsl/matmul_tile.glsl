// Matrix products through shared memory: a workgroup's tile of y, and how a step's part of a and b is brought in.
// Both operands are lines (rows of a, columns of b) along k. Elements that lie next to each other in memory belong to one
// line, or, where the operand is turned, to one k. They are loaded in fours.
struct tile {
    uint row, column;      // of y: the first
    uint begin, end;       // of k
    uint a_first, b_first; // where the matrices begin
    uint y_first;          // elements of y, or of the parts, before this matrix
};
// False: there is nothing for this workgroup.
bool tile_of(uint id, uint tall, uint wide, out tile s) {
    s.column = id % p.column_tiles * wide;
    id /= p.column_tiles;
    s.row = id % p.row_tiles * tall;
    id /= p.row_tiles;
    uint part = id % p.parts, z = id / p.parts;
    s.begin = part * p.k_part, s.end = min(s.begin + p.k_part, p.k);
    matmul_batch(z, s.a_first, s.b_first);
    s.y_first = (part * p.batch + z) * p.m * p.n;
    return z < p.batch;
}

struct piece { uint at, line, k, left; }; // four elements: where they lie, line and k in the step, how many lines there are
piece piece_of(bool turned, uint e, uint deep, uint lines) { // number e of a step of `lines` x `deep`
    piece s;
    s.line = turned ? e % (lines / 4) * 4 : e / (deep / 4);
    s.k = turned ? e / (lines / 4) : e % (deep / 4) * 4;
    return s;
}
// How many of the four exist at step k0.
uint piece_count(bool turned, piece s, uint k0, uint end) {
    uint k = k0 + s.k;
    return k >= end ? 0 : turned || s.left == 0 ? s.left : min(end - k, 4);
}
#define PIECE_LOAD(name, type, one, scalar, four, wide) \
    type name(uint i, uint count) {                     \
        type v = type(0);                               \
        if (count == 0) return v;                       \
        if (wide) return type(four[i / 4]);             \
        v.x = one(scalar[i]);                           \
        if (count > 1) v.y = one(scalar[i + 1]);        \
        if (count > 2) v.z = one(scalar[i + 2]);        \
        if (count > 3) v.w = one(scalar[i + 3]);        \
        return v;                                       \
    }
