#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_NV_cooperative_matrix2 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel matmul_matrix2    the same with one matrix as large as the workgroup's tile: VK_NV_cooperative_matrix2
//! variants DTYPE=f16
//! needs cooperative_matrix2
#define WHOLE
#include "glsl/matmul_matrix.glsl"
