#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_NV_cooperative_matrix2 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel conv_matrix2    convolution with matrices as large as the workgroup's tile: VK_NV_cooperative_matrix2
//! variants DTYPE=f16
//! needs cooperative_matrix2
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"
#define WHOLE
#include "glsl/conv_matrix.glsl"
