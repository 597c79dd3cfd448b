#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel pad    y[i] = x[i - before], and beyond x's edges what MODE says
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/word.glsl"
#include "glsl/padding.glsl"
#include "params/pad.h"

layout(constant_id = 3) const uint RANK = 1;
layout(constant_id = 4) const uint MODE = 0;  // of glsl/padding.glsl
layout(constant_id = 5) const uint VALUE = 0; // where MODE is 0: a float or an integer, as bits
layout(constant_id = 6) const bool INTEGERS = false;

TENSOR_OUT_WORD(0, y)
TENSOR_IN_WORD(1, x)

void main() {
    uint i = LINEAR_ID, count = 1, rest = i, from = 0;
    bool outside = false;
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        uint k = d == 0 ? rest : rest % p.dim[d];
        int at = pad_at(MODE, int(k) - p.before[d], int(p.x_dim[d]));
        rest /= p.dim[d];
        count *= p.dim[d];
        outside = outside || at < 0;
        from += uint(at) * uint(p.x_stride[d]);
    }
    if (i >= count) return;
    if (outside) y_put(i, INTEGERS ? VALUE : word_of(uintBitsToFloat(VALUE)));
    else y_put(i, x(from));
}
