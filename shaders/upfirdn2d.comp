#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel upfirdn2d    zeros between pixels, a filter, every n-th pixel; one element or quad of channels per invocation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/upfirdn2d.glsl"

// Of the taps over position `at` (in the image with zeros) and the pixels after it: the first that meets a pixel.
int first_tap(int at, int up) {
    if (at < 0) return -at;
    int over = at % up;
    return over == 0 ? 0 : up - over;
}

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint c = i % p.c, wo = i / p.c % p.wo, ho = i / (p.c * p.wo) % p.ho, n = i / (p.c * p.wo * p.ho);
    int top = int(ho) * p.down[0] - p.pad[0], left = int(wo) * p.down[1] - p.pad[1];
    avec4 sum = avec4(0);
    for (int a = first_tap(top, p.up[0]); a < p.f[0]; a += p.up[0]) {
        int h = (top + a) / p.up[0];
        if (h >= p.hi) break;
        for (int b = first_tap(left, p.up[1]); b < p.f[1]; b += p.up[1]) {
            int w = (left + b) / p.up[1];
            if (w >= p.wi) break;
            uint at = ((n * uint(p.hi) + uint(h)) * uint(p.wi) + uint(w)) * p.c + c;
            float tap = f(uint(FLIP ? a * p.f[1] + b : (p.f[0] - 1 - a) * p.f[1] + p.f[1] - 1 - b));
            sum += tap * (WIDE ? x4(at) : avec4(x(at)));
        }
    }
    put(ending_of(n, c), sum, n, ho, wo, c);
}
