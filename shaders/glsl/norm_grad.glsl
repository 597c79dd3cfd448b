// The body of kernels norm_grad and norm_grad_subgroup.
TENSOR_OUT(0, dx)
TENSOR_IN(1, dy)
TENSOR_IN(2, x)
TENSOR_IN(3, scale)
TENSOR_IN(4, r)
layout(constant_id = 11) const bool RESIDUAL = false; // is added
#define ARRIVING(e) (SCALE ? dy(x_place(e)) * scale(channel(e)) : dy(x_place(e)))
#include "glsl/norm.glsl"

void main() {
    norm_statistics();
    if (line() >= p.stats) return;
    LINE_BLOCKS(p.count, {
        if (KEEP == 0) norm_load(first);
        LINE_BLOCK(p.count, {
            float v = (came[i] - mean_came - (kept[i] - mean) * by * along) * by;
            if (RESIDUAL) v += r(x_place(e));
            dx_put(x_place(e), v);
        })
    })
}
