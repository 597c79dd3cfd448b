// SPDX-License-Identifier: MIT
#include "ops/grad.h"
#include "graph/grad.h"
#include <string.h>

weft_value weft_grad_unary(weft_graph *g, const char *op, weft_value x) { return weft_graph_call(g, op, WEFT_V(x), NULL); }
weft_value weft_grad_binary(weft_graph *g, const char *op, weft_value a, weft_value b) { return weft_graph_call(g, op, WEFT_V(a, b), NULL); }
weft_value weft_grad_add(weft_graph *g, weft_value a, weft_value b) { return weft_grad_binary(g, "add", a, b); }

// Attributes by name, for rows whose struct is their own affair.
static weft_value call_with(weft_graph *g, const char *op, weft_value v, const char *names[], const double *numbers[], const int counts[], int count)
{
    _Alignas(16) unsigned char at[WEFT_MAX_ATTR_BYTES] = { 0 };
    const weft_op *row = weft_op_find(op);
    if (v < 0 || !row) return weft_graph_fail(g, weft_fail(WEFT_ERR_UNSUPPORTED, "there is no operator '%s'", op)), -1;
    weft_attr_defaults(row, at);
    for (int i = 0; i < count; i++)
        if (weft_graph_fail(g, weft_attr_set(row, at, names[i], NULL, numbers[i], counts[i]))) return -1;
    return weft_graph_op(g, row, &v, 1, at);
}

weft_value weft_grad_reshape(weft_graph *g, weft_value v, weft_shape to)
{
    double dims[WEFT_MAX_RANK];
    if (v < 0 || weft_shape_equal(g->values[v].shape, to)) return v;
    for (int d = 0; d < to.rank; d++) dims[d] = (double) to.dim[d];
    return call_with(g, "reshape", v, (const char *[]) { "shape" }, (const double *[]) { dims }, (const int[]) { to.rank }, 1);
}

weft_value weft_grad_scale(weft_graph *g, weft_value v, double factor)
{
    return call_with(g, "affine", v, (const char *[]) { "a" }, (const double *[]) { &factor }, (const int[]) { 1 }, 1);
}

weft_value weft_grad_unstretch(weft_graph *g, weft_value v, weft_shape to)
{
    double axes[WEFT_MAX_RANK];
    int count = 0;
    if (v < 0) return -1;
    const weft_shape s = g->values[v].shape;
    for (int d = 0; d < s.rank; d++) {
        const int k = d - s.rank + to.rank;
        if (k < 0 || (to.dim[k] == 1 && s.dim[d] > 1)) axes[count++] = d;
    }
    if (count)
        v = call_with(g, "sum", v, (const char *[]) { "axes", "keep" }, (const double *[]) { axes, &(const double) { 1 } }, (const int[]) { count, 1 }, 2);
    return weft_grad_reshape(g, v, to);
}
