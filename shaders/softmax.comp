#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel softmax    softmax or its logarithm along lines, some of them per workgroup
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/softmax.h"
#include "glsl/softmax.glsl"
