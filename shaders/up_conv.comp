#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel up_conv    3 x 3 transposed convolution with stride 2 and a filter over it, between which nothing is stored
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/up_conv.glsl"
