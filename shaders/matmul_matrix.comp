#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel matmul_matrix    matrix product on matrix units: ROWS x COLUMNS matrices of M x N per subgroup, through shared memory
//! variants DTYPE=f16
//! needs cooperative_matrix
#include "glsl/matmul_matrix.glsl"
