#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel cast_from_i32    y[i] = x[i], integers to f32; with HALF to the nearest half-precision number
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/half.glsl"
#include "params/cast.h"

layout(constant_id = 3) const bool HALF = false;

TENSOR_OUT(0, y)
TENSOR_IN_I32(1, x)

void main() {
    uint i = LINEAR_ID;
    if (i < p.count) y_put(i, HALF ? nearest_half(float(x(i))) : float(x(i)));
}
