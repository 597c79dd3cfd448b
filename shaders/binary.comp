#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel binary    y[i] = f(a[..], b[..]) of f32, stretched over the dimensions they lack
//! variants DTYPE=f32,f16
#define IN_PLACE
#include "glsl/tensor.glsl"
#include "glsl/binary.glsl"

TENSOR_OUT(0, y)
TENSOR_IN(1, a)
TENSOR_IN(2, b)

afloat f(afloat a, afloat b) {
    uint op = 0;
#define BINARY(name, kind, doc, fwd) if (OP == op++) return afloat(fwd);
#include "params/binary.def"
    return a;
}

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uvec2 at = positions(i);
    y_put(i, f(a(at.x), b(at.y)));
}
