#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel norm_stats    joins partial means and deviations into mean and 1 / sqrt(var + eps): a workgroup per statistic
//! variants DTYPE=f32
#include "glsl/tensor.glsl"
#include "glsl/tree.glsl"
#include "params/norm_stats.h"

TENSOR_OUT_F32(0, stat)
TENSOR_IN_F32(1, part)

uint place; // of the statistic's first partial
uint partial(uint k) { return 2 * (place + k / p.per_group * p.channels + k % p.per_group); }
float weight(uint k) { return k / p.per_group % p.chunks == p.chunks - 1 ? p.last : p.chunk; }

void main() {
    uint i = LINEAR_GROUP;
    if (i >= p.count) return;
    uint parts = p.lines * p.per_group;
    place = i / p.groups * p.lines * p.channels + i % p.groups * p.per_group;
    float sum = 0;
    for (uint k = gl_LocalInvocationIndex; k < parts; k += gl_WorkGroupSize.x) sum += part(partial(k)) * weight(k);
    float mean = tree_sum(sum) / p.total, m2 = 0;
    for (uint k = gl_LocalInvocationIndex; k < parts; k += gl_WorkGroupSize.x) {
        float d = part(partial(k)) - mean;
        m2 += part(partial(k) + 1) + d * d * weight(k);
    }
    m2 = tree_sum(m2);
    if (gl_LocalInvocationIndex != 0) return;
    stat_put(2 * i, mean);
    stat_put(2 * i + 1, 1 / sqrt(m2 / p.total + p.eps));
}
