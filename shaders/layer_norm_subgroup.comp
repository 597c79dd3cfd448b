#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
//! kernel layer_norm_subgroup    y = (x - mean) / sqrt(var + eps) * scale + bias over the last dimensions: a workgroup per row, by subgroup operations
//! variants DTYPE=f32,f16
#define SUBGROUPS
#include "glsl/tensor.glsl"
#include "glsl/tree.glsl"
#include "params/layer_norm.h"
#include "glsl/layer_norm.glsl"
