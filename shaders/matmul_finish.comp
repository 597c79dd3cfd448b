#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel matmul_finish    adds up the parts of a matrix product whose k was split between workgroups
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/matmul_finish.h"

layout(constant_id = 3) const bool BIAS = false;

TENSOR_OUT(0, y)
TENSOR_IN_F32(1, part)
TENSOR_IN(2, bias)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    float sum = BIAS ? bias(i % p.n) : 0;
    for (uint k = 0; k < p.parts; k++) sum += part(k * p.count + i);
    y_put(i, sum);
}
