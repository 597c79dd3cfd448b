#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel lstm_step    one step of time of an LSTM: a workgroup makes one unit of ROWS sequences
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/tree.glsl"
#include "params/lstm_step.h"
#include "glsl/lstm_step.glsl"
