#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel norm_stats    second pass of large norms and their gradients: joins what norm_partial left, a workgroup per statistic
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/tree.glsl"
#include "params/norm_stats.h"
layout(constant_id = 3) const bool GRAD = false;
layout(constant_id = 4) const bool SCALE = false;
layout(constant_id = 5) const bool PARAMS = false; // also what scale and bias receive, from one image

TENSOR_OUT_AS(0, stat, vec4, vec4) // what norm_apply multiplies with
TENSOR_OUT_AS(1, each, vec2, vec2) // [n, channels]: what scale and bias receive
TENSOR_IN_AS(2, part, vec4, vec4)
TENSOR_IN(3, x)
TENSOR_IN(4, scale)

uint image, first_channel;
uint place(uint line, uint c) { return (image * p.lines + line) * p.channels + first_channel + c; }
float weight(uint line) { return line % p.chunks == p.chunks - 1 ? p.last : p.chunk; }
vec2 factor(uint c) { return vec2(1, GRAD && SCALE ? scale(first_channel + c) : 1); }

void main() {
    uint s = LINEAR_GROUP, id = gl_LocalInvocationIndex, parts = p.lines * p.per_group;
    if (s >= p.count) return;
    image = s / p.groups, first_channel = s % p.groups * p.per_group;
    vec2 sum = vec2(0), sums = vec2(0);
    for (uint k = id; k < parts; k += gl_WorkGroupSize.x) {
        uint line = k / p.per_group, c = k % p.per_group;
        sum += part(place(line, c)).xy * factor(c) * weight(line);
    }
    vec2 all = vec2(tree_sum(sum.x), GRAD ? tree_sum(sum.y) : 0) / p.total;
    for (uint k = id; k < parts; k += gl_WorkGroupSize.x) {
        uint line = k / p.per_group, c = k % p.per_group;
        vec4 v = part(place(line, c));
        vec2 apart = v.xy * factor(c) - all;
        sums += v.zw * factor(c) + apart.x * apart * weight(line);
    }
    sums = vec2(tree_sum(sums.x), GRAD ? tree_sum(sums.y) : 0) / p.total;
    float by = 1 / sqrt(sums.x + p.eps), along = sums.y * by * by * by;
    if (id == 0) stat_put(s, vec4(x(image * p.n_stride + first_channel * p.c_stride), by, along, GRAD ? all.x * along - all.y * by : -all.x * by));
    if (PARAMS) for (uint c = 0; c < p.per_group; c++) {
        vec2 mine = vec2(0);
        for (uint line = id; line < p.lines; line += gl_WorkGroupSize.x) {
            vec4 v = part(place(line, c));
            mine += vec2((v.w + (v.x - all.x) * v.y * weight(line)) * by, v.y * weight(line));
        }
        mine = vec2(tree_sum(mine.x), tree_sum(mine.y));
        if (id == 0) each_put(image * p.channels + first_channel + c, mine);
    }
}
