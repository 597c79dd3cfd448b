// The body of kernels norm_whole and norm_whole_subgroup, and with ADDED of add_norm and add_norm_subgroup.
TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, scale)
TENSOR_IN(3, bias)
layout(constant_id = 11) const bool BIAS = false;
#if defined(ADDED)
TENSOR_IN(4, r)
TENSOR_OUT(5, s)
layout(constant_id = 12) const bool SUM = false; // x + r is wanted, too
#define NORM_X(e) norm_x(e)
#define PUT_SUM(e) if (SUM) s_put(x_place(e), NORM_X(e))
#else
#define PUT_SUM(e)
#endif
#include "glsl/norm.glsl"

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
            PUT_SUM(e);
        })
    })
}
