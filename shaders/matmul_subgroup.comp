#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
//! kernel matmul_subgroup    matrix product in registers: lanes are rows, elements of b are loaded once per subgroup and broadcast
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/matmul.h"
#include "glsl/matmul.glsl"

// Software drivers pay for every load of every lane, so an element of b is loaded by one lane alone. All subgroups must
// have LANES invocations.
layout(constant_id = 3) const bool A_WIDE = false; // k lies in one piece in a, in fours
layout(constant_id = 4) const bool B_DEEP = false; // and in b
layout(constant_id = 5) const bool Y_WIDE = false; // y can be written in fours
layout(constant_id = 6) const bool BIAS = false;
layout(constant_id = 7) const uint LANES = 8;
layout(constant_id = 8) const uint ROWS = 4;     // of each lane
layout(constant_id = 9) const uint COLUMNS = 32; // of the workgroup; a multiple of 4
layout(constant_id = 10) const uint HALVES = 0;
layout(constant_id = 0) const uint THREADS = 32;
const uint DEEP = A_WIDE ? 4 : 1; // k of a step
const uint LOADS = (COLUMNS + LANES - 1) / LANES;

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
WEIGHT_IN(1, a, A_HALF)
WEIGHT_IN4(1, a4, A_HALF)
WEIGHT_IN(2, b, B_HALF)
WEIGHT_IN4(2, b4, B_HALF)
TENSOR_IN(3, bias)

void main() {
    uint tile = LINEAR_GROUP, me = gl_LocalInvocationIndex;
    uint column = tile % p.column_tiles * COLUMNS, row = tile / p.column_tiles % p.row_tiles * THREADS * ROWS + me;
    uint z = tile / (p.column_tiles * p.row_tiles);
    if (z >= p.batch) return;
    uint ia, ib, from[ROWS], mine[LOADS]; // the columns that this lane loads
    float sum[ROWS * COLUMNS];
    matmul_batch(z, ia, ib);
    [[unroll]] for (uint i = 0; i < ROWS; i++) {
        from[i] = ia + min(row + i * THREADS, p.m - 1) * p.a_row;
        [[unroll]] for (uint q = 0; q < COLUMNS; q++) sum[i * COLUMNS + q] = 0;
    }
    [[unroll]] for (uint j = 0; j < LOADS; j++)
        mine[j] = ib + min(column + min(j * LANES + gl_SubgroupInvocationID, COLUMNS - 1), p.n - 1) * p.b_column;
    for (uint k = 0; k < p.k; k += DEEP) {
        avec4 v[ROWS], w[LOADS];
        [[unroll]] for (uint j = 0; j < LOADS; j++) {
            if (B_DEEP) w[j] = b4((mine[j] + k) / 4);
            else [[unroll]] for (uint l = 0; l < DEEP; l++) w[j][l] = b(mine[j] + (k + l) * p.b_k);
        }
        [[unroll]] for (uint i = 0; i < ROWS; i++) v[i] = A_WIDE ? a4((from[i] + k) / 4) : avec4(a(from[i] + k * p.a_k));
        [[unroll]] for (uint q = 0; q < COLUMNS; q++)
            [[unroll]] for (uint l = 0; l < DEEP; l++) {
                float u = subgroupBroadcast(w[q / LANES][l], q % LANES);
                [[unroll]] for (uint i = 0; i < ROWS; i++) sum[i * COLUMNS + q] = fma(v[i][l], u, sum[i * COLUMNS + q]);
            }
    }
    [[unroll]] for (uint i = 0; i < ROWS; i++) {
        if (row + i * THREADS >= p.m) break;
        uint at = (z * p.m + row + i * THREADS) * p.n + column;
        [[unroll]] for (uint q = 0; q < COLUMNS; q += 4) {
            avec4 v;
            [[unroll]] for (uint l = 0; l < 4; l++) v[l] = sum[i * COLUMNS + q + l] + (BIAS ? bias(min(column + q + l, p.n - 1)) : 0);
            if (Y_WIDE && column + q < p.n) y4_put((at + q) / 4, v);
            else if (!Y_WIDE) [[unroll]] for (uint l = 0; l < 4; l++)
                if (column + q + l < p.n) y_put(at + q + l, v[l]);
        }
    }
}
