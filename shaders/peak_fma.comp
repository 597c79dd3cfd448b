#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel peak_fma    how fast the device multiplies and adds: chains in registers that do not wait for each other; for measuring alone
//! variants DTYPE=f32,f16
#if defined(DTYPE_F16)
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require // arithmetic too: the one kernel that does not compute in f32
#endif
#include "glsl/tensor.glsl"
#include "params/peak.h"

layout(constant_id = 3) const bool FUSED = true; // fma(), which some drivers do in parts; else x * a + b, which others do not fuse

TENSOR_OUT4(0, y)

const uint CHAINS = 3, UNROLL = 8; // as many as a processor's registers hold; 2 * 4 * CHAINS * UNROLL flops a turn

svec4 next(svec4 x, svec4 a, svec4 b) { return FUSED ? fma(x, a, b) : x * a + b; }

void main() {
    svec4 a = svec4(p.a), b = svec4(p.b);
    svec4 x0 = svec4(gl_LocalInvocationID.x) + svec4(0, 0.25, 0.5, 0.75), x1 = x0 + svec4(1), x2 = x0 + svec4(2); // no two alike
    for (uint i = 0; i < p.turns; i++) {
        [[unroll]] for (uint k = 0; k < UNROLL; k++) x0 = next(x0, a, b), x1 = next(x1, a, b), x2 = next(x2, a, b);
    }
    svec4 sum = x0 + x1 + x2;
    if (float(sum.x + sum.y + sum.z + sum.w) == -12345.0) y_put(0, avec4(sum)); // never: but nothing may be left out
}
