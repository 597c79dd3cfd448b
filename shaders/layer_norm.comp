#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel layer_norm    y = (x - mean) / sqrt(var + eps) * scale + bias over the last dimensions: a workgroup per row
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/tree.glsl"
#include "params/layer_norm.h"
#include "glsl/layer_norm.glsl"
