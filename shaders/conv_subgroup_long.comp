#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
//! kernel conv_subgroup_long    the same with loads of 64 bits; input and output channels in fours
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"
#define LONG_LOADS
#include "glsl/conv_subgroup.glsl"
