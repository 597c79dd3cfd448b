#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel copy    y[y_offset + i . y_stride] = x[x_offset + i . x_stride] for every i of a box; a_b reads a and writes b
//! variants DTYPE=f32,f16,f32_f16,f16_f32
#include "glsl/tensor.glsl"
#include "glsl/word.glsl"
#include "glsl/divide.glsl"
#include "params/copy.h"

layout(constant_id = 3) const uint RANK = 1;

#if defined(DTYPE_F32_F16)
TENSOR_OUT_AS(0, y, float16_t, float)
TENSOR_IN_AS(1, x, float, float)
#elif defined(DTYPE_F16_F32)
TENSOR_OUT_AS(0, y, float, float)
TENSOR_IN_AS(1, x, float16_t, float)
#else
TENSOR_OUT_WORD(0, y)
TENSOR_IN_WORD(1, x)
#endif

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint from = p.x_offset, to = p.y_offset;
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        uint over = d == 0 ? 0 : d > 4 ? i / p.dim[d] : divide(i, p.magic[d - 1], p.shifts >> (d - 1) * 8 & 255u);
        uint at = i - over * p.dim[d];
        i = over;
        from += at * uint(p.x_stride[d]); // wraps as negative strides want it
        to += at * uint(p.y_stride[d]);
    }
    y_put(to, x(from));
}
