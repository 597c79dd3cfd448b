#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel norm_whole    a norm at once: statistics of lines and what follows from them, by one workgroup
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/norm_whole.h"
#include "glsl/norm_whole.glsl"
