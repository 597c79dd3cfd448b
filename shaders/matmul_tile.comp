#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel matmul_tile    matrix product through shared memory: ROW_QUADS x COLUMN_QUADS times 4 x 4 per invocation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/matmul.h"
#include "glsl/matmul.glsl"
#include "glsl/matmul_tile.glsl"
#include "glsl/raw.glsl"

layout(constant_id = 3) const bool A_TURNED = false; // elements next to each other: of one k, else of one row
layout(constant_id = 4) const bool B_TURNED = true;  // of one k, else of one column
layout(constant_id = 5) const bool A_WIDE = false;   // a can be read in fours
layout(constant_id = 6) const bool B_WIDE = false;
layout(constant_id = 7) const bool Y_WIDE = false;   // y can be written in fours
layout(constant_id = 8) const bool BIAS = false;
layout(constant_id = 9) const bool PARTS = false;    // k is split: sums go to scratch memory
layout(constant_id = 10) const uint DOWN = 8;        // invocations along the rows
layout(constant_id = 11) const uint ACROSS = 8;      // and along the columns
layout(constant_id = 12) const uint ROW_QUADS = 2;   // fours of rows of an invocation
layout(constant_id = 13) const uint COLUMN_QUADS = 2;
layout(constant_id = 14) const uint HALVES = 0;
layout(constant_id = 0) const uint THREADS = 64;     // DOWN * ACROSS
const uint DEEP = 16; // k of a step
const uint TALL = DOWN * ROW_QUADS, WIDE = ACROSS * COLUMN_QUADS; // of the tile, in fours
const uint A_STEP = TALL + 1, B_STEP = WIDE + 1;
// From one four that an invocation loads to its next.
const uint A_LINES = A_TURNED ? 0 : THREADS / (DEEP / 4), A_DEEP = A_TURNED ? THREADS / (TALL) : 0;
const uint B_LINES = B_TURNED ? 0 : THREADS / (DEEP / 4), B_DEEP = B_TURNED ? THREADS / (WIDE) : 0;
const uint A_LOADS = (TALL * DEEP + THREADS - 1) / THREADS, B_LOADS = (WIDE * DEEP + THREADS - 1) / THREADS;
const bool A_EVEN = A_LOADS * THREADS == TALL * DEEP, B_EVEN = B_LOADS * THREADS == WIDE * DEEP;

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_OUT_F32(0, part)
WEIGHT_IN(1, a, A_HALF)
WEIGHT_IN4(1, a4, A_HALF)
WEIGHT_IN(2, b, B_HALF)
WEIGHT_IN4(2, b4, B_HALF)
TENSOR_IN(3, bias)

shared vec4 as[DEEP * A_STEP];
shared vec4 bs[DEEP * B_STEP];

PIECE_LOAD(a_load, vec4, float, a, a4, A_WIDE)
PIECE_LOAD(b_load, vec4, float, b, b4, B_WIDE)
TENSOR_RAW4(1, a, A_HALF)
TENSOR_RAW4(2, b, B_HALF)

// A four of which `count` exist, as it waits in registers: in fours without a branch, or each would be waited for before the next is asked for;
// where there is none, the first of all. And what it is: rows and columns past the last one may hold anything, but what lies past the last k is
// zero.
uvec4 a_fetch(uint i, uint count) { return A_WIDE ? a4_raw(mix(i / 4, 0, count == 0)) : floatBitsToUint(a_load(i, count)); }
uvec4 b_fetch(uint i, uint count) { return B_WIDE ? b4_raw(mix(i / 4, 0, count == 0)) : floatBitsToUint(b_load(i, count)); }
vec4 a_value(uvec4 raw, bool exists) { return A_WIDE ? mix(vec4(0), a4_of(raw), bvec4(exists)) : uintBitsToFloat(raw); }
vec4 b_value(uvec4 raw, bool exists) { return B_WIDE ? mix(vec4(0), b4_of(raw), bvec4(exists)) : uintBitsToFloat(raw); }

void a_store(piece s, vec4 v) {
    if (A_TURNED) as[s.k * A_STEP + s.line / 4] = v;
    else [[unroll]] for (uint l = 0; l < 4; l++) as[(s.k + l) * A_STEP + s.line / 4][s.line % 4] = v[l];
}
void b_store(piece s, vec4 v) {
    if (B_TURNED) bs[s.k * B_STEP + s.line / 4] = v;
    else [[unroll]] for (uint l = 0; l < 4; l++) bs[(s.k + l) * B_STEP + s.line / 4][s.line % 4] = v[l];
}

