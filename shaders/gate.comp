#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel gate    y = act(first half of the channels) * sigmoid(second half)
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/activation.glsl"
#include "params/gate.h"

layout(constant_id = 3) const uint ACT = 0;
layout(constant_id = 4) const uint RANK = 1;

TENSOR_OUT(0, y)
TENSOR_IN(1, x)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint rest = i;
    int ix = 0;
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        ix += int(d == 0 ? rest : rest % p.dim[d]) * p.x_stride[d];
        rest /= p.dim[d];
    }
    y_put(i, act(ACT, x(uint(ix)), p.a, p.b) / (1 + exp(-x(uint(ix) + p.half_step))));
}
