#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
//! kernel conv_subgroup    convolution in registers: lanes are pixels, weights are loaded once per subgroup and broadcast
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"
#include "glsl/conv_subgroup.glsl"
