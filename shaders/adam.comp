#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel adam    one step of Adam (Kingma and Ba, 2015) per element; p, m and v may be updated where they lie
//! variants DTYPE=f32
#define IN_PLACE
#include "glsl/tensor.glsl"
#include "params/adam.h"

TENSOR_OUT_F32(0, p_next)
TENSOR_OUT_F32(1, m_next)
TENSOR_OUT_F32(2, v_next)
TENSOR_IN_F32(3, p_was)
TENSOR_IN_F32(4, gradient)
TENSOR_IN_F32(5, m_was)
TENSOR_IN_F32(6, v_was)
TENSOR_IN_F32(7, rate)
TENSOR_IN_F32(8, step_number)

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
    float w = p_was(i), g = gradient(i), m = m_was(i), v = v_was(i), lr = rate(0), t = step_number(0);
    if (p.decoupled == 0) g += p.decay * w;
    else w -= lr * p.decay * w;
    m = p.beta1 * m + p.rest1 * g;
    v = p.beta2 * v + p.rest2 * g * g;
    m_next_put(i, m);
    v_next_put(i, v);
    p_next_put(i, w - lr * (m / rest_of_exp(t * p.log1)) / (sqrt(v / rest_of_exp(t * p.log2)) + p.eps));
}
