#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel norm_apply    last pass of large norms and their gradients: y from x, or dx from x and dy, by what norm_stats says
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/norm_split.h"
#define JOIN max
#include "glsl/lines.glsl"
layout(constant_id = 7) const bool GRAD = false;
layout(constant_id = 8) const bool SCALE = false;
layout(constant_id = 9) const bool BIAS = false;
layout(constant_id = 10) const bool PARAMS = false;

TENSOR_OUT(0, y) // or dx
TENSOR_OUT(1, dscale)
TENSOR_OUT(2, dbias)
TENSOR_IN(3, x)
TENSOR_IN(4, dy)
TENSOR_IN(5, scale)
TENSOR_IN(6, bias)
TENSOR_IN_AS(7, stat, vec4, vec4)
TENSOR_IN_AS(8, each, vec2, vec2)
#include "glsl/norm_split.glsl"

// What scale and bias receive from all images.
void put_params(uint c) {
    vec2 all = vec2(0);
    for (uint i = 0, images = p.over_n != 0 ? 1 : p.n; i < images; i++) all += each(i * p.channels + c);
    dscale_put(c, all.x);
    dbias_put(c, all.y);
}

float kept[BLOCK], came[BLOCK];
void main() {
    split_begin();
    if (PARAMS && LINEAR_ID < p.channels) put_params(LINEAR_ID);
    if (line() >= p.lines) return;
    vec4 s = stat((p.over_n != 0 ? 0 : split_n * p.groups) + split_c / p.per_group);
    float by = s.y * (SCALE ? scale(split_c) : 1), to = GRAD ? s.w : s.w * (SCALE ? scale(split_c) : 1) + (BIAS ? bias(split_c) : 0);
    LINE_BLOCKS(split_count, {
        LINE_LOAD(split_count, kept[i] = x(x_first + e * p.x_stride[2]) - s.x;)
        LINE_LOAD(split_count, came[i] = GRAD ? dy(x_first + e * p.x_stride[2]) : 0;)
        LINE_BLOCK(split_count, y_put(y_first + e * p.y_stride[2], GRAD ? came[i] * by - kept[i] * s.z + to : kept[i] * by + to);)
    })
}
