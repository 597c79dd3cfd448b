// The body of kernels softmax and softmax_subgroup. Lines are read once where invocations keep their numbers, else twice: what a part of a
// line knows is its largest number and the sum of exponentials less that, which two parts can join (Milakov and Gimelshein 2018).
vec2 soft_join(vec2 a, vec2 b) {
    float most = max(a.x, b.x);
    return vec2(most, a.y * exp(a.x - most) + b.y * exp(b.x - most));
}
#define JOIN soft_join
#include "glsl/lines.glsl"
layout(constant_id = 7) const uint RANK = 1;
layout(constant_id = 8) const bool LOG = false;
const float LEAST = -3.402823466e38;

TENSOR_OUT(0, y)
TENSOR_IN(1, x)

uint x_first = 0, y_first = 0;
float kept[BLOCK];
void soft_begin() {
    uint rest = min(line(), p.lines - 1);
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        uint at = d == 0 ? rest : rest % p.dim[d];
        rest /= p.dim[d];
        y_first += at * uint(p.y_stride[d]);
        x_first += at * uint(p.x_stride[d]);
    }
}
void soft_load(uint first) { LINE_LOAD(p.len, kept[i] = x(x_first + e * p.x_step) * p.scale;) }

void main() {
    soft_begin();
    float top = LEAST;
    vec2 all = vec2(LEAST, 0); // largest number, sum
    LINE_BLOCKS(p.len, {
        float sum = 0;
        top = LEAST;
        soft_load(first);
        LINE_BLOCK(p.len, top = max(top, kept[i]);)
        LINE_BLOCK(p.len, {
            float above = exp(kept[i] - top);
            sum += above;
            if (KEEP > 0 && !LOG) kept[i] = above;
        })
        all = soft_join(all, vec2(top, sum));
    })
    all = line_join(all);
    if (line() >= p.lines) return;
    float by = LOG ? log(all.y) : (KEEP > 0 ? exp(top - all.x) : 1) / all.y;
    LINE_BLOCKS(p.len, {
        if (KEEP == 0) soft_load(first);
        LINE_BLOCK(p.len, y_put(y_first + e * p.y_step, LOG ? kept[i] - all.x - by : (KEEP > 0 ? kept[i] : exp(kept[i] - all.x)) * by);)
    })
}
