#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel unary    y[i] = f(x[i]), one or four elements per invocation
//! variants DTYPE=f32,f16
#define IN_PLACE
#include "glsl/tensor.glsl"
#include "glsl/activation.glsl"
#include "params/unary.h"

layout(constant_id = 3) const uint OP = 0; // 1 + line of params/unary.def
layout(constant_id = 4) const bool WIDE = false;

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    vec4 v = WIDE ? x4(i) : vec4(x(i));
    [[dont_unroll]] for (uint l = 0; l < (WIDE ? 4 : 1); l++) v = vec4(v.yzw, act(OP, v.x, p.a, p.b)); // too long to be unrolled
    if (WIDE) y4_put(i, v);
    else y_put(i, v.w);
}
