#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
//! kernel up_conv_subgroup    the same with weights broadcast within subgroups, where every load of every lane is dear
//! variants DTYPE=f32,f16
#define SUBGROUPS
#include "glsl/tensor.glsl"
#include "glsl/up_conv.glsl"
