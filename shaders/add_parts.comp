#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel add_parts    adds up what workgroups left, always in one order; a workgroup of 64 per sum
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/add_parts.h"

TENSOR_OUT(0, y)
TENSOR_IN_F32(1, parts)

shared float room[64];

void main() {
    uint o = LINEAR_GROUP, lane = gl_LocalInvocationIndex;
    float sum = 0;
    if (o < p.count)
        for (uint i = lane; i < p.parts; i += 64) sum += parts(o * p.parts + i);
    room[lane] = sum;
    barrier();
    for (uint step_ = 32; step_ > 0; step_ /= 2) {
        if (lane < step_) room[lane] += room[lane + step_];
        barrier();
    }
    if (lane == 0 && o < p.count) y_put(o, room[0]);
}