void main() {
    tile s;
    if (!tile_of(LINEAR_GROUP, TALL * 4, WIDE * 4, s)) return;
    uint me = gl_LocalInvocationIndex, tx = me % ACROSS, ty = me / ACROSS;
    piece pa = piece_of(A_TURNED, me, 4, DEEP, TALL * 4, s.a_first + s.row * p.a_row + s.begin * p.a_k, p.a_row, p.a_k);
    piece pb = piece_of(B_TURNED, me, 4, DEEP, WIDE * 4, s.b_first + s.column * p.b_column + s.begin * p.b_k, p.b_column, p.b_k);
    vec4 sum[ROW_QUADS * 4 * COLUMN_QUADS];
    [[unroll]] for (uint i = 0; i < ROW_QUADS * 4 * COLUMN_QUADS; i++) sum[i] = vec4(0);
    uint steps = (s.end - s.begin + DEEP - 1) / DEEP;
    for (uint step = 0;; step++) { // loads of a step fly while the one before is computed: see glsl/conv_tile.glsl
        uvec4 ra[A_LOADS], rb[B_LOADS];
        uint deep = s.end - s.begin - step * DEEP;
        if (step < steps) {
            [[unroll]] for (uint i = 0; i < A_LOADS; i++) {
                piece n = piece_next(pa, i, A_LINES, A_DEEP, p.a_row, p.a_k);
                if (A_EVEN || me + i * THREADS < TALL * DEEP) ra[i] = a_fetch(n.at, piece_count(A_TURNED, n, p.m - s.row, deep));
            }
            [[unroll]] for (uint i = 0; i < B_LOADS; i++) {
                piece n = piece_next(pb, i, B_LINES, B_DEEP, p.b_column, p.b_k);
                if (B_EVEN || me + i * THREADS < WIDE * DEEP) rb[i] = b_fetch(n.at, piece_count(B_TURNED, n, p.n - s.column, deep));
            }
            pa.at += DEEP * p.a_k;
            pb.at += DEEP * p.b_k;
        }
        if (step != 0)
            for (uint k = 0; k < DEEP; k++) {
                vec4 v[COLUMN_QUADS];
                [[unroll]] for (uint j = 0; j < COLUMN_QUADS; j++) v[j] = bs[k * B_STEP + tx + j * ACROSS];
                [[unroll]] for (uint i = 0; i < ROW_QUADS; i++) {
                    vec4 u = as[k * A_STEP + ty + i * DOWN];
                    [[unroll]] for (uint r = 0; r < 4; r++)
                        [[unroll]] for (uint j = 0; j < COLUMN_QUADS; j++) {
                            uint at = (i * 4 + r) * COLUMN_QUADS + j;
                            sum[at] = fma(vec4(u[r]), v[j], sum[at]);
                        }
                }
            }
        if (step == steps) break;
        barrier();
        [[unroll]] for (uint i = 0; i < A_LOADS; i++) {
            piece n = piece_next(pa, i, A_LINES, A_DEEP, 0, 0);
            if (A_EVEN || me + i * THREADS < TALL * DEEP) a_store(n, a_value(ra[i], n.k < deep));
        }
        [[unroll]] for (uint i = 0; i < B_LOADS; i++) {
            piece n = piece_next(pb, i, B_LINES, B_DEEP, 0, 0);
            if (B_EVEN || me + i * THREADS < WIDE * DEEP) b_store(n, b_value(rb[i], n.k < deep));
        }
        barrier();
    }
    [[unroll]] for (uint i = 0; i < ROW_QUADS * 4; i++) {
        uint row = s.row + (ty + i / 4 * DOWN) * 4 + i % 4;
        if (row >= p.m) continue;
        [[unroll]] for (uint j = 0; j < COLUMN_QUADS; j++) {
            uint column = s.column + (tx + j * ACROSS) * 4, at = s.y_first + row * p.n + column;
            vec4 v = sum[i * COLUMN_QUADS + j];
            if (column >= p.n) continue;
            if (BIAS && !PARTS) [[unroll]] for (uint l = 0; l < 4; l++) v[l] += bias(min(column + l, p.n - 1));
            if (Y_WIDE && !PARTS) y4_put(at / 4, v);
            else [[unroll]] for (uint l = 0; l < 4; l++) {
                if (column + l >= p.n) break;
                if (PARTS) part_put(at + l, v[l]);
                else y_put(at + l, v[l]);
            }
        }
    }
}
