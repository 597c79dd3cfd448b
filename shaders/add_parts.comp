#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel add_parts    adds up what workgroups left, always in one order; a workgroup of 64 per sum of up to five tensors
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/add_parts.h"

TENSOR_OUT(0, a)
TENSOR_OUT(1, b)
TENSOR_OUT(2, c)
TENSOR_OUT(3, d)
TENSOR_OUT(4, e)
TENSOR_IN_F32(5, parts)

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
    if (lane != 0 || o >= p.count) return;
    uint tensor = o / p.each, at = o - tensor * p.each;
    if (tensor == 0) a_put(at, room[0]);
    else if (tensor == 1) b_put(at, room[0]);
    else if (tensor == 2) c_put(at, room[0]);
    else if (tensor == 3) d_put(at, room[0]);
    else e_put(at, room[0]);
}
