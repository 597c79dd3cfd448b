#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel norm_partial    mean and sum of squared deviations of some positions of one channel: first pass of instance and group norm
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/norm_partial.h"

TENSOR_OUT_F32(0, part)
TENSOR_IN(1, x)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint c = i % p.channels, chunk = i / p.channels % p.chunks, n = i / (p.channels * p.chunks);
    uint begin = chunk * p.chunk, end = min(begin + p.chunk, p.rows);
    uint at = n * p.n_stride + c * p.c_stride;
    float mean = 0, m2 = 0;
    for (uint r = begin; r < end; r++) mean += x(at + r * p.row_stride);
    mean /= float(end - begin);
    for (uint r = begin; r < end; r++) { // centred, so that a large mean costs no digits
        float d = x(at + r * p.row_stride) - mean;
        m2 += d * d;
    }
    part_put(2 * i, mean);
    part_put(2 * i + 1, m2);
}
