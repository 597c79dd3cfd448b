#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel one_hot    y[.., k, ..] = ids[.., ..] is k ? on : off
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/one_hot.h"

layout(constant_id = 3) const uint RANK = 1;

TENSOR_OUT(0, y)
TENSOR_IN_I32(1, ids)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint rest = i;
    uvec2 at = uvec2(0);
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        uint k = d == 0 ? rest : rest % p.dim[d];
        rest /= p.dim[d];
        at += k * uvec2(p.ids_stride[d], p.own_stride[d]);
    }
    int id = ids(at.x);
    y_put(i, (id < 0 ? id + int(p.depth) : id) == int(at.y) ? p.on : p.off);
}
