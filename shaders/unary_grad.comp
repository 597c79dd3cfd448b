#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel unary_grad    dx[i] = dy[..] f'(x[..]), f(x) being y[..]; four elements per invocation where all lie the same way
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/unary_grad.h"
#include "glsl/formula.glsl"
#include "glsl/divide.glsl"

layout(constant_id = 3) const uint OP = 0; // line of params/unary.def
layout(constant_id = 4) const uint RANK = 4;
layout(constant_id = 5) const bool WIDE = false;

TENSOR_OUT(0, dx)
TENSOR_OUT4(0, dx4)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)
TENSOR_IN(2, y)
TENSOR_IN4(2, y4)
TENSOR_IN(3, dy)
TENSOR_IN4(3, dy4)

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
    vec4 u, v, t;
    if (WIDE) u = x4(i), v = y4(i), t = dy4(i);
    else {
        uint rest = i, ix = 0, iy = 0, idy = 0;
        [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
            uint over = d == 0 ? 0 : divide(rest, p.magic[d], p.shift[d]), at = rest - over * p.dim[d];
            rest = over;
            ix += at * p.x_stride[d];
            iy += at * p.y_stride[d];
            idy += at * p.dy_stride[d];
        }
        u = vec4(x(ix)), v = vec4(y(iy)), t = vec4(dy(idy));
    }
    [[dont_unroll]] for (uint l = 0; l < (WIDE ? 4 : 1); l++) { // moves along: the formulas are too long to be unrolled
        t = vec4(t.yzw, t.x * derivative(u.x, v.x, p.a, p.b));
        u = u.yzwx, v = v.yzwx;
    }
    if (WIDE) dx4_put(i, t);
    else dx_put(i, t.w);
}
