#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel batch_norm    y = (x - mean[c]) / sqrt(var[c] + eps) * scale[c] + bias[c], any layout
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/batch_norm.h"

layout(constant_id = 3) const uint RANK = 1;
layout(constant_id = 4) const bool SCALE = false;
layout(constant_id = 5) const bool BIAS = false;

TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, scale)
TENSOR_IN(3, bias)
TENSOR_IN(4, mean)
TENSOR_IN(5, var)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint rest = i;
    int ix = 0, ic = 0;
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        int at = int(d == 0 ? rest : rest % p.dim[d]);
        rest /= p.dim[d];
        ix += at * p.x_stride[d];
        ic += at * p.c_stride[d];
    }
    uint c = uint(ic);
    afloat v = (x(uint(ix)) - mean(c)) / sqrt(var(c) + p.eps);
    if (SCALE) v *= scale(c);
    if (BIAS) v += bias(c);
    y_put(i, v);
}
