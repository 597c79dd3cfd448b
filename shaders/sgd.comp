#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel sgd    one step of gradient descent with momentum per element; p and m may be updated where they lie
//! variants DTYPE=f32
#define IN_PLACE
#include "glsl/tensor.glsl"
#include "params/sgd.h"

layout(constant_id = 3) const bool SCALED = false;

TENSOR_OUT_F32(0, p_next)
TENSOR_OUT_F32(1, m_next)
TENSOR_IN_F32(2, p_was)
TENSOR_IN_F32(3, gradient)
TENSOR_IN_F32(4, m_was)
TENSOR_IN_F32(5, rate)
TENSOR_IN_F32(6, scale)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    float w = p_was(i), by = SCALED ? scale(0) : 1, g = by * gradient(i) + p.decay * w, m = p.momentum * m_was(i) + g;
    if (p.nesterov != 0) g += p.momentum * m;
    else g = m;
    bool stays = SCALED && by == 0; // whatever the gradient holds
    m_next_put(i, stays ? m_was(i) : m);
    p_next_put(i, stays ? w : w - rate(0) * g);
}
