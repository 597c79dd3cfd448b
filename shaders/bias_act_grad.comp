#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel bias_act_grad    dy times the derivative of bias_act by what is under its activation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/activation.glsl"

TENSOR_OUT(0, du)
TENSOR_IN(1, dy)
TENSOR_IN(2, x)
TENSOR_IN(3, bias)
TENSOR_IN(4, noise)
TENSOR_IN(5, strength)
TENSOR_IN(6, d)
#include "glsl/bias_act.glsl"

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    float u = under(i), v = act(ACT, u, p.a, p.b);
    bool inside = p.clamp <= 0 || abs(v * p.gain) <= p.clamp;
    du_put(i, inside ? dy(i) * p.gain * act_slope(ACT, u, v, p.a, p.b) : 0);
}
