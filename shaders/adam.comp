#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel adam    one step of Adam (Kingma and Ba, 2015) per element; p, m and v may be updated where they lie
//! variants DTYPE=f32
#define IN_PLACE
#include "glsl/tensor.glsl"
#include "params/adam.h"

layout(constant_id = 3) const bool WIDE = false; // four elements per invocation
layout(constant_id = 4) const bool SCALED = false;

TENSOR_OUT_F32(0, p_next)
TENSOR_OUT4(0, p_next4)
TENSOR_OUT_F32(1, m_next)
TENSOR_OUT4(1, m_next4)
TENSOR_OUT_F32(2, v_next)
TENSOR_OUT4(2, v_next4)
TENSOR_IN_F32(3, p_was)
TENSOR_IN4(3, p_was4)
TENSOR_IN_F32(4, gradient)
TENSOR_IN4(4, gradient4)
TENSOR_IN_F32(5, m_was)
TENSOR_IN4(5, m_was4)
TENSOR_IN_F32(6, v_was)
TENSOR_IN4(6, v_was4)
TENSOR_IN_F32(7, rate)
TENSOR_IN_F32(8, step_number)
TENSOR_IN_F32(9, scale)

// 1 - exp(x) for x <= 0. The difference alone would leave 1 - 0.999 three digits short.
float rest_of_exp(float x) {
    if (x < -0.5) return 1 - exp(x);
    float sum = 1;
    [[unroll]] for (int k = 9; k > 1; k--) sum = 1 + sum * x / float(k);
    return -x * sum;
}

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    float lr = rate(0), t = step_number(0);
    vec4 w, g, m, v;
    if (WIDE) w = p_was4(i), g = gradient4(i), m = m_was4(i), v = v_was4(i);
    else w = vec4(p_was(i)), g = vec4(gradient(i)), m = vec4(m_was(i)), v = vec4(v_was(i));
    float by = SCALED ? scale(0) : 1;
    if (SCALED && by != 0) g *= by;
    vec4 w_old = w, m_old = m, v_old = v;
    if (p.decoupled == 0) g += p.decay * w;
    else w -= lr * p.decay * w;
    m = p.beta1 * m + p.rest1 * g;
    v = p.beta2 * v + p.rest2 * g * g;
    w -= lr * (m / rest_of_exp(t * p.log1)) / (sqrt(v / rest_of_exp(t * p.log2)) + p.eps);
    if (SCALED && by == 0) w = w_old, m = m_old, v = v_old; // whatever g holds
    if (WIDE) m_next4_put(i, m), v_next4_put(i, v), p_next4_put(i, w);
    else m_next_put(i, m.x), v_next_put(i, v.x), p_next_put(i, w.x);
}
