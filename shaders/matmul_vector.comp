#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel matmul_vector    a few rows times a b whose columns lie in one piece: a workgroup per column adds up along k
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/tree.glsl"
#include "params/matmul.h"
#include "glsl/matmul.glsl"

layout(constant_id = 3) const uint ROWS = 8;
layout(constant_id = 4) const bool WIDE = false; // k is a multiple of 4
layout(constant_id = 5) const bool BIAS = false;
layout(constant_id = 6) const uint HALVES = 0;

TENSOR_OUT(0, y)
WEIGHT_IN(1, a, A_HALF)
WEIGHT_IN4(1, a4, A_HALF)
WEIGHT_IN(2, b, B_HALF)
WEIGHT_IN4(2, b4, B_HALF)
TENSOR_IN(3, bias)

void main() {
    uint tile = LINEAR_GROUP;
    uint column = tile % p.column_tiles, row = tile / p.column_tiles % p.row_tiles * ROWS, z = tile / (p.column_tiles * p.row_tiles);
    if (z >= p.batch) return;
    uint ia, ib, place[ROWS];
    float sum[ROWS];
    matmul_batch(z, ia, ib);
    ib += column * p.b_column;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        place[r] = ia + min(row + r, p.m - 1) * p.a_row;
        sum[r] = 0;
    }
    if (WIDE) for (uint k = 4 * gl_LocalInvocationIndex; k < p.k; k += 4 * gl_WorkGroupSize.x) {
        avec4 v = b4((ib + k) / 4);
        [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r] += dot(a4((place[r] + k) / 4), v);
    } else for (uint k = gl_LocalInvocationIndex; k < p.k; k += gl_WorkGroupSize.x) {
        afloat v = b(ib + k);
        [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r] += a(place[r] + k) * v;
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        float all = tree_sum(sum[r]);
        if (gl_LocalInvocationIndex == 0 && row + r < p.m) y_put((z * p.m + row + r) * p.n + column, BIAS ? all + bias(column) : all);
    }
}
