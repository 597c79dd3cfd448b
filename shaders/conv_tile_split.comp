#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel conv_tile_split    the same with taps and input channels cut over workgroups; conv_finish adds up
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"
#define SPLIT
#include "glsl/conv_tile.glsl"
