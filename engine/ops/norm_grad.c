// SPDX-License-Identifier: MIT
// Gradient of a normalisation by statistics of the input itself. With z = (x - mean) / sqrt(var + eps) and e = scale dy, both
// over the same elements, dx = (e - mean(e) - z mean(e z)) / sqrt(var + eps) (Ioffe and Szegedy 2015).
#include "ops/norm.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include <math.h>
#include <string.h>

enum { DY = WEFT_NORM_GRAD_DY, X = WEFT_NORM_GRAD_X, SCALE = WEFT_NORM_GRAD_SCALE, R = WEFT_NORM_GRAD_R };
typedef struct norm_grad_attrs { float eps; int32_t groups, over_n, params; } norm_grad_attrs;

bool weft_norm_grad_params(const weft_node *n) { return ((const norm_grad_attrs *) n->attrs)->params; }
static int norm_grad_outputs(const void *attrs) { return ((const norm_grad_attrs *) attrs)->params ? 3 : 1; }

weft_norm_kind weft_norm_grad_kind_of(const weft_node *n)
{
    const norm_grad_attrs *at = n->attrs;
    return (weft_norm_kind) { at->groups ? at->groups : n->in_shape[X].dim[1], at->over_n, at->eps };
}

static weft_result norm_grad_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[X];
    if (x.rank < 2 || !weft_shape_equal(x, n->in_shape[DY])) return weft_node_fail(n, "x and dy must have one shape of at least 2 dimensions");
    const weft_norm_kind k = weft_norm_grad_kind_of(n);
    if (x.dim[1] % k.groups || (k.over_n && k.groups != x.dim[1]))
        return weft_node_fail(n, "%lld channels do not divide into %lld groups", (long long) x.dim[1], (long long) k.groups);
    WEFT_TRY(weft_norm_vector(n, SCALE, "scale", x.dim[1]));
    if (weft_has(n, R) && (!weft_shape_equal(n->in_shape[R], x) || x.rank != 2 || weft_norm_grad_params(n)))
        return weft_node_fail(n, "r is for rows, and has their shape");
    n->out_shape[0] = x;
    if (!weft_norm_grad_params(n)) return WEFT_OK;
    if (x.rank < 3 || weft_shape_count(x) == x.dim[0] * x.dim[1]) return weft_node_fail(n, "params is for images, not for single positions");
    n->out_shape[1] = n->out_shape[2] = (weft_shape) WEFT_SHAPE(x.dim[1]);
    return WEFT_OK;
}

static int64_t norm_grad_items(const weft_node *n)
{
    if (weft_norm_grad_params(n)) return 1; // sums are over all statistics of a channel
    const weft_norm_kind k = weft_norm_grad_kind_of(n);
    return k.groups * (k.over_n ? 1 : n->in_shape[X].dim[0]);
}

