#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel matmul_pack    copies b into rows of a multiple of 4, filled up with zeros
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/matmul_pack.h"

layout(constant_id = 3) const bool HALF = false; // b lies in f16 though packed is f32

TENSOR_OUT(0, packed)
WEIGHT_IN(1, b, HALF)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint column = i % p.width, k = i / p.width % p.k, z = i / (p.width * p.k);
    afloat v = 0;
    if (column < p.n) v = b(z * p.k * p.n + k * p.b_k + column * p.b_column);
    packed_put(i, v);
}
