#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel softmax    softmax or its logarithm along a line; a line per workgroup (TREE) or per invocation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/tree.glsl"
#include "params/softmax.h"
#include "glsl/softmax.glsl"