static void norm_grad_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_norm_view v = weft_norm_look(n->in_shape[X], WEFT_ROW);
    const weft_norm_kind k = weft_norm_grad_kind_of(n);
    const int64_t per = v.c / k.groups;
    const weft_real *dy = arg->in[DY], *x = arg->in[X], *scale = weft_has(n, SCALE) ? arg->in[SCALE] : NULL;
    const bool params = weft_norm_grad_params(n);
    const int64_t stats = params ? k.groups * (k.over_n ? 1 : v.n) : arg->end;
    for (int64_t c = 0; params && c < 2 * v.c; c++) ((weft_real *) arg->out[1 + c / v.c])[c % v.c] = 0;
    for (int64_t s = arg->begin; s < stats; s++) {
        const int64_t first = k.over_n ? 0 : s / k.groups, last = k.over_n ? v.n : first + 1, c0 = s % k.groups * per;
#define EACH                                              \
    for (int64_t b = first; b < last; b++)                \
        for (int64_t c = c0; c < c0 + per; c++)           \
            for (int64_t i = (b * v.c + c) * v.rows, end = i + v.rows; i < end; i++)
        const double count = (double) ((last - first) * per * v.rows);
        double mean = 0, var = 0, sum = 0, along = 0;
        EACH mean += x[i];
        mean /= count;
        EACH var += (x[i] - mean) * (x[i] - mean);
        const double by = 1 / sqrt(var / count + k.eps);
        EACH {
            const double e = (scale ? scale[c] : 1) * (double) dy[i];
            sum += e, along += e * (x[i] - mean);
        }
        for (int64_t b = first; params && b < last; b++)
            for (int64_t c = c0; c < c0 + per; c++) {
                double of_scale = 0, of_bias = 0;
                for (int64_t i = (b * v.c + c) * v.rows, end = i + v.rows; i < end; i++) of_scale += dy[i] * (x[i] - mean) * by, of_bias += dy[i];
                ((weft_real *) arg->out[1])[c] += (weft_real) of_scale, ((weft_real *) arg->out[2])[c] += (weft_real) of_bias;
            }
        sum /= count, along *= by * by / count;
        const weft_real *r = weft_has(n, R) ? arg->in[R] : NULL;
        EACH ((weft_real *) arg->out[0])[i] = (weft_real) (((scale ? scale[c] : 1) * (double) dy[i] - sum - (x[i] - mean) * along) * by + (r ? r[i] : 0));
#undef EACH
    }
}

static int norm_grad_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    static const char *const kernels[2] = { "norm_grad_subgroup", "norm_grad" };
    const weft_norm_kind k = weft_norm_grad_kind_of(n);
    if (weft_norm_grad_params(n)) return list[0] = (weft_way) { "norm_split", { 0 } }, 1; // which has the sums of each channel
    return weft_norm_any_ways(n, X, e, &k, kernels, list);
}

static double norm_grad_flops(const weft_node *n) { return 16.0 * (double) weft_shape_count(n->out_shape[0]); }

static weft_result norm_grad_emit(const weft_node *n, weft_emit *e)
{
    const weft_norm_kind k = weft_norm_grad_kind_of(n);
    const weft_norm_lines l = weft_norm_lines_of(n, X, &k);
    weft_dispatch d = { .flops = norm_grad_flops(n) };
    WEFT_TRY(weft_loop_check(n));
    if (!strcmp(weft_emit_way(e)->kernel, "norm_split")) return weft_norm_split(n, e, &k, (weft_norm_inputs) { .x = X, .dy = DY, .scale = SCALE, .bias = -1, .params = weft_norm_grad_params(n) });
    weft_norm_dispatch(&l, e, weft_has(n, SCALE), &d);
    d.spec[d.spec_count++] = weft_has(n, R);
    return weft_emit_dispatch(e, &d);
}

// --- In other rows, which store what is in between: for gradients of gradients. ------------

// dy and x [n, c, ..]; scale [c], -1: none. params, if wanted: what scale and bias receive.
static weft_value compose(weft_graph *g, const weft_norm_kind *k, weft_value dy, weft_value x_, weft_value scale, weft_value *params)
{
    const weft_shape shape = g->values[x_].shape;
    const weft_shape view = WEFT_SHAPE(shape.dim[0], k->groups, weft_shape_count(shape) / (shape.dim[0] * k->groups));
    const uint32_t mask = k->over_n ? 1u << 0 | 1u << 2 : 1u << 2;
    const weft_value x = weft_grad_reshape(g, x_, view);
    const weft_value centred = weft_grad_binary(g, "sub", x, weft_grad_reduce(g, "mean", x, mask));
    const weft_value var = weft_grad_reduce(g, "mean", weft_grad_unary(g, "square", centred), mask);
    const weft_value by = weft_grad_unary(g, "rsqrt", weft_grad_shift(g, var, k->eps)), z = weft_grad_mul(g, centred, by);
    const weft_shape channels = WEFT_SHAPE(shape.dim[1]);
    if (params) {
        const weft_value of_scale = weft_grad_mul(g, dy, weft_grad_reshape(g, z, shape));
        params[0] = weft_grad_reshape(g, weft_grad_unstretch(g, of_scale, weft_norm_channels(shape)), channels);
        params[1] = weft_grad_reshape(g, weft_grad_unstretch(g, dy, weft_norm_channels(shape)), channels);
    }
    weft_value e = dy;
    if (scale >= 0) e = weft_grad_mul(g, e, weft_grad_reshape(g, scale, weft_norm_channels(shape)));
    e = weft_grad_reshape(g, e, view);
    const weft_value along = weft_grad_mul(g, z, weft_grad_reduce(g, "mean", weft_grad_mul(g, e, z), mask));
    const weft_value rest = weft_grad_binary(g, "sub", weft_grad_binary(g, "sub", e, weft_grad_reduce(g, "mean", e, mask)), along);
    return weft_grad_reshape(g, weft_grad_mul(g, rest, by), shape);
}

