// Statistics that a workgroup makes by itself: SIDE of them side by side, so that channels that lie together are read together, each by
// all of its other invocations. Elements are counted as they lie in memory.
layout(constant_id = 3) const uint GROUP = 128; // invocations: a power of two of at most 128
layout(constant_id = 4) const uint SIDE = 1;
layout(constant_id = 5) const uint KEEP = 0;    // elements that an invocation keeps; 0: they are read again
layout(constant_id = 6) const uint ORDER = 0;   // of elements: one channel, channels first, positions first, channels only
layout(constant_id = 7) const bool IMAGES = false; // statistics are of all images
layout(constant_id = 8) const bool SCALE = false;
const uint LANES = GROUP / SIDE;

#if defined(SUBGROUPS) // the kernel has asked for subgroup operations
uint invocation() { return gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID; }
#else
uint invocation() { return gl_LocalInvocationIndex; }
#endif
uint stat() { return LINEAR_GROUP * SIDE + invocation() % SIDE; }
uint lane() { return invocation() / SIDE; }

uint channel_first, x_first, y_first; // of the statistic
void norm_begin() {
    uint s = stat(), image = IMAGES ? 0 : s / p.groups;
    channel_first = s % p.groups * p.per_group;
    x_first = image * p.x_stride[0] + channel_first * p.x_stride[1];
    y_first = image * p.y_stride[0] + channel_first * p.y_stride[1];
}
uint in_group(uint e) { return ORDER == 0 ? 0 : ORDER == 1 ? e % p.per_group : ORDER == 2 ? e / p.positions : e; }
uint channel(uint e) { return channel_first + in_group(e); }
uint norm_place(uint e, uint stride[3]) {
    uint at = ORDER == 0 ? e : ORDER == 1 ? e / p.per_group : ORDER == 2 ? e % p.positions : 0;
    uint place = in_group(e) * stride[1];
    return place + (IMAGES ? at / p.rows * stride[0] + at % p.rows * stride[2] : at * stride[2]);
}
uint x_place(uint e) { return x_first + norm_place(e, p.x_stride); }
uint y_place(uint e) { return y_first + norm_place(e, p.y_stride); }

// Sums over the invocations of each statistic. Every invocation must call.
shared vec2 norm_room[128];
#if defined(SUBGROUPS)
vec2 norm_sum(vec2 v) {
    uint size = min(gl_SubgroupSize, GROUP), at = invocation();
    for (uint step_ = SIDE; step_ < size; step_ *= 2) v += subgroupShuffleXor(v, step_);
    if (gl_NumSubgroups == 1) return v;
    uint rows = GROUP / max(SIDE, size), place = size > SIDE ? gl_SubgroupID * SIDE + gl_SubgroupInvocationID : at;
    if (size <= SIDE || gl_SubgroupInvocationID < SIDE) norm_room[place] = v;
    barrier();
    vec2 all = norm_room[at % SIDE];
    for (uint i = 1; i < rows; i++) all += norm_room[i * SIDE + at % SIDE];
    barrier(); // the room is free again
    return all;
}
#else
vec2 norm_sum(vec2 v) {
    uint at = gl_LocalInvocationIndex;
    norm_room[at] = v;
    barrier();
    for (uint half_ = GROUP / 2; half_ >= SIDE; half_ /= 2) {
        if (at < half_) norm_room[at] += norm_room[at + half_];
        barrier();
    }
    vec2 all = norm_room[at % SIDE];
    barrier(); // the room is free again
    return all;
}
#endif

// do_(i, e): for every element e of this invocation, the i-th that it keeps.
#define NORM_EACH(do_)                                                                          \
    if (KEEP > 0) { [[unroll]] for (uint i = 0; i < KEEP; i++) { uint e = lane() + i * LANES; if (e < count) { do_ } } } \
    else for (uint e = lane(); e < count; e += LANES) { const uint i = 0; do_ }

// Declares `mean`, less `zero`, and `by`, which is 1 over the deviation; GET(e) is an element less `zero`. also_: done with each that is kept.
#define GET(e) (KEEP > 0 ? kept[i] : x(x_place(e)) - zero)
#define NORM_STATISTICS(also_)                                                                  \
    float kept[KEEP > 0 ? KEEP : 1], sum = 0, squares = 0;                                      \
    float zero = count > 0 ? x(x_place(0)) : 0; /* near the mean, so that a large mean costs no digits */ \
    NORM_EACH({                                                                                 \
        float v = x(x_place(e)) - zero;                                                         \
        if (KEEP > 0) { kept[i] = v; also_ }                                                    \
        sum += v;                                                                               \
    })                                                                                          \
    float mean = norm_sum(vec2(sum, 0)).x / float(p.count);                                     \
    NORM_EACH({                                                                                 \
        float d = GET(e) - mean;                                                                \
        squares += d * d;                                                                       \
    })                                                                                          \
    float by = 1 / sqrt(norm_sum(vec2(squares, 0)).x / float(p.count) + p.eps);
