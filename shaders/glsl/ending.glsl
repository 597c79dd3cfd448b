// What stands between a sum and y: d[n, c] sum + strength noise + b[c], activation, gain, limit. Constants 3 and 5 to 9; the kernel has
// the tensors bias, noise, strength and d, and p.c, p.a and p.b.
#include "glsl/activation.glsl"

layout(constant_id = 3) const uint ACT = 0;
layout(constant_id = 5) const bool BIAS = false;
layout(constant_id = 6) const uint NOISE = 0; // 1: the images share one, 2: each has its own
layout(constant_id = 7) const bool STRENGTH = false;
layout(constant_id = 8) const bool SCALE = false;
layout(constant_id = 9) const bool WIDE = false; // four channels of one pixel at a time; else only .x counts

struct ending { vec4 scale, shift; float strength; };
ending ending_of(uint n, uint c) { // c: channel, or four of them
    ending e = ending(vec4(1), vec4(0), 1);
    if (SCALE) e.scale = WIDE ? d4(n * p.c + c) : vec4(d(n * p.c + c));
    if (BIAS) e.shift = WIDE ? bias4(c) : vec4(bias(c));
    if (STRENGTH) e.strength = strength(0);
    return e;
}
// pixel: in image n, which has `area` of them.
vec4 under(ending e, vec4 sum, uint n, uint pixel, uint area) {
    if (SCALE) sum *= e.scale;
    if (NOISE != 0) sum += noise(NOISE == 1 ? pixel : n * area + pixel) * e.strength;
    return BIAS ? sum + e.shift : sum;
}
float over(float u, float gain, float most) {
    float v = act(ACT, u, p.a, p.b) * gain;
    return most > 0 ? clamp(v, -most, most) : v;
}
