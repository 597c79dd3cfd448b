#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel where    y[i] = cond[..] is not 0 ? a[..] : b[..], all stretched over the dimensions they lack
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/word.glsl"

TENSOR_OUT_WORD(0, y)
TENSOR_IN(1, cond)
TENSOR_IN_WORD(2, a)
TENSOR_IN_WORD(3, b)
#include "glsl/where.glsl"
