#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel norm_apply    y = (x - mean) * rstd * scale[c] + bias[c]: last pass of instance and group norm
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/norm_apply.h"

layout(constant_id = 3) const uint RANK = 1;
layout(constant_id = 4) const bool SCALE = false;
layout(constant_id = 5) const bool BIAS = false;

TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, scale)
TENSOR_IN(3, bias)
TENSOR_IN_F32(4, stat)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint rest = i, ix = 0, is = 0, c = 0;
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        uint at = d == 0 ? rest : rest % p.dim[d];
        rest /= p.dim[d];
        ix += at * p.x_stride[d];
        is += at * p.stat_stride[d];
        c += at * p.c_stride[d];
    }
    afloat v = (x(ix) - stat(2 * is)) * stat(2 * is + 1);
    if (SCALE) v *= scale(c);
    if (BIAS) v += bias(c);
    y_put(i, v);
}
