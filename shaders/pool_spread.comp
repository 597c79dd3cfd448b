#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel pool_spread    dx of max pooling: every pixel gathers from the windows whose largest value it is
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/pool.h"

layout(constant_id = 3) const bool ADAPTIVE = false;

TENSOR_OUT(0, dx)
TENSOR_IN(1, dy)
TENSOR_IN_I32(2, best)

// First and last window that may hold pixel `at`; with a dilation not all between them do.
ivec2 windows(int at, int size, int sizes_out, int d) {
    if (ADAPTIVE) {
        uint a = uint(at), outs = uint(sizes_out);
        return ivec2(a * outs / uint(size), ((a + 1) * outs - 1) / uint(size));
    }
    int last = at + p.pads[d], first = last - (p.kernel[d] - 1) * p.dilation[d];
    return ivec2(first <= 0 ? 0 : (first + p.stride[d] - 1) / p.stride[d], min(last / p.stride[d], sizes_out - 1));
}

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint c = i % p.c, pixel = i / p.c;
    int wi = int(pixel) % p.wi, hi = int(pixel) / p.wi % p.hi, own = hi * p.wi + wi;
    uint first = pixel / uint(p.hi * p.wi) * uint(p.ho * p.wo);
    ivec2 v = windows(hi, p.hi, p.ho, 0), h = windows(wi, p.wi, p.wo, 1);
    float sum = 0.0;
    for (int ho = v.x; ho <= v.y; ho++)
        for (int wo = h.x; wo <= h.y; wo++) {
            uint at = (first + uint(ho * p.wo + wo)) * p.c + c;
            if (best(at) == own) sum += dy(at);
        }
    dx_put(i, sum);
}
