#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel norm_partial    first pass of large norms and their gradients: statistics of some positions of one channel
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/norm_split.h"
#include "glsl/norm_sums.glsl"
layout(constant_id = 7) const bool GRAD = false;

TENSOR_OUT_AS(0, part, vec4, vec4) // means of x and dy, sums of squared deviations and of products of both's
TENSOR_IN(1, x)
TENSOR_IN(2, dy)
#include "glsl/norm_split.glsl"

float kept[BLOCK], came[BLOCK];
void main() {
    split_begin();
    float zero = x(zero_place);
    norm_sums s = norm_nothing();
    LINE_BLOCKS(split_count, {
        LINE_LOAD(split_count, kept[i] = x(x_first + e * p.x_stride[2]) - zero;)
        LINE_LOAD(split_count, came[i] = GRAD ? dy(x_first + e * p.x_stride[2]) : 0;)
        NORM_ADD(s, split_count, true)
    })
    s = norm_join(s, float(split_count), true);
    if (lane() == 0 && line() < p.lines) part_put(line(), vec4(s.middle, s.together));
}
