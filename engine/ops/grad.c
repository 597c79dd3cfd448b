// SPDX-License-Identifier: MIT
#include "ops/grad.h"
#include <string.h>

weft_value weft_grad_unary(weft_graph *g, const char *op, weft_value x) { return weft_graph_call(g, op, WEFT_V(x), NULL); }
weft_value weft_grad_binary(weft_graph *g, const char *op, weft_value a, weft_value b) { return weft_graph_call(g, op, WEFT_V(a, b), NULL); }
weft_value weft_grad_where(weft_graph *g, weft_value cond, weft_value a, weft_value b) { return weft_graph_call(g, "where", WEFT_V(cond, a, b), NULL); }
weft_value weft_grad_add(weft_graph *g, weft_value a, weft_value b) { return weft_grad_binary(g, "add", a, b); }
weft_value weft_grad_mul(weft_graph *g, weft_value a, weft_value b) { return weft_grad_binary(g, "mul", a, b); }

weft_value weft_grad_call(weft_graph *g, const char *op, const weft_value *in, int in_count, const weft_grad_attr *with)
{
    _Alignas(16) unsigned char at[WEFT_MAX_ATTR_BYTES] = { 0 };
    const weft_op *row = weft_op_find(op);
    if (!row) return weft_graph_fail(g, weft_fail(WEFT_ERR_UNSUPPORTED, "there is no operator '%s'", op)), -1;
    weft_attr_defaults(row, at);
    for (; with && with->name; with++)
        if (weft_graph_fail(g, weft_attr_set(row, at, with->name, with->word, with->num, with->count))) return -1;
    return weft_graph_op(g, row, in, in_count, at);
}

static weft_grad_attr shape_attr(weft_shape s)
{
    weft_grad_attr a = { .name = "shape", .count = s.rank };
    for (int d = 0; d < s.rank; d++) a.num[d] = (double) s.dim[d];
    return a;
}

weft_value weft_grad_reshape(weft_graph *g, weft_value v, weft_shape to)
{
    if (v < 0 || weft_shape_equal(g->values[v].shape, to)) return v;
    return weft_grad_call(g, "reshape", WEFT_V(v), WEFT_WITH(shape_attr(to)));
}

weft_value weft_grad_expand(weft_graph *g, weft_value v, weft_shape to)
{
    if (v < 0 || weft_shape_equal(g->values[v].shape, to)) return v;
    return weft_grad_call(g, "expand", WEFT_V(v), WEFT_WITH(shape_attr(to)));
}

weft_value weft_grad_scale(weft_graph *g, weft_value v, double factor)
{
    return weft_grad_call(g, "affine", WEFT_V(v), WEFT_WITH({ "a", NULL, 1, { factor } }));
}

weft_value weft_grad_shift(weft_graph *g, weft_value v, double by)
{
    return weft_grad_call(g, "affine", WEFT_V(v), WEFT_WITH({ "b", NULL, 1, { by } }));
}

weft_value weft_grad_slice(weft_graph *g, weft_value v, int axis, int64_t begin, int64_t end)
{
    if (v < 0 || (begin == 0 && end == g->values[v].shape.dim[axis])) return v;
    return weft_grad_call(g, "slice", WEFT_V(v), WEFT_WITH({ "starts", NULL, 1, { (double) begin } }, { "ends", NULL, 1, { (double) end } },
                                                           { "axes", NULL, 1, { axis } }));
}

weft_value weft_grad_pad(weft_graph *g, weft_value v, int axis, int64_t before, int64_t after)
{
    if (v < 0 || (before == 0 && after == 0)) return v;
    weft_grad_attr b = { .name = "before", .count = g->values[v].shape.rank }, a = { .name = "after", .count = b.count };
    b.num[axis] = (double) before, a.num[axis] = (double) after;
    return weft_grad_call(g, "pad", WEFT_V(v), WEFT_WITH(b, a));
}

weft_value weft_grad_permute(weft_graph *g, weft_value v, const int *perm)
{
    if (v < 0) return -1;
    weft_grad_attr p = { .name = "perm", .count = g->values[v].shape.rank };
    for (int d = 0; d < p.count; d++) p.num[d] = perm[d];
    return weft_grad_call(g, "transpose", WEFT_V(v), WEFT_WITH(p));
}

weft_value weft_grad_reduce(weft_graph *g, const char *op, weft_value v, uint32_t mask)
{
    weft_grad_attr axes = { .name = "axes" };
    if (!mask) return v;
    for (int d = 0; d < WEFT_MAX_RANK; d++)
        if (mask >> d & 1) axes.num[axes.count++] = d;
    return weft_grad_call(g, op, WEFT_V(v), WEFT_WITH(axes, { "keep", NULL, 1, { 1 } }));
}

weft_value weft_grad_unstretch(weft_graph *g, weft_value v, weft_shape to)
{
    uint32_t mask = 0;
    if (v < 0) return -1;
    const weft_shape s = g->values[v].shape;
    for (int d = 0; d < s.rank; d++) {
        const int k = d - s.rank + to.rank;
        if (k < 0 || (to.dim[k] == 1 && s.dim[d] > 1)) mask |= 1u << d;
    }
    return weft_grad_reshape(g, weft_grad_reduce(g, "sum", v, mask), to);
}
