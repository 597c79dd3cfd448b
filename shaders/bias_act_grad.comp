#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel bias_act_grad    dy times the derivative of bias_act by what is under its activation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"

TENSOR_OUT(0, du)
TENSOR_OUT4(0, du4)
TENSOR_IN(1, dy)
TENSOR_IN4(1, dy4)
TENSOR_IN(2, x)
TENSOR_IN4(2, x4)
TENSOR_IN(3, bias)
TENSOR_IN4(3, bias4)
TENSOR_IN(4, noise)
TENSOR_IN(5, strength)
TENSOR_IN(6, d)
TENSOR_IN4(6, d4)
#include "glsl/bias_act.glsl"

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    vec4 u = under_at(i), t = WIDE ? dy4(i) : vec4(dy(i));
    [[dont_unroll]] for (uint l = 0; l < (WIDE ? 4 : 1); l++) { // moves along: activations are too long to be unrolled
        float v = act(ACT, u.x, p.a, p.b);
        bool inside = p.clamp <= 0 || abs(v * p.gain) <= p.clamp;
        t = vec4(t.yzw, inside ? t.x * p.gain * act_slope(ACT, u.x, v, p.a, p.b) : 0);
        u = u.yzwx;
    }
    if (WIDE) du4_put(i, t);
    else du_put(i, t.w);
}
