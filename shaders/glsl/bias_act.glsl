// What bias_act and its gradient have in common: constants 3 to 8, and the value under the activation.
#include "params/bias_act.h"

layout(constant_id = 3) const uint ACT = 0;
layout(constant_id = 4) const bool IMAGE = false; // channels innermost
layout(constant_id = 5) const bool BIAS = false;
layout(constant_id = 6) const uint NOISE = 0; // 1: the images share one, 2: each has its own
layout(constant_id = 7) const bool STRENGTH = false;
layout(constant_id = 8) const bool SCALE = false;

float under(uint i) {
    uint plane = IMAGE ? i / (p.c * p.area) * p.c + i % p.c : i / p.area; // n c + channel
    uint pixel = IMAGE ? i / p.c : i / (p.c * p.area) * p.area + i % p.area; // n area + place
    float u = x(i);
    if (SCALE) u *= d(plane);
    if (NOISE != 0) u += noise(NOISE == 1 ? pixel % p.area : pixel) * (STRENGTH ? strength(0) : 1);
    if (BIAS) u += bias(plane % p.c);
    return u;
}
