// Statistics over lines of numbers: mean and deviation, and with ARRIVING(e), what arrives at element e, its mean and how it goes along with x.
// Elements are counted as they lie in memory. NORM_X: x is x + r.
#include "glsl/norm_sums.glsl"
#include "glsl/divide.glsl"
layout(constant_id = 7) const uint ORDER = 0;   // of elements: one channel, channels first, positions first, channels only
layout(constant_id = 8) const bool IMAGES = false; // statistics are of all images
layout(constant_id = 9) const bool SCALE = false;
layout(constant_id = 10) const bool CENTRED = true; // false: the mean is taken for zero

uint channel_first, x_first, y_first; // of the line
void norm_begin() {
    uint s = min(line(), p.stats - 1), image = IMAGES ? 0 : s / p.groups;
    channel_first = (s - image * p.groups) * p.per_group;
    x_first = image * p.x_stride[0] + channel_first * p.x_stride[1];
    y_first = image * p.y_stride[0] + channel_first * p.y_stride[1];
}
uint in_group(uint e) { // channel
    uint by_group = divide(e, p.group_magic, p.group_shift), by_position = divide(e, p.position_magic, p.position_shift);
    return ORDER == 0 ? 0 : ORDER == 1 ? e - by_group * p.per_group : ORDER == 2 ? by_position : e;
}
uint channel(uint e) { return channel_first + in_group(e); }
uint norm_place(uint e, uint stride[3]) {
    uint by_group = divide(e, p.group_magic, p.group_shift), by_position = divide(e, p.position_magic, p.position_shift);
    uint at = ORDER == 0 ? e : ORDER == 1 ? by_group : ORDER == 2 ? e - by_position * p.positions : 0, image = divide(at, p.row_magic, p.row_shift);
    return in_group(e) * stride[1] + (IMAGES ? image * stride[0] + (at - image * p.rows) * stride[2] : at * stride[2]);
}
uint x_place(uint e) { return x_first + norm_place(e, p.x_stride); }
uint y_place(uint e) { return y_first + norm_place(e, p.y_stride); }
#if defined(NORM_X)
float norm_x(uint e) {
    uint at = x_place(e);
    return x(at) + r(at);
}
#else
#define NORM_X(e) x(x_place(e))
#endif

// Elements are less `zero`, which is near the mean, so that a large mean costs no digits; `mean` is less it, too.
float kept[BLOCK], came[BLOCK], zero = 0, mean, by, mean_came, along; // along: mean of what arrives times the normalised x
void norm_load(uint first) { // a block
    LINE_LOAD(p.count, kept[i] = NORM_X(e) - zero;)
#if defined(ARRIVING)
    LINE_LOAD(p.count, came[i] = ARRIVING(e);)
#else
    [[unroll]] for (uint i = 0; i < BLOCK; i++) came[i] = 0;
#endif
}

void norm_statistics() {
    norm_begin();
    if (CENTRED) zero = NORM_X(0);
    norm_sums s = norm_nothing();
    LINE_BLOCKS(p.count, {
        norm_load(first);
        NORM_ADD(s, p.count, CENTRED)
    })
    s = norm_join(s, float(p.count), CENTRED);
    mean = s.middle.x, mean_came = s.middle.y;
    by = 1 / sqrt(s.together.x / s.have + p.eps);
    along = s.together.y / s.have * by;
}
