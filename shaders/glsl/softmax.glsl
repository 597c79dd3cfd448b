// The body of kernels softmax and softmax_subgroup.
layout(constant_id = 3) const uint RANK = 1;
layout(constant_id = 4) const bool TREE_ = false;
layout(constant_id = 5) const bool LOG = false;

TENSOR_OUT(0, y)
TENSOR_IN(1, x)

void main() {
    uint line = TREE_ ? LINEAR_GROUP : LINEAR_ID;
    if (line >= p.lines) return;
    uint rest = line;
    int iy = 0, ix = 0;
    [[unroll]] for (int d = int(RANK) - 1; d >= 0; d--) {
        int at = int(d == 0 ? rest : rest % p.dim[d]);
        rest /= p.dim[d];
        iy += at * p.y_stride[d];
        ix += at * p.x_stride[d];
    }
    uint first = TREE_ ? gl_LocalInvocationIndex : 0, step_ = TREE_ ? gl_WorkGroupSize.x : 1;
    float most = -3.402823466e38, sum = 0;
    for (uint i = first; i < p.len; i += step_) most = max(most, x(uint(ix) + i * p.x_step) * p.scale);
    if (TREE_) most = tree_max(most);
    for (uint i = first; i < p.len; i += step_) sum += exp(x(uint(ix) + i * p.x_step) * p.scale - most);
    if (TREE_) sum = tree_sum(sum);
    float by = LOG ? log(sum) : 1 / sum;
    for (uint i = first; i < p.len; i += step_) {
        float above = x(uint(ix) + i * p.x_step) * p.scale - most;
        y_put(uint(iy) + i * p.y_step, LOG ? above - by : exp(above) * by);
    }
}
