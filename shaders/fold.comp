#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel fold    y[n, c, hi, wi] = sum of x[n, (c, ky, kx), (ho, wo)] over the windows that have it: the transpose of unfold
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/unfold.h"

TENSOR_OUT(0, y)
TENSOR_IN(1, x)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint wi = i % p.wi, rest = i / p.wi;
    uint hi = rest % p.hi;
    rest /= p.hi; // n c
    float sum = 0.0;
    for (uint ky = 0; ky < p.kernel[0]; ky++) {
        int h = int(hi) + p.top - int(ky * p.dilation[0]);
        if (h < 0 || h % int(p.stride[0]) != 0 || h / int(p.stride[0]) >= int(p.ho)) continue;
        for (uint kx = 0; kx < p.kernel[1]; kx++) {
            int w = int(wi) + p.left - int(kx * p.dilation[1]);
            if (w < 0 || w % int(p.stride[1]) != 0 || w / int(p.stride[1]) >= int(p.wo)) continue;
            uint row = (rest * p.kernel[0] + ky) * p.kernel[1] + kx;
            sum += x((row * p.ho + uint(h) / p.stride[0]) * p.wo + uint(w) / p.stride[1]);
        }
    }
    uint n = rest / p.c, c = rest % p.c;
    y_put(n * p.image_stride[0] + c * p.image_stride[1] + hi * p.image_stride[2] + wi * p.image_stride[3], sum);
}
