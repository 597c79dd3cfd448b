// The body of where.comp and where_i32.comp.
#include "params/where.h"

layout(constant_id = 3) const uint RANK = 1;

void main() {
    uint i = LINEAR_ID, count = 1, rest = i;
    uvec3 at = uvec3(0);
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        uint k = d == 0 ? rest : rest % p.dim[d];
        rest /= p.dim[d];
        count *= p.dim[d];
        at += k * uvec3(p.cond_stride[d], p.a_stride[d], p.b_stride[d]);
    }
    if (i >= count) return;
    if (cond(at.x) != 0.0) y_put(i, a(at.y));
    else y_put(i, b(at.z));
}
