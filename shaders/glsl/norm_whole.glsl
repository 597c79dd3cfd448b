// The body of kernels norm_whole and norm_whole_subgroup.
TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, scale)
TENSOR_IN(3, bias)
#include "glsl/norm.glsl"
layout(constant_id = 11) const bool BIAS = false;

void main() {
    norm_statistics();
    if (line() >= p.stats) return;
    LINE_BLOCKS(p.count, {
        if (KEEP == 0) norm_load(first);
        LINE_BLOCK(p.count, {
            float v = (kept[i] - mean) * by;
            if (SCALE) v *= scale(channel(e));
            if (BIAS) v += bias(channel(e));
            y_put(y_place(e), v);
        })
    })
}
