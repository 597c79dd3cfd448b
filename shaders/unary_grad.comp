#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel unary_grad    dx[i] = dy[..] f'(x[..]), f(x) being y[..]
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/unary_grad.h"
#include "glsl/formula.glsl"

layout(constant_id = 3) const uint OP = 0; // line of params/unary.def

TENSOR_OUT(0, dx)
TENSOR_IN(1, x)
TENSOR_IN(2, y)
TENSOR_IN(3, dy)

afloat derivative(afloat x, afloat y, afloat a, afloat b) {
    uint op = 0;
#define UNARY(name, attributes, values, doc, fwd, bwd) if (OP == op++) return bwd;
#include "params/unary.def"
#undef UNARY
    return 0.0;
}

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint rest = i, ix = 0, iy = 0, idy = 0;
    [[unroll]] for (int d = 3; d >= 0; d--) {
        uint at = rest % p.dim[d];
        rest /= p.dim[d];
        ix += at * p.x_stride[d];
        iy += at * p.y_stride[d];
        idy += at * p.dy_stride[d];
    }
    dx_put(i, dy(idy) * derivative(x(ix), y(iy), p.a, p.b));
}
