// Sums and maxima over a workgroup, whose size must be a power of two of at most 128. Every invocation must call.
shared float tree_room[128];
#define TREE(name, join)                                                           \
    float name(float v) {                                                          \
        uint at = gl_LocalInvocationIndex;                                         \
        tree_room[at] = v;                                                         \
        barrier();                                                                 \
        for (uint half_ = gl_WorkGroupSize.x / 2; half_ > 0; half_ /= 2) {         \
            float a = tree_room[at];                                               \
            float b = at < half_ ? tree_room[at + half_] : 0;                      \
            if (at < half_) tree_room[at] = join;                                  \
            barrier();                                                             \
        }                                                                          \
        float all = tree_room[0];                                                  \
        barrier(); /* the room is free again */                                    \
        return all;                                                                \
    }
TREE(tree_sum, a + b)
TREE(tree_max, max(a, b))