static weft_result norm_grad_unfuse(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_norm_kind k = weft_norm_grad_kind_of(n);
    out[0] = compose(g, &k, n->in[DY], n->in[X], weft_has(n, SCALE) ? n->in[SCALE] : -1, weft_norm_grad_params(n) ? out + 1 : NULL);
    if (weft_has(n, R)) out[0] = weft_grad_binary(g, "add", out[0], n->in[R]);
    return weft_graph_status(g);
}

weft_result weft_norm_grad(const weft_node *n, weft_graph *g, weft_value dy, const bool *want, weft_value *dx, const weft_norm_kind *k,
                           weft_shape view, weft_shape params)
{
    const bool scale = weft_has(n, 1), images = view.rank > 2 && weft_shape_count(view) > view.dim[0] * view.dim[1];
    const bool params_too = images && ((scale && want[1]) || (weft_has(n, 2) && want[2]));
    if (want[0] || params_too) {
        const norm_grad_attrs at = { k->eps, (int32_t) k->groups, k->over_n, params_too };
        weft_value in[] = { weft_grad_reshape(g, dy, view), weft_grad_reshape(g, n->in[0], view), -1 };
        if (scale) in[SCALE] = weft_grad_reshape(g, n->in[1], (weft_shape) WEFT_SHAPE(view.dim[1]));
        const weft_value all = weft_graph_call(g, "norm_grad", in, scale ? 3 : 2, &at);
        if (all < 0) return weft_graph_status(g);
        if (want[0]) dx[0] = weft_grad_reshape(g, all, n->in_shape[0]);
        for (int i = 1; params_too && i < 3; i++)
            if (weft_has(n, i) && want[i]) dx[i] = weft_grad_reshape(g, all + i, n->in_shape[i]);
    }
    if (params_too) return weft_graph_status(g);
    if (scale && want[1]) { // the row once more, without scale and bias, is z
        const weft_value z = weft_graph_op(g, n->op, n->in, 1, n->attrs);
        dx[1] = weft_grad_reshape(g, weft_grad_unstretch(g, weft_grad_mul(g, dy, z), params), n->in_shape[1]);
    }
    if (weft_has(n, 2) && want[2]) dx[2] = weft_grad_reshape(g, weft_grad_unstretch(g, dy, params), n->in_shape[2]);
    return weft_graph_status(g);
}

weft_shape weft_norm_channels(weft_shape x)
{
    weft_shape s = { x.rank - 1, { x.dim[1] } };
    for (int d = 1; d < s.rank; d++) s.dim[d] = 1;
    return s;
}

