#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel bias_act    y = gain act(d x + strength noise + b), limited
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/activation.glsl"

TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, bias)
TENSOR_IN(3, noise)
TENSOR_IN(4, strength)
TENSOR_IN(5, d)
#include "glsl/bias_act.glsl"

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    float v = act(ACT, under(i), p.a, p.b) * p.gain;
    y_put(i, p.clamp > 0 ? clamp(v, -p.clamp, p.clamp) : v);
}
