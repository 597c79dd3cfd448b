#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel peak_matrix    how fast the device multiplies matrices that are in registers already; for measuring alone
//! variants DTYPE=f16
//! needs cooperative_matrix
#define IN_PLACE
#include "glsl/tensor.glsl"
#include "params/peak.h"

layout(constant_id = 3) const uint M = 16; // of a matrix
layout(constant_id = 4) const uint N = 16;
layout(constant_id = 5) const uint K = 16;

TENSOR_OUT_F32(0, y)
TENSOR_IN(0, x) // the same memory: numbers that no compiler knows to be alike

#define SUM coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
#define NEXT(sum) sum = coopMatMulAdd(a, b, sum)
#define KEEP(sum) coopMatStore(sum, y_data, 0, N, gl_CooperativeMatrixLayoutRowMajor)

void main() {
    coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> a;
    coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> b;
    coopMatLoad(a, x_data, 0, K, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(b, x_data, M * K, N, gl_CooperativeMatrixLayoutRowMajor);
    SUM s0 = SUM(0.0), s1 = SUM(1.0), s2 = SUM(2.0), s3 = SUM(3.0); // 2 * M * N * K * 4 * 2 flops a turn and subgroup
    for (uint i = 0; i < p.turns; i++) {
        NEXT(s0); NEXT(s1); NEXT(s2); NEXT(s3);
        NEXT(s0); NEXT(s1); NEXT(s2); NEXT(s3);
    }
    if (p.count == 0xffffffffu) { // never: but nothing may be left out
        KEEP(s0); KEEP(s1); KEEP(s2); KEEP(s3);
    }
}