#define AT(...) &(const norm_grad_attrs) { .eps = 1e-5f, __VA_ARGS__ }
const weft_op weft_op_norm_grad = {
    .name = "norm_grad",
    .doc = "What x of a normalisation y = scale z, z = (x - mean) / sqrt(var + eps), receives when y receives dy: with e = scale dy,\n"
           "dx = (e - mean(e) - z mean(e z)) / sqrt(var + eps), all means over the same elements. With `params` also dscale = sum(dy z) and\n"
           "dbias = sum(dy) of each channel. r, which rows [n, c] alone may have, is added to dx.",
    .out_names = "dx dscale dbias", .in_names = "dy x scale? r?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(norm_grad_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(norm_grad_attrs, eps, FLOAT, .def = 1e-5, .min = 0, .max = 1, .doc = "added to the variance"),
        WEFT_ATTR(norm_grad_attrs, groups, INT, .min = 0, .max = 65536, .doc = "groups of neighbouring channels; 0: every channel by itself"),
        WEFT_ATTR(norm_grad_attrs, over_n, INT, .min = 0, .max = 1, .doc = "1: over all images; every channel by itself"),
        WEFT_ATTR(norm_grad_attrs, params, INT, .min = 0, .max = 1, .doc = "1: also what scale and bias receive"),
        { 0 }
    },
    .outputs = norm_grad_outputs, .infer = norm_grad_infer, .items = norm_grad_items, .cpu = norm_grad_cpu, .ways = norm_grad_ways, .emit = norm_grad_emit,
    .flops = norm_grad_flops, .unfuse = norm_grad_unfuse,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 3, 5, 7), WEFT_SHAPE(1, 3, 5, 7) } },
        { .in = { WEFT_SHAPE(2, 33, 12, 11), WEFT_SHAPE(2, 33, 12, 11), WEFT_SHAPE(33) } },
        { .in = { WEFT_SHAPE(2, 10, 5, 13), WEFT_SHAPE(2, 10, 5, 13), WEFT_SHAPE(10) }, .attrs = AT(.groups = 2), .low = 0.5, .high = 1.5 },
        { .in = { WEFT_SHAPE(3, 67, 4, 4), WEFT_SHAPE(3, 67, 4, 4), WEFT_SHAPE(67) }, .attrs = AT(.over_n = 1) },
        { .in = { WEFT_SHAPE(6, 65), WEFT_SHAPE(6, 65), WEFT_SHAPE(65) }, .attrs = AT(.groups = 1) },
        { .in = { WEFT_SHAPE(2, 4, 150), WEFT_SHAPE(2, 4, 150) }, .attrs = AT(.groups = 2) },
        { .in = { WEFT_SHAPE(1, 3, 257, 129), WEFT_SHAPE(1, 3, 257, 129), WEFT_SHAPE(3) } },
        { .in = { WEFT_SHAPE(2, 40, 17, 31), WEFT_SHAPE(2, 40, 17, 31), WEFT_SHAPE(40) }, .attrs = AT(.over_n = 1) },
        { .in = { WEFT_SHAPE(2, 1), WEFT_SHAPE(2, 1), WEFT_SHAPE(1) }, .attrs = AT(.groups = 1) },
        { .in = { WEFT_SHAPE(7, 130), WEFT_SHAPE(7, 130), WEFT_SHAPE(130), WEFT_SHAPE(7, 130) }, .attrs = AT(.groups = 1) },
        { .in = { WEFT_SHAPE(2, 4100), WEFT_SHAPE(2, 4100), WEFT_SHAPE(1), WEFT_SHAPE(2, 4100) }, .in_count = 4, .absent = 4, .attrs = AT(.groups = 1) },
        { .in = { WEFT_SHAPE(2, 5, 9, 7), WEFT_SHAPE(2, 5, 9, 7), WEFT_SHAPE(5) }, .attrs = AT(.params = 1) },
        { .in = { WEFT_SHAPE(2, 6, 31), WEFT_SHAPE(2, 6, 31), WEFT_SHAPE(6) }, .attrs = AT(.groups = 2, .params = 1) },
        { .in = { WEFT_SHAPE(3, 40, 17, 12), WEFT_SHAPE(3, 40, 17, 12), WEFT_SHAPE(40) }, .attrs = AT(.over_n = 1, .params = 1) },
        { 0 }
    },
    .tolerance = 2e-5,
};
