#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel matmul_direct    one element of a matrix product per invocation: small or oddly shaped products
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/matmul.h"
#include "glsl/matmul.glsl"

layout(constant_id = 3) const bool BIAS = false;
layout(constant_id = 4) const bool WIDE = false; // k lies in one piece in a and b, in fours
layout(constant_id = 5) const uint HALVES = 0;

TENSOR_OUT(0, y)
WEIGHT_IN(1, a, A_HALF)
WEIGHT_IN4(1, a4, A_HALF)
WEIGHT_IN(2, b, B_HALF)
WEIGHT_IN4(2, b4, B_HALF)
TENSOR_IN(3, bias)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.n * p.m * p.batch) return;
    uint column = i % p.n, row = i / p.n % p.m, ia, ib;
    matmul_batch(i / (p.n * p.m), ia, ib);
    ia += row * p.a_row;
    ib += column * p.b_column;
    afloat sum = BIAS ? bias(column) : 0;
    avec4 sums = avec4(0);
    if (WIDE) for (uint k = 0; k < p.k; k += 4) sums = fma(a4((ia + k) / 4), b4((ib + k) / 4), sums);
    else for (uint k = 0; k < p.k; k++) sum += a(ia + k * p.a_k) * b(ib + k * p.b_k);
    if (WIDE) sum += sums.x + sums.y + (sums.z + sums.w);
    y_put(i, sum);
}
