#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel peak_copy    how fast the device copies memory, and, for a count of 0, what a kernel costs that does nothing; for measuring alone
//! variants DTYPE=f32
#include "glsl/tensor.glsl"
#include "params/peak.h"

TENSOR_OUT4(0, y)
TENSOR_IN4(1, x)

void main() {
    uint i = LINEAR_ID;
    for (uint k = 0; k < p.turns; k++, i += p.stride)
        if (i < p.count) y_put(i, x(i));
}
