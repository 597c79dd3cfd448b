#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel peak_read    how fast the device reads memory; for measuring alone
//! variants DTYPE=f32
#include "glsl/tensor.glsl"
#include "params/peak.h"

TENSOR_OUT4(0, y)
TENSOR_IN4(1, x)

void main() {
    uint i = LINEAR_ID;
    vec4 sum = vec4(0);
    for (uint k = 0; k < p.turns; k++, i += p.stride)
        if (i < p.count) sum += x(i);
    if (sum.x + sum.y + sum.z + sum.w == -12345.0) y_put(0, sum); // never: but nothing may be left out
}
