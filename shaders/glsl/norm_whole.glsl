// The body of kernels norm_whole and norm_whole_subgroup.
layout(constant_id = 9) const bool BIAS = false;

TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, scale)
TENSOR_IN(3, bias)

void main() {
    uint count = stat() < p.stats ? p.count : 0;
    norm_begin();
    float kept[KEEP > 0 ? KEEP : 1], sum = 0, squares = 0;
    float zero = count > 0 ? x(x_place(0)) : 0; // near the mean, so that a large mean costs no digits
#define GET(e) (KEEP > 0 ? kept[i] : x(x_place(e)) - zero)
    NORM_EACH({
        float v = x(x_place(e)) - zero;
        if (KEEP > 0) kept[i] = v;
        sum += v;
    })
    float mean = norm_sum(vec2(sum, 0)).x / float(p.count);
    NORM_EACH({
        float d = GET(e) - mean;
        squares += d * d;
    })
    float by = 1 / sqrt(norm_sum(vec2(squares, 0)).x / float(p.count) + p.eps);
    NORM_EACH({
        float v = (GET(e) - mean) * by;
        if (SCALE) v *= scale(channel(e));
        if (BIAS) v += bias(channel(e));
        y_put(y_place(e), v);
    })
}
