// Of conv_matrix.glsl where a matrix is as large as the tile: how it is multiplied, and how sums end.
const uint OUT = GATE ? WIDE / 2 : WIDE; // channels of y
shared uint places[TALL]; // of each pixel of the tile in y, or in the sums: ~0: none
#define SUM coopmat<float, SCOPE, TALL, OUT, gl_MatrixUseAccumulator>

void multiply(inout SUM sum, inout SUM gate) {
    coopmat<float16_t, SCOPE, TALL, DEEP, gl_MatrixUseA> u;
    coopmat<float16_t, SCOPE, DEEP, OUT, gl_MatrixUseB> v;
    coopMatLoad(u, xs, 0, X_STEP, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(v, ws, 0, W_STEP, gl_CooperativeMatrixLayoutRowMajor);
    sum = coopMatMulAdd(u, v, sum);
    if (!GATE) return;
    coopMatLoad(v, ws, OUT / 4, W_STEP, gl_CooperativeMatrixLayoutRowMajor);
    gate = coopMatMulAdd(u, v, gate);
}

// Called with one sum after another, by whoever holds it. The first column is channel `first`, those from `end` on are none.
float finished(const in uint row, const in uint column, const in float v, const in uint first) { return finish(v, 0, places[row] + first + column, first + column); }
float finished_gated(const in uint row, const in uint column, const in float v, const in float gate, const in uint first) {
    return finish(v, gate, places[row] + first + column, first + column);
}
float keep(const in uint row, const in uint column, const in float v, const in uint first, const in uint end) {
    uint at = places[row], c = first + column;
#if defined(SPLIT)
    if (at != ~0u && c < end) sums[at + c] = v;
#else
    if (at != ~0u && c < end) y_put(at + c, finish(v, 0, at + c, c));
#endif
    return v;
}
float keep_gated(const in uint row, const in uint column, const in float v, const in float gate, const in uint first, const in uint end) {
    uint at = places[row], c = first + column;
#if !defined(SPLIT)
    if (at != ~0u && c < end) y_put(at + c, finish(v, gate, at + c, c));
#endif
    return v;
}

// A tile that is full is stored as it is where its pixels lie one after another and lines begin at multiples of 16 bytes.
void end_all(tile s, SUM sum, SUM gate) {
    int pixels = s.rows * s.columns;
    bool whole = WIDE_OUT == 2 && p.phases[0] * p.phases[1] == 1 && s.first_pixel + int(TALL) <= pixels && s.c + OUT <= s.end;
#if defined(SPLIT)
    uint line = GATE ? 2 * p.co : p.co, part = LINEAR_GROUP % PARTS * (p.n * p.ho * p.wo);
#else
    uint line = p.co, part = 0;
#endif
    for (uint i = gl_LocalInvocationIndex; i < TALL; i += THREADS) {
        int j = s.first_pixel + int(i);
        places[i] = j < pixels ? (tile_pixel(s, j) / p.co + part) * line : ~0u;
    }
    barrier();
    uint at = places[0] + s.c;
#if defined(SPLIT)
    if (whole) {
        coopMatStore(sum, sums, at, line, gl_CooperativeMatrixLayoutRowMajor);
        if (GATE) coopMatStore(gate, sums, at + p.co, line, gl_CooperativeMatrixLayoutRowMajor);
    } else {
        coopMatPerElementNV(sum, sum, keep, s.c, s.end);
        if (GATE) coopMatPerElementNV(gate, gate, keep, s.c + p.co, s.end + p.co);
    }
#else
    if (whole) {
        if (GATE) coopMatPerElementNV(sum, sum, finished_gated, gate, s.c);
        else coopMatPerElementNV(sum, sum, finished, s.c);
        coopMatStore(coopmat<float16_t, SCOPE, TALL, OUT, gl_MatrixUseAccumulator>(sum), y_data, at, line, gl_CooperativeMatrixLayoutRowMajor);
    } else {
        if (GATE) coopMatPerElementNV(sum, sum, keep_gated, gate, s.c, s.end);
        else coopMatPerElementNV(sum, sum, keep, s.c, s.end);
    }
#endif
}
