// SPDX-License-Identifier: MIT
// The cosine distance of vectors, as of embeddings of faces or of sentences.
#include "ops/grad.h"
#include <math.h>

typedef struct cosine_attrs { float eps; } cosine_attrs;

static weft_result cosine_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[0], y = n->in_shape[1];
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    const bool same = weft_shape_equal(x, y), one = y.rank && x.rank && weft_shape_count(y) == y.dim[y.rank - 1] && y.dim[y.rank - 1] == x.dim[x.rank - 1];
    if (!x.rank || (!same && !one) || y.rank > x.rank)
        return weft_node_fail(n, "y %s is neither of the shape of x %s nor one vector of its length", weft_shape_text(y, b), weft_shape_text(x, a));
    n->out_shape[0] = (weft_shape) { 0 };
    return WEFT_OK;
}

static void cosine_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_shape s = n->in_shape[0];
    const int64_t size = s.dim[s.rank - 1], rows = weft_shape_count(s) / size, step = weft_shape_count(n->in_shape[1]) == size ? 0 : size;
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) {
        const weft_real *x = (const weft_real *) arg->in[0] + r * size, *y = (const weft_real *) arg->in[1] + r * step;
        double xy = 0, xx = 0, yy = 0;
        for (int64_t i = 0; i < size; i++) xy += (double) x[i] * y[i], xx += (double) x[i] * x[i], yy += (double) y[i] * y[i];
        sum += 1 - xy / fmax(sqrt(xx) * sqrt(yy), ((const cosine_attrs *) n->attrs)->eps);
    }
    ((weft_real *) arg->out[0])[0] = (weft_real) (sum / (double) rows);
}

static weft_value along(weft_graph *g, const char *how, weft_value v) { return weft_grad_call(g, how, WEFT_V(v), WEFT_WITH({ "axes", NULL, 1, { -1 } })); }

static weft_result cosine_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_value lengths = weft_grad_mul(g, along(g, "l2_norm", n->in[0]), along(g, "l2_norm", n->in[1]));
    const weft_value least = weft_graph_scalar(g, ((const cosine_attrs *) n->attrs)->eps);
    const weft_value cosine = weft_grad_binary(g, "div", along(g, "sum", weft_grad_mul(g, n->in[0], n->in[1])), weft_grad_binary(g, "max", lengths, least));
    const weft_value mean = weft_grad_call(g, "mean", WEFT_V(cosine), NULL);
    out[0] = weft_grad_call(g, "affine", WEFT_V(mean), WEFT_WITH({ "a", NULL, 1, { -1 } }, { "b", NULL, 1, { 1 } }));
    return weft_graph_status(g);
}

const weft_op weft_op_cosine_loss = {
    .name = "cosine_loss", .doc = "z = mean of 1 - x . y / max(|x| |y|, eps) over the vectors along the last dimension; y may be one vector for all.",
    .out_names = "z", .in_names = "x y", .attr_bytes = sizeof(cosine_attrs),
    .attrs = (const weft_attr[]) { WEFT_ATTR(cosine_attrs, eps, FLOAT, .def = 1e-8, .min = 0, .max = 1, .doc = "the least product of lengths"), { 0 } },
    .infer = cosine_infer, .cpu = cosine_cpu, .expand = cosine_expand,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 65), WEFT_SHAPE(1, 65) } },
        { .in = { WEFT_SHAPE(3, 17), WEFT_SHAPE(3, 17) }, .low = -0.2, .high = 1 },
        { .in = { WEFT_SHAPE(2, 3, 11), WEFT_SHAPE(1, 11) } },
        { .in = { WEFT_SHAPE(7), WEFT_SHAPE(7) } },
        { 0 }
    },
};
