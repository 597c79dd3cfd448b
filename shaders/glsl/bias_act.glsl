// What bias_act and its gradient have in common: constants 3 to 9, and the values under the activation.
#include "params/bias_act.h"
#include "glsl/divide.glsl"

layout(constant_id = 3) const uint ACT = 0;
layout(constant_id = 4) const bool IMAGE = false; // channels innermost
layout(constant_id = 5) const bool BIAS = false;
layout(constant_id = 6) const uint NOISE = 0; // 1: the images share one, 2: each has its own
layout(constant_id = 7) const bool STRENGTH = false;
layout(constant_id = 8) const bool SCALE = false;
layout(constant_id = 9) const bool WIDE = false; // four channels of one pixel at a time; IMAGE

// Of element i, or of the four at i with WIDE: else only .x counts.
vec4 under(uint i) {
    uint outer, c, n, pixel; // pixel: of all images
    if (IMAGE) {
        pixel = divide(i, p.c_magic, p.c_shift);
        c = i - pixel * p.c;
        n = divide(pixel, p.area_magic, p.area_shift);
    } else {
        outer = divide(i, p.area_magic, p.area_shift);
        n = divide(outer, p.c_magic, p.c_shift);
        c = outer - n * p.c;
        pixel = n * p.area + i - outer * p.area;
    }
    vec4 u = WIDE ? x4(i) : vec4(x(i));
    if (SCALE) u *= WIDE ? d4(n * p.c + c) : vec4(d(n * p.c + c));
    if (NOISE != 0) u += noise(NOISE == 1 ? pixel - n * p.area : pixel) * (STRENGTH ? strength(0) : 1);
    if (BIAS) u += WIDE ? bias4(c) : vec4(bias(c));
    return u;
}
