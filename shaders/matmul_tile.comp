#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel matmul_tile    matrix product through shared memory: ROW_QUADS x COLUMN_QUADS times 4 x 4 per invocation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/matmul.h"
#include "glsl/matmul.glsl"
#include "glsl/matmul_tile.glsl"

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
layout(constant_id = 0) const uint THREADS = 64;     // DOWN * ACROSS
const uint DEEP = 16; // k of a step
const uint TALL = DOWN * ROW_QUADS, WIDE = ACROSS * COLUMN_QUADS; // of the tile, in fours
const uint A_STEP = TALL + 1, B_STEP = WIDE + 1;
const uint A_LOADS = (TALL * DEEP + THREADS - 1) / THREADS, B_LOADS = (WIDE * DEEP + THREADS - 1) / THREADS;

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_OUT_F32(0, part)
TENSOR_IN(1, a)
TENSOR_IN4(1, a4)
TENSOR_IN(2, b)
TENSOR_IN4(2, b4)
TENSOR_IN(3, bias)

shared vec4 as[DEEP * A_STEP];
shared vec4 bs[DEEP * B_STEP];

PIECE_LOAD(a_load, vec4, float, a_data, a4_data, A_WIDE)
PIECE_LOAD(b_load, vec4, float, b_data, b4_data, B_WIDE)

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
    piece pa[A_LOADS], pb[B_LOADS];
    vec4 ra[A_LOADS], rb[B_LOADS], sum[ROW_QUADS * 4 * COLUMN_QUADS];
    [[unroll]] for (uint i = 0; i < A_LOADS; i++) {
        pa[i] = piece_of(A_TURNED, me + i * THREADS, DEEP, TALL * 4);
        pa[i].at = s.a_first + (s.row + pa[i].line) * p.a_row + (s.begin + pa[i].k) * p.a_k;
        pa[i].left = me + i * THREADS < TALL * DEEP && s.row + pa[i].line < p.m ? min(p.m - s.row - pa[i].line, 4) : 0;
    }
    [[unroll]] for (uint i = 0; i < B_LOADS; i++) {
        pb[i] = piece_of(B_TURNED, me + i * THREADS, DEEP, WIDE * 4);
        pb[i].at = s.b_first + (s.column + pb[i].line) * p.b_column + (s.begin + pb[i].k) * p.b_k;
        pb[i].left = me + i * THREADS < WIDE * DEEP && s.column + pb[i].line < p.n ? min(p.n - s.column - pb[i].line, 4) : 0;
    }
    [[unroll]] for (uint i = 0; i < ROW_QUADS * 4 * COLUMN_QUADS; i++) sum[i] = vec4(0);
    uint steps = (s.end - s.begin + DEEP - 1) / DEEP;
    for (uint step = 0;; step++) { // loads of a step fly while the one before is computed
        uint k0 = s.begin + step * DEEP;
        if (step < steps) {
            [[unroll]] for (uint i = 0; i < A_LOADS; i++) ra[i] = a_load(pa[i].at + step * DEEP * p.a_k, piece_count(A_TURNED, pa[i], k0, s.end));
            [[unroll]] for (uint i = 0; i < B_LOADS; i++) rb[i] = b_load(pb[i].at + step * DEEP * p.b_k, piece_count(B_TURNED, pb[i], k0, s.end));
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
        [[unroll]] for (uint i = 0; i < A_LOADS; i++)
            if (me + i * THREADS < TALL * DEEP) a_store(pa[i], ra[i]);
        [[unroll]] for (uint i = 0; i < B_LOADS; i++)
            if (me + i * THREADS < WIDE * DEEP) b_store(pb[i], rb[i]);
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
