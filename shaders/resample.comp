#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel resample    weighted sums along both axes of an image by tables; one element or quad of channels per invocation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/resample.h"

layout(constant_id = 3) const bool WIDE = false;

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)
TENSOR_IN_I32(2, v)
TENSOR_IN_I32(3, h)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint c = i % p.c, wo = i / p.c % p.wo, ho = i / (p.c * p.wo) % p.ho, n = i / (p.c * p.wo * p.ho);
    uint row_v = ho * (p.taps_v + 1), row_h = wo * (p.taps_h + 1);
    uint top = uint(v(row_v)), left = uint(h(row_h));
    uint end_v = min(p.taps_v, p.hi - top), end_h = min(p.taps_h, p.wi - left);
    avec4 sum = avec4(0);
    for (uint a = 0; a < end_v; a++) {
        uint line_first = (n * p.hi + top + a) * p.wi + left;
        avec4 line = avec4(0);
        for (uint b = 0; b < end_h; b++) {
            uint at = (line_first + b) * p.c + c;
            line += intBitsToFloat(h(row_h + 1 + b)) * (WIDE ? x4(at) : avec4(x(at)));
        }
        sum += intBitsToFloat(v(row_v + 1 + a)) * line;
    }
    if (WIDE) y4_put(i, sum);
    else y_put(i, sum.x);
}
