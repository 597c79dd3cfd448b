// Statistics over lines of numbers: mean and deviation, and with ARRIVING(e), what arrives at element e, its mean and how it goes along with x.
// Elements are counted as they lie in memory. Read once: an invocation has the statistics of BLOCK elements and joins them to those of
// the blocks before (Chan, Golub and LeVeque 1979), so that no sum of squares loses digits to a large mean.
vec2 norm_add(vec2 a, vec2 b) { return a + b; }
#define JOIN norm_add
#include "glsl/lines.glsl"
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

// Elements are less `zero`, which is near the mean, so that a large mean costs no digits; `mean` is less it, too.
float kept[BLOCK], zero = 0, mean = 0, by;
#if defined(ARRIVING)
float came[BLOCK], mean_came = 0, along = 0; // along: mean of what arrives times the normalised x
#endif

void norm_load(uint first) { // a block
    LINE_LOAD(p.count, kept[i] = x(x_place(e)) - zero;)
#if defined(ARRIVING)
    LINE_LOAD(p.count, came[i] = ARRIVING(e);)
#endif
}

float have = 0;
vec2 middle = vec2(0), together = vec2(0); // means; together.x: sum of squared deviations, .y: of deviations of both
void norm_take(uint first) {
    float count = 0;
    vec2 sum = vec2(0), sums = vec2(0);
    norm_load(first);
#if defined(ARRIVING)
#define NORM_PAIR(i) vec2(kept[i], came[i])
#else
#define NORM_PAIR(i) vec2(kept[i], 0)
#endif
    LINE_BLOCK(p.count, {
        count += 1;
        sum += NORM_PAIR(i);
    })
    sum /= max(count, 1);
    if (!CENTRED) sum = vec2(0);
    LINE_BLOCK(p.count, {
        vec2 d = NORM_PAIR(i) - sum;
        sums += d.x * d;
    })
    float all = have + count, part = count / max(all, 1);
    vec2 apart = sum - middle;
    together += sums + apart.x * apart * have * part;
    middle += apart * part;
    have = all;
}

void norm_statistics() {
    norm_begin();
    if (CENTRED) zero = x(x_place(0));
    LINE_BLOCKS(p.count, { norm_take(first); })
    float count = float(p.count);
    vec2 all = vec2(0);
    if (CENTRED) all = line_join(have * middle) / count;
    vec2 apart = middle - all;
    together = line_join(together + have * apart.x * apart);
    mean = all.x;
    by = 1 / sqrt(together.x / count + p.eps);
#if defined(ARRIVING)
    mean_came = all.y;
    along = together.y / count * by;
#endif
}
