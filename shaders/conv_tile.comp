#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel conv_tile    convolution as a matrix product through shared memory: pixels by channels, ROWS x QUADS x 4 per invocation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"
#include "glsl/conv_tile.glsl"
