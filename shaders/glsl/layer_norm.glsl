// The body of kernels layer_norm and layer_norm_subgroup.
layout(constant_id = 3) const bool SCALE = false;
layout(constant_id = 4) const bool BIAS = false;

TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, scale)
TENSOR_IN(3, bias)

void main() {
    uint row = LINEAR_GROUP;
    if (row >= p.rows) return;
    uint first = row * p.inner;
    float sum = 0, m2 = 0;
    for (uint i = gl_LocalInvocationIndex; i < p.inner; i += gl_WorkGroupSize.x) sum += x(first + i);
    float mean = tree_sum(sum) / float(p.inner);
    for (uint i = gl_LocalInvocationIndex; i < p.inner; i += gl_WorkGroupSize.x) {
        float d = x(first + i) - mean;
        m2 += d * d;
    }
    float by = 1 / sqrt(tree_sum(m2) / float(p.inner) + p.eps);
    for (uint i = gl_LocalInvocationIndex; i < p.inner; i += gl_WorkGroupSize.x) {
        float v = (x(first + i) - mean) * by;
        if (SCALE) v *= scale(i);
        if (BIAS) v += bias(i);
        y_put(first + i, v);
    }
}
