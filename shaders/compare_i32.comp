#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel compare_i32    y[i] = 1 or 0, as f(a[..], b[..]) of integers is true or not
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/binary.glsl"

TENSOR_OUT(0, y)
TENSOR_IN_I32(1, a)
TENSOR_IN_I32(2, b)

#define LINE_SAME(fwd)
#define LINE_LEAPS(fwd)
#define LINE_TRUTH(fwd) if (OP == op) return fwd;
#define LINE_REAL(fwd)
#define LINE_POSITIVE(fwd)
#define LINE_SLOPE(fwd)
bool f(int a, int b) {
    uint op = 0;
#define BINARY(name, kind, doc, fwd) LINE_##kind(fwd) op++;
#include "params/binary.def"
    return false;
}

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uvec2 at = positions(i);
    y_put(i, afloat(f(a(at.x), b(at.y))));
}
