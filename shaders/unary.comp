#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel unary    y[i] = f(x[i])
//! variants DTYPE=f32,f16
#define IN_PLACE
#include "glsl/tensor.glsl"
#include "glsl/activation.glsl"
#include "params/unary.h"

layout(constant_id = 3) const uint OP = 0; // 1 + line of params/unary.def

TENSOR_OUT(0, y)
TENSOR_IN(1, x)

void main() {
    uint i = LINEAR_ID;
    if (i < p.count) y_put(i, act(OP, x(i), p.a, p.b));
}
