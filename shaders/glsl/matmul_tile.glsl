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

// An invocation loads fours, or `each`, from the piece on, each some lines or some k after the one before: little to keep in registers.
struct piece { uint at, line, k; }; // where the first lies, its line and k in the step
piece piece_of(bool turned, uint me, uint each, uint deep, uint lines, uint first, uint line_step, uint k_step) {
    uint line = turned ? me % (lines / each) * each : me / (deep / each), k = turned ? me / (lines / each) : me % (deep / each) * each;
    return piece(first + line * line_step + k * k_step, line, k);
}
piece piece_next(piece s, uint i, uint line, uint k, uint line_step, uint k_step) { // the i-th after it, `line` and `k` from one to the next
    return piece(s.at + i * (line * line_step + k * k_step), s.line + i * line, s.k + i * k);
}
// How many of the four exist, where `lines` and `deep` are left.
uint piece_count(bool turned, piece s, uint lines, uint deep) {
    return s.line >= lines || s.k >= deep ? 0 : turned ? min(lines - s.line, 4) : min(deep - s.k, 4);
}
#define PIECE_LOAD(name, type, one, scalar, four, wide) \
    type name(uint i, uint count) {                     \
        type v = type(0);                               \
        if (count == 0) return v;                       \
        if (wide) return type(four(i / 4));             \
        v.x = one(scalar(i));                           \
        if (count > 1) v.y = one(scalar(i + 1));        \
        if (count > 2) v.z = one(scalar(i + 2));        \
        if (count > 3) v.w = one(scalar(i + 3));        \
        return v;                                       \
    }
