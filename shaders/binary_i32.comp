#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel binary_i32    y[i] = f(a[..], b[..]) of integers
//! variants DTYPE=f32
#define IN_PLACE
#include "glsl/tensor.glsl"
#include "glsl/binary.glsl"

TENSOR_OUT_I32(0, y)
TENSOR_IN_I32(1, a)
TENSOR_IN_I32(2, b)

#define LINE_SAME(fwd) if (OP == op) return fwd;
#define LINE_LEAPS(fwd) LINE_SAME(fwd)
#define LINE_TRUTH(fwd)
#define LINE_REAL(fwd)
#define LINE_POSITIVE(fwd)
#define LINE_SLOPE(fwd)
int f(int a, int b) {
    uint op = 0;
#define BINARY(name, kind, doc, fwd) LINE_##kind(fwd) op++;
#include "params/binary.def"
    return a;
}

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uvec2 at = positions(i);
    y_put(i, f(a(at.x), b(at.y)));
}
