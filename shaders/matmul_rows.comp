#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel matmul_rows    ROWS x 4 elements of a matrix product per invocation, straight from memory; rows of b are a multiple of 4
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/matmul.h"
#include "glsl/matmul.glsl"

layout(constant_id = 3) const uint ROWS = 8;
layout(constant_id = 4) const bool A_WIDE = false; // a can be read four k at a time
layout(constant_id = 5) const bool Y_WIDE = false; // y can be written four columns at a time
layout(constant_id = 6) const bool BIAS = false;
layout(constant_id = 7) const uint LANES = 64; // invocations side by side along a row
layout(constant_id = 8) const uint HALVES = 0;

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
WEIGHT_IN(1, a, A_HALF)
WEIGHT_IN4(1, a4, A_HALF)
WEIGHT_IN4(2, b4, B_HALF)
TENSOR_IN(3, bias)

void main() {
    uint tile = LINEAR_GROUP;
    uint quad = tile % p.column_tiles * LANES + gl_LocalInvocationIndex % LANES;
    uint row = tile / p.column_tiles % p.row_tiles, z = tile / (p.column_tiles * p.row_tiles);
    if (LANES < gl_WorkGroupSize.x) row = row * (gl_WorkGroupSize.x / LANES) + gl_LocalInvocationIndex / LANES; // else uniform
    row *= ROWS;
    if (z >= p.batch || row >= p.m || quad * 4 >= p.b_k) return;

    uint ia, ib, place[ROWS];
    avec4 sum[ROWS];
    matmul_batch(z, ia, ib);
    ib = ib / 4 + quad;
    uint step_b = p.b_k / 4;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        place[r] = ia + min(row + r, p.m - 1) * p.a_row;
        sum[r] = avec4(0);
    }
    if (A_WIDE) for (uint k = 0; k < p.k; k += 4) {
        avec4 b0 = b4(ib + k * step_b), b1 = b4(ib + (k + 1) * step_b), b2 = b4(ib + (k + 2) * step_b), b3 = b4(ib + (k + 3) * step_b);
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            avec4 v = a4((place[r] + k) / 4);
            sum[r] = fma(avec4(v.x), b0, sum[r]);
            sum[r] = fma(avec4(v.y), b1, sum[r]);
            sum[r] = fma(avec4(v.z), b2, sum[r]);
            sum[r] = fma(avec4(v.w), b3, sum[r]);
        }
    } else for (uint k = 0; k < p.k; k++) {
        avec4 b0 = b4(ib + k * step_b);
        [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r] = fma(avec4(a(place[r] + k * p.a_k)), b0, sum[r]);
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        if (row + r >= p.m) return;
        uint at = (z * p.m + row + r) * p.n + quad * 4;
        if (BIAS) [[unroll]] for (uint c = 0; c < 4; c++) sum[r][c] += bias(min(quad * 4 + c, p.n - 1));
        if (Y_WIDE) y4_put(at / 4, sum[r]);
        else [[unroll]] for (uint c = 0; c < 4; c++) if (quad * 4 + c < p.n) y_put(at + c, sum[r][c]);
    }
}
