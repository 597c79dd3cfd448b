#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel cast_to_half    y[i] = the half-precision number nearest to x[i], as f32
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/half.glsl"
#include "params/cast.h"

TENSOR_OUT(0, y)
TENSOR_IN(1, x)

void main() {
    uint i = LINEAR_ID;
    if (i < p.count) y_put(i, nearest_half(x(i)));
}
