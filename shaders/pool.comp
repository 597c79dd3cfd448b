#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel pool    largest or mean value of a window, one element or quad of channels per invocation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/pool.h"

layout(constant_id = 3) const bool AVERAGE = false;
layout(constant_id = 4) const bool ADAPTIVE = false;
layout(constant_id = 5) const bool COUNT_PAD = false;
layout(constant_id = 6) const bool WIDE = false;

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)

#include "glsl/pool.glsl"

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint c = i % p.c, pixel = i / p.c;
    int wo = int(pixel) % p.wo, ho = int(pixel) / p.wo % p.ho;
    uint first = pixel / uint(p.ho * p.wo) * uint(p.hi * p.wi);
    ivec3 v = span(ho, p.hi, p.ho, 0), h = span(wo, p.wi, p.wo, 1);
    int step_v = ADAPTIVE ? 1 : p.dilation[0], step_h = ADAPTIVE ? 1 : p.dilation[1];
    bool empty = v.x >= v.y || h.x >= h.y;
    avec4 all = avec4(AVERAGE || empty ? 0 : -3.402823466e38);
    for (int hi = v.x; hi < v.y; hi += step_v)
        for (int wi = h.x; wi < h.y; wi += step_h) {
            uint at = (first + uint(hi * p.wi + wi)) * p.c + c;
            avec4 value = WIDE ? x4(at) : avec4(x(at));
            all = AVERAGE ? all + value : max(all, value);
        }
    if (AVERAGE && !empty) all /= float(v.z) * float(h.z);
    if (WIDE) y4_put(i, all);
    else y_put(i, all.x);
}
