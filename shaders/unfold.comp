#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel unfold    y[n, (c, ky, kx), (ho, wo)] = x[n, c, ho stride + ky dilation - top, wo stride + kx dilation - left]
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/word.glsl"
#include "params/unfold.h"

TENSOR_OUT_WORD(0, y)
TENSOR_IN_WORD(1, x)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint wo = i % p.wo, rest = i / p.wo;
    uint ho = rest % p.ho;
    rest /= p.ho;
    uint kx = rest % p.kernel[1];
    rest /= p.kernel[1];
    uint ky = rest % p.kernel[0];
    rest /= p.kernel[0];
    int hi = int(ho * p.stride[0] + ky * p.dilation[0]) - p.top, wi = int(wo * p.stride[1] + kx * p.dilation[1]) - p.left;
    if (hi < 0 || wi < 0 || hi >= int(p.hi) || wi >= int(p.wi)) {
        y_put(i, 0u);
        return;
    }
    uint n = rest / p.c, c = rest % p.c;
    y_put(i, x(n * p.image_stride[0] + c * p.image_stride[1] + uint(hi) * p.image_stride[2] + uint(wi) * p.image_stride[3]));
}
