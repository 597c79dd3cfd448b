#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel conv_matrix    convolution on matrix units: pixels by channels, ROWS x COLUMNS matrices of M x N per subgroup
//! variants DTYPE=f16
//! needs cooperative_matrix
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"
#include "glsl/conv_matrix.glsl"
