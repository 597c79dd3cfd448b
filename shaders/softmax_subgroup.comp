#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
//! kernel softmax_subgroup    softmax or its logarithm along lines, some of them per workgroup, by subgroup operations
//! variants DTYPE=f32,f16
#define SUBGROUPS
#include "glsl/tensor.glsl"
#include "params/softmax.h"
#include "glsl/softmax.glsl"
