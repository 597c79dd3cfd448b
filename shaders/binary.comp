#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel binary    y[i] = f(a[..], b[..]), stretched over the dimensions they lack
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/binary.h"

layout(constant_id = 3) const uint OP = 0; // line of params/binary.def
layout(constant_id = 4) const uint RANK = 1;

TENSOR_OUT(0, y)
TENSOR_IN(1, a)
TENSOR_IN(2, b)

afloat f(afloat a, afloat b) {
    uint op = 0;
#define BINARY(name, doc, fwd) if (OP == op++) return fwd;
#include "params/binary.def"
    return a;
}

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint rest = i;
    int ia = 0, ib = 0;
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        int at = int(d == 0 ? rest : rest % p.dim[d]);
        rest /= p.dim[d];
        ia += at * p.a_stride[d];
        ib += at * p.b_stride[d];
    }
    y_put(i, f(a(uint(ia)), b(uint(ib))));
}
