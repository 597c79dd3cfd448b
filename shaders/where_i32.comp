#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel where_i32    the same for integers a and b, whatever the storage of cond
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"

TENSOR_OUT_I32(0, y)
TENSOR_IN(1, cond)
TENSOR_IN_I32(2, a)
TENSOR_IN_I32(3, b)
#include "glsl/where.glsl"
