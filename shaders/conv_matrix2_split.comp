#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_NV_cooperative_matrix2 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel conv_matrix2_split    the same with taps and input channels cut over workgroups; conv_finish adds up
//! variants DTYPE=f16
//! needs cooperative_matrix2
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"
#define SPLIT
#define WHOLE
#include "glsl/conv_matrix.glsl"
