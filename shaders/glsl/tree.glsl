// Sums and maxima over a workgroup, whose size must be a power of two of at most 128. Every invocation must call.
#if defined(SUBGROUPS) // the kernel has asked for subgroup operations
shared float tree_room[32]; // a subgroup has at least 4 invocations
#define TREE(name, together, join)                                                 \
    float name(float v) {                                                          \
        v = together(v);                                                           \
        if (gl_NumSubgroups == 1) return v;                                        \
        if (subgroupElect()) tree_room[gl_SubgroupID] = v;                         \
        barrier();                                                                 \
        float a = tree_room[0];                                                    \
        for (uint i = 1; i < gl_NumSubgroups; i++) {                               \
            float b = tree_room[i];                                                \
            a = join;                                                              \
        }                                                                          \
        barrier(); /* the room is free again */                                    \
        return a;                                                                  \
    }
#else
shared float tree_room[128];
#define TREE(name, together, join)                                                      \
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
#endif
TREE(tree_sum, subgroupAdd, a + b)
TREE(tree_max, subgroupMax, max(a, b))
