#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel add_norm    a norm of the sum of two tensors at once, and the sum: see norm_whole
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/norm_whole.h"
#define ADDED
#include "glsl/norm_whole.glsl"
