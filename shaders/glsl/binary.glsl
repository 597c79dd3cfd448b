// Where element i finds its a and b.
#include "params/binary.h"
#include "glsl/binary_formula.glsl"

layout(constant_id = 3) const uint OP = 0; // line of params/binary.def
layout(constant_id = 4) const uint RANK = 1;

uvec2 positions(uint i) {
    uvec2 at = uvec2(0);
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        uint k = d == 0 ? i : i % p.dim[d];
        i /= p.dim[d];
        at += k * uvec2(p.a_stride[d], p.b_stride[d]);
    }
    return at;
}
