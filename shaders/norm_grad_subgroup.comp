#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
//! kernel norm_grad_subgroup    what x of a norm receives: statistics, sums and result by one workgroup, by subgroup operations
//! variants DTYPE=f32,f16
#define SUBGROUPS
#include "glsl/tensor.glsl"
#include "params/norm_whole.h"
#include "glsl/norm_grad.glsl"
