// Means and deviations of pairs: x and what arrives there. Sums are of BLOCK pairs at a time, which join those of the blocks before
// (Chan, Golub and LeVeque 1979): all is read once, and no sum of squares loses digits to a large mean.
vec2 norm_plus(vec2 a, vec2 b) { return a + b; }
#define JOIN norm_plus
#include "glsl/lines.glsl"

struct norm_sums {
    float have;     // pairs
    vec2 middle;    // means
    vec2 together;  // sums of squared deviations of x, and of products of both's deviations
};
norm_sums norm_nothing() { return norm_sums(0, vec2(0), vec2(0)); }

// Adds the block kept, came to `s`. centred: false: means are taken for zero.
#define NORM_ADD(s, numbers, centred) {                                                        \
    float some = 0;                                                                            \
    vec2 sum = vec2(0), sums = vec2(0);                                                        \
    LINE_BLOCK(numbers, {                                                                      \
        some += 1;                                                                             \
        sum += vec2(kept[i], came[i]);                                                         \
    })                                                                                         \
    sum = centred ? sum / max(some, 1) : vec2(0);                                              \
    LINE_BLOCK(numbers, sums += (kept[i] - sum.x) * (vec2(kept[i], came[i]) - sum);)           \
    float all = s.have + some, part_ = some / max(all, 1);                                     \
    vec2 apart = sum - s.middle;                                                               \
    s.together += sums + apart.x * apart * s.have * part_;                                     \
    s.middle += apart * part_;                                                                 \
    s.have = all;                                                                              \
}

// Over the invocations of a line of `count` pairs. Every invocation must call.
norm_sums norm_join(norm_sums s, float count, bool centred) {
    vec2 all = vec2(0);
    if (centred) all = line_join(s.have * s.middle) / count;
    vec2 apart = s.middle - all;
    return norm_sums(count, all, line_join(s.together + s.have * apart.x * apart));
}
