#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel norm_grad    what x of a norm receives: statistics, sums and result by one workgroup
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/norm_whole.h"
#include "glsl/norm_grad.glsl"
