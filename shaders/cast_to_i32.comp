#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel cast_to_i32    y[i] = x[i], f32 to integers: towards zero, limited to what an integer holds, NaN to 0
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/cast.h"

TENSOR_OUT_I32(0, y)
TENSOR_IN(1, x)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint bits = floatBitsToUint(x(i));
    int low = -2147483647 - 1;
    if ((bits & 0x7fffffffu) > 0x7f800000u) y_put(i, 0); // NaN
    else if (x(i) >= 2147483648.0) y_put(i, 2147483647);
    else if (x(i) <= -2147483648.0) y_put(i, low);
    else y_put(i, int(x(i)));
}
