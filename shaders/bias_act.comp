#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel bias_act    y = gain act(d x + strength noise + b), limited
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)
TENSOR_IN(2, bias)
TENSOR_IN4(2, bias4)
TENSOR_IN(3, noise)
TENSOR_IN(4, strength)
TENSOR_IN(5, d)
TENSOR_IN4(5, d4)
#include "glsl/bias_act.glsl"

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    vec4 v = under_at(i);
    [[dont_unroll]] for (uint l = 0; l < (WIDE ? 4 : 1); l++) // moves along: activations are too long to be unrolled
        v = vec4(v.yzw, over(v.x, p.gain, p.clamp));
    if (WIDE) y4_put(i, v);
    else y_put(i, v.w);
}
