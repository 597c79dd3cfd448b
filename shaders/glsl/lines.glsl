// Lines of numbers that belong together, LINES of them per workgroup, each shared by all of its other invocations.
// Needs vec2 JOIN(vec2 a, vec2 b), which joins what two invocations know of a line.
layout(constant_id = 3) const uint GROUP = 128;     // invocations: a power of two
layout(constant_id = 4) const uint LINES = 1;
layout(constant_id = 5) const uint KEEP = 0;        // numbers that an invocation keeps; 0: they are read again
layout(constant_id = 6) const bool BESIDE = false;  // neighbours in memory are of different lines, not of one
const uint LANES = GROUP / LINES;
const uint BLOCK = KEEP > 0 ? KEEP : 8; // numbers on their way at once

#if defined(SUBGROUPS) // the kernel has asked for subgroup operations
uint subgroup_size() { return GROUP / gl_NumSubgroups; } // gl_SubgroupSize may be more than run
uint invocation() { return gl_SubgroupID * subgroup_size() + gl_SubgroupInvocationID; }
#else
uint invocation() { return gl_LocalInvocationIndex; }
#endif
uint line() { return LINEAR_GROUP * LINES + (BESIDE ? invocation() % LINES : invocation() / LANES); }
uint lane() { return BESIDE ? invocation() / LINES : invocation() % LANES; }

// v joined over the invocations of each line. Every invocation must call.
shared vec2 line_room[GROUP];
#if defined(SUBGROUPS)
vec2 line_join(vec2 v) {
    uint size = subgroup_size(), at = invocation();
    for (uint step_ = BESIDE ? LINES : 1, end = BESIDE ? size : min(LANES, size); step_ < end; step_ *= 2) v = JOIN(v, subgroupShuffleXor(v, step_));
    if (BESIDE ? gl_NumSubgroups == 1 : LANES <= size) return v;
    uint first, step_, count; // of what a line left in the room
    if (BESIDE) {
        if (size <= LINES || gl_SubgroupInvocationID < LINES) line_room[size > LINES ? gl_SubgroupID * LINES + gl_SubgroupInvocationID : at] = v;
        first = at % LINES, step_ = LINES, count = GROUP / max(LINES, size);
    } else {
        if (gl_SubgroupInvocationID == 0) line_room[gl_SubgroupID] = v;
        first = at / LANES * (LANES / size), step_ = 1, count = LANES / size;
    }
    barrier();
    vec2 all = line_room[first];
    for (uint i = 1; i < count; i++) all = JOIN(all, line_room[first + i * step_]);
    barrier(); // the room is free again
    return all;
}
#else
vec2 line_join(vec2 v) {
    uint at = gl_LocalInvocationIndex;
    if (LANES == 1) return v;
    line_room[at] = v;
    barrier();
    for (uint half_ = LANES / 2; half_ > 0; half_ /= 2) {
        if (lane() < half_) line_room[at] = JOIN(line_room[at], line_room[at + half_ * (BESIDE ? LINES : 1)]);
        barrier();
    }
    vec2 all = line_room[BESIDE ? at % LINES : at - at % LANES];
    barrier(); // the room is free again
    return all;
}
#endif

// do_(first) for every block of an invocation in a line of so many numbers; where there is but one, all are kept.
#define LINE_BLOCKS(numbers, do_) \
    if (KEEP > 0) { uint first = lane(); do_ } else for (uint first = lane(); first < numbers; first += BLOCK * LANES) { do_ }
// do_(i, e) for every number e of a block, the i-th there.
#define LINE_BLOCK(numbers, do_) [[unroll]] for (uint i = 0; i < BLOCK; i++) { uint e = first + i * LANES; if (e < numbers) { do_ } }
// do_(i, e) for loads: the last number stands for those beyond it, so that no load waits for a branch.
#define LINE_LOAD(numbers, do_) [[unroll]] for (uint i = 0; i < BLOCK; i++) { uint e = min(first + i * LANES, numbers - 1); do_ }
