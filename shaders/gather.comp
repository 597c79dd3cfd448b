#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel gather    y[.., i, ..] = x[.., ids[i], ..]
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/word.glsl"
#include "params/gather.h"

layout(constant_id = 3) const uint RANK = 1;
layout(constant_id = 4) const bool HALF = false; // x lies in f16 though y is f32

TENSOR_OUT_WORD(0, y)
WEIGHT_IN_WORD(1, x, HALF)
TENSOR_IN_I32(2, ids)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint rest = i;
    uvec2 at = uvec2(0);
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        uint k = d == 0 ? rest : rest % p.dim[d];
        rest /= p.dim[d];
        at += k * uvec2(p.x_stride[d], p.ids_stride[d]);
    }
    int size = int(p.axis_size), id = ids(at.y);
    id = clamp(id < 0 ? id + size : id, 0, size - 1);
    y_put(i, x(at.x + uint(id) * uint(p.axis_stride)));
}
