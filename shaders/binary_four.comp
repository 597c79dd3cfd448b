#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel binary_four    the same as binary for four elements of y at a time, which read four of a and b or share one
//! variants DTYPE=f32,f16
#define IN_PLACE
#include "glsl/tensor.glsl"
#include "params/binary_four.h"
#include "glsl/binary_formula.glsl"
#include "glsl/divide.glsl"

layout(constant_id = 3) const uint OP = 0; // line of params/binary.def
layout(constant_id = 4) const uint RANK = 1;
layout(constant_id = 5) const bool A_ONE = false; // four elements of y share one of a
layout(constant_id = 6) const bool B_ONE = false;

TENSOR_OUT4(0, y4)
TENSOR_IN(1, a)
TENSOR_IN4(1, a4)
TENSOR_IN(2, b)
TENSOR_IN4(2, b4)

afloat f(afloat a, afloat b) {
    uint op = 0;
#define BINARY(name, kind, doc, fwd) if (OP == op++) return afloat(fwd);
#include "params/binary.def"
    return a;
}

void main() {
    uint i = LINEAR_ID, rest = i;
    if (i >= p.count) return;
    uvec2 at = uvec2(0);
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        uint over = d == 0 ? 0 : divide(rest, p.magic[d], p.shift[d]);
        at += (rest - over * p.dim[d]) * uvec2(p.a_stride[d], p.b_stride[d]);
        rest = over;
    }
    avec4 u = A_ONE ? avec4(a(at.x)) : a4(at.x), v = B_ONE ? avec4(b(at.y)) : b4(at.y);
    y4_put(i, avec4(f(u.x, v.x), f(u.y, v.y), f(u.z, v.z), f(u.w, v.w)));
}
