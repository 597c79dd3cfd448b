// What bias_act and its gradient have in common: constants 3 to 9, and where an element lies.
#include "params/bias_act.h"
#include "glsl/divide.glsl"
#include "glsl/ending.glsl"

layout(constant_id = 4) const bool IMAGE = false; // channels innermost

struct place { uint n, c, pixel; }; // c: channel, or four of them; pixel: of the image
place place_of(uint i) {
    uint n, c, pixel;
    if (IMAGE) {
        pixel = divide(i, p.c_magic, p.c_shift);
        c = i - pixel * p.c;
        n = divide(pixel, p.area_magic, p.area_shift);
        return place(n, c, pixel - n * p.area);
    }
    uint outer = divide(i, p.area_magic, p.area_shift);
    n = divide(outer, p.c_magic, p.c_shift);
    return place(n, outer - n * p.c, i - outer * p.area);
}
// What is under the activation at element i, or at the four there with WIDE.
vec4 under_at(uint i) {
    place at = place_of(i);
    return under(ending_of(at.n, at.c), WIDE ? x4(i) : vec4(x(i)), at.n, at.pixel, p.area);
}
