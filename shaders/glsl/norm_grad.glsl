// The body of kernels norm_grad and norm_grad_subgroup.
TENSOR_OUT(0, dx)
TENSOR_IN(1, dy)
TENSOR_IN(2, x)
TENSOR_IN(3, scale)

float arriving(uint e) { return SCALE ? dy(x_place(e)) * scale(channel(e)) : dy(x_place(e)); }

void main() {
    uint count = stat() < p.stats ? p.count : 0;
    norm_begin();
    float came[KEEP > 0 ? KEEP : 1];
#define CAME(e) (KEEP > 0 ? came[i] : arriving(e))
    NORM_STATISTICS(came[i] = arriving(e);)
    vec2 sums = vec2(0); // of what arrives, and of that times the normalised x
    NORM_EACH({
        float a = CAME(e);
        sums += vec2(a, a * (GET(e) - mean) * by);
    })
    sums = norm_sum(sums) / float(p.count);
    NORM_EACH({
        dx_put(x_place(e), (CAME(e) - sums.x - (GET(e) - mean) * by * sums.y) * by);
    })
}
