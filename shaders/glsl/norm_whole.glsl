// The body of kernels norm_whole and norm_whole_subgroup.
layout(constant_id = 9) const bool BIAS = false;

TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, scale)
TENSOR_IN(3, bias)

void main() {
    uint count = stat() < p.stats ? p.count : 0;
    norm_begin();
    NORM_STATISTICS({})
    NORM_EACH({
        float v = (GET(e) - mean) * by;
        if (SCALE) v *= scale(channel(e));
        if (BIAS) v += bias(channel(e));
        y_put(y_place(e), v);
    })
}
