#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel pool_best    where the first largest value of every window lies: first pass of the gradient of max pooling
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/pool.h"

layout(constant_id = 3) const bool ADAPTIVE = false;
const bool COUNT_PAD = false;

TENSOR_OUT_I32(0, best)
TENSOR_IN(1, x)

#include "glsl/pool.glsl"

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint c = i % p.c, pixel = i / p.c;
    int wo = int(pixel) % p.wo, ho = int(pixel) / p.wo % p.ho;
    uint first = pixel / uint(p.ho * p.wo) * uint(p.hi * p.wi);
    ivec3 v = span(ho, p.hi, p.ho, 0), h = span(wo, p.wi, p.wo, 1);
    int step_v = ADAPTIVE ? 1 : p.dilation[0], step_h = ADAPTIVE ? 1 : p.dilation[1];
    int at = -1;
    float most = 0.0;
    for (int hi = v.x; hi < v.y; hi += step_v)
        for (int wi = h.x; wi < h.y; wi += step_h) {
            float value = x((first + uint(hi * p.wi + wi)) * p.c + c);
            if (at >= 0 && !(value > most)) continue;
            most = value;
            at = hi * p.wi + wi;
        }
    best_put(i, at);
}
