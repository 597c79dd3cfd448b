#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel partial_finish    value and new mask of a partial convolution from the sums of a window
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/partial_finish.h"

layout(constant_id = 3) const bool NAOTO = false;
layout(constant_id = 4) const bool BIAS = false;

TENSOR_OUT(0, y)
TENSOR_OUT(1, m)
TENSOR_IN(2, sum)
TENSOR_IN(3, known)
TENSOR_IN(4, bias)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint c = i % p.c, pixel = i / p.c;
    float k = known(pixel % p.mask_pixels), v = sum(i), b = BIAS ? bias(c) : 0, mask;
    if (NAOTO) {
        mask = k != 0 ? 1 : 0;
        v = k != 0 ? v / k + b : 0;
    } else {
        mask = clamp(k, 0.0, 1.0);
        v = mask > 0 ? v * (p.window / (k + p.eps) * mask) : 0;
        if (BIAS) v = (v + b) * mask;
    }
    y_put(i, v);
    if (c < p.mask_c && pixel < p.mask_pixels) m_put(pixel * p.mask_c + c, mask);
}
