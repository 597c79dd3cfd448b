#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel bias_act_back    du of bias_act from dy and y, and sums of it over pixels; a workgroup of 64 has LANES channels, or fours, side by side
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/bias_act_back.h"

layout(constant_id = 4) const uint SUMS = 0;   // bits: of du, of du x, of du noise, of dy y, of more y
layout(constant_id = 10) const uint LANES = 1;
layout(constant_id = 11) const uint STEPS = 1; // pixels of an invocation
layout(constant_id = 12) const bool WHOLE = false; // the sums are one kind, and of all pixels of an image: they go to `sums`, else to `parts`
layout(constant_id = 13) const bool STYLE = false; // dy is scaled by s
layout(constant_id = 14) const uint MORE = 0;      // 1: more is added to it, 2: scaled by more_s

TENSOR_OUT(0, du)
TENSOR_OUT4(0, du4)
TENSOR_OUT(1, sums)
TENSOR_IN(2, dy)
TENSOR_IN4(2, dy4)
TENSOR_IN(3, y)
TENSOR_IN4(3, y4)
TENSOR_IN(4, bias)
TENSOR_IN4(4, bias4)
TENSOR_IN(5, noise)
TENSOR_IN(6, strength)
TENSOR_IN(7, d)
TENSOR_IN4(7, d4)
TENSOR_OUT_F32(8, parts)
TENSOR_IN(9, s)
TENSOR_IN4(9, s4)
TENSOR_IN(10, more)
TENSOR_IN4(10, more4)
TENSOR_IN(11, more_s)
TENSOR_IN4(11, more_s4)
#include "glsl/ending.glsl"

// ACT is 0 for none, else 1 + line of unary_back.def.
float slope_from(float y, float a) {
    uint op = 1;
#define BACK(name, slope, x_slope) if (ACT == op++) return slope;
#include "params/unary_back.def"
#undef BACK
    return 1;
}
float x_slope_from(float y, float a) {
    uint op = 1;
#define BACK(name, slope, x_slope) if (ACT == op++) return x_slope;
#include "params/unary_back.def"
#undef BACK
    return y;
}

// du and, under the activation, u du, from dy and y. Where y is limited nothing flows back, and what u was is not known.
void back(inout float t, inout float y) {
    bool inside = p.clamp <= 0 || abs(y) < p.clamp;
    float g = inside ? t * p.gain : 0, v = y * p.per_gain;
    t = g * slope_from(v, p.a);
    y = g * x_slope_from(v, p.a);
}

shared vec4 room[64];

// The sum over the rows of a workgroup; for those in row 0.
vec4 over_rows(vec4 v) {
    uint me = gl_LocalInvocationIndex;
    room[me] = v;
    barrier();
    for (uint step_ = 32; step_ >= LANES; step_ /= 2) {
        if (me < step_) room[me] += room[me + step_];
        barrier();
    }
    v = room[me];
    barrier();
    return v;
}

void put_sums(uint kind, vec4 v, uint n, uint c, uint chunk) {
    v = over_rows(v);
    if (gl_LocalInvocationIndex >= LANES || n >= p.n || c >= p.c) return;
    uint wide = WIDE ? 4 : 1, at = ((kind * p.n + n) * p.c + c) * wide;
    [[unroll]] for (uint l = 0; l < 4; l++) {
        if (l >= wide) break;
        if (WHOLE) sums_put(at + l, v[l]);
        else parts_put((at + l) * p.chunks + chunk, v[l]);
    }
}

void main() {
    uint lane = gl_LocalInvocationIndex % LANES, row = gl_LocalInvocationIndex / LANES, group = LINEAR_GROUP;
    uint column = group % p.columns, rest = group / p.columns, chunk = rest % p.chunks, n = rest / p.chunks, c = column * LANES + lane;
    bool live = n < p.n && c < p.c;
    ending e = ending(vec4(1), vec4(0), 1);
    if ((SUMS & 2) != 0 && live) e = ending_of(n, c);
    vec4 of_du = vec4(0), of_x = vec4(0), of_noise = vec4(0), of_dy = vec4(0), of_more = vec4(0), by = vec4(1), more_by = vec4(1);
    if (STYLE && live) by = WIDE ? s4(n * p.c + c) : vec4(s(n * p.c + c));
    if (MORE == 2 && live) more_by = WIDE ? more_s4(n * p.c + c) : vec4(more_s(n * p.c + c));
    uint pixel = chunk * STEPS * (64 / LANES) + row, i = (n * p.area + pixel) * p.c + c;
    for (uint k = 0; k < STEPS && live && pixel < p.area; k++, pixel += 64 / LANES, i += 64 / LANES * p.c) {
        vec4 t = WIDE ? dy4(i) : vec4(dy(i)), v = WIDE ? y4(i) : vec4(y(i));
        if ((SUMS & 8) != 0) of_dy += t * v;
        if (STYLE) t *= by;
        if (MORE != 0) {
            vec4 other = WIDE ? more4(i) : vec4(more(i));
            if ((SUMS & 16) != 0) of_more += other * v;
            t += MORE == 2 ? other * more_by : other;
        }
        back(t.x, v.x);
        if (WIDE) back(t.y, v.y), back(t.z, v.z), back(t.w, v.w);
        if (WIDE) du4_put(i, t);
        else du_put(i, t.x);
        float from = NOISE != 0 && (SUMS & 6) != 0 ? noise(NOISE == 1 ? pixel : n * p.area + pixel) : 0;
        if ((SUMS & 1) != 0) of_du += t;
        if ((SUMS & 4) != 0) of_noise += t * from;
        if ((SUMS & 2) != 0) {
            vec4 shift = BIAS ? e.shift : vec4(0);
            of_x += v - t * (NOISE != 0 ? shift + from * e.strength : shift);
        }
    }
    if ((SUMS & 2) != 0 && SCALE) of_x = mix(of_x / e.scale, vec4(0), equal(e.scale, vec4(0)));
    uint kind = 0;
    if ((SUMS & 1) != 0) put_sums(kind++, of_du, n, c, chunk);
    if ((SUMS & 2) != 0) put_sums(kind++, of_x, n, c, chunk);
    if ((SUMS & 4) != 0) put_sums(kind++, of_noise, n, c, chunk);
    if ((SUMS & 8) != 0) put_sums(kind++, of_dy, n, c, chunk);
    if ((SUMS & 16) != 0) put_sums(kind++, of_more, n, c, chunk);
}
