#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
//! kernel lstm_step_subgroup    one step of time of an LSTM: a workgroup makes one unit of ROWS sequences, by subgroup operations
//! variants DTYPE=f32,f16
#define SUBGROUPS
#include "glsl/tensor.glsl"
#include "glsl/tree.glsl"
#include "params/lstm_step.h"
#include "glsl/lstm_step.glsl"
