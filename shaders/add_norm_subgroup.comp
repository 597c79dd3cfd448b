#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
//! kernel add_norm_subgroup    the same as add_norm, with subgroup operations
//! variants DTYPE=f32,f16
#define SUBGROUPS
#include "glsl/tensor.glsl"
#include "params/norm_whole.h"
#define ADDED
#include "glsl/norm_whole.glsl"
