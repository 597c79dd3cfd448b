// SPDX-License-Identifier: MIT
// Instance and group normalisation (Ulyanov et al. 2016, Wu and He 2018), and what they share with batch norm.
#include "ops/norm.h"
#include "ops/loop.h"
#include "ops/grad.h"
#include "ops/divide.h"
#include <math.h>
#include <string.h>

weft_norm_view weft_norm_look(weft_shape s, weft_layout layout)
{
    int64_t stride[WEFT_MAX_RANK];
    weft_norm_view v = { s.dim[0], s.dim[1], 1, 0, 0, 1 };
    weft_layout_strides(s, layout, stride);
    for (int d = 2; d < s.rank; d++) v.rows *= s.dim[d];
    v.n_stride = stride[0], v.c_stride = stride[1];
    if (s.rank > 2) v.row_stride = stride[s.rank - 1]; // every layout steps evenly over the positions
    return v;
}

void weft_norm_piece(const weft_norm_view *v, const int64_t n_range[2], const int64_t c_range[2], double eps, const weft_real *x,
                     const weft_real *scale, const weft_real *bias, weft_real *y)
{
#define EACH                                                          \
    for (int64_t n = n_range[0]; n < n_range[1]; n++)                 \
        for (int64_t c = c_range[0]; c < c_range[1]; c++)             \
            for (int64_t i = (n * v->c + c) * v->rows, end = i + v->rows; i < end; i++)
    const double count = (double) ((n_range[1] - n_range[0]) * (c_range[1] - c_range[0]) * v->rows);
    double mean = 0, var = 0;
    EACH mean += x[i];
    mean /= count;
    EACH var += (x[i] - mean) * (x[i] - mean);
    const double by = 1 / sqrt(var / count + eps);
    EACH y[i] = (weft_real) ((x[i] - mean) * by * (scale ? scale[c] : 1) + (bias ? bias[c] : 0));
#undef EACH
}

weft_result weft_norm_vector(const weft_node *n, int i, const char *what, int64_t count)
{
    char text[WEFT_SHAPE_TEXT];
    if (!weft_has(n, i) || (n->in_shape[i].rank == 1 && n->in_shape[i].dim[0] == count)) return WEFT_OK;
    return weft_node_fail(n, "%s is %s, not [%lld]", what, weft_shape_text(n->in_shape[i], text), (long long) count);
}

// --- Devices. ---

weft_norm_lines weft_norm_lines_of(const weft_node *n, int x, const weft_norm_kind *k)
{
    const weft_norm_view v = weft_norm_look(n->in_shape[x], (weft_layout) n->in_layout[x]);
    const weft_norm_view y = weft_norm_look(n->out_shape[0], (weft_layout) n->out_layout[0]);
    const int64_t per = v.c / k->groups, images = k->over_n ? v.n : 1, stats = k->over_n ? k->groups : v.n * k->groups;
    weft_norm_lines l = {
        .set = { stats, images * v.rows * per, k->groups == v.c && v.c_stride == 1 && v.c > 1 },
        .params = {
            .stats = (u32) stats, .groups = (u32) k->groups, .per_group = (u32) per, .positions = (u32) (images * v.rows), .rows = (u32) v.rows,
            .x_stride = { (u32) v.n_stride, (u32) v.c_stride, (u32) v.row_stride }, .y_stride = { (u32) y.n_stride, (u32) y.c_stride, (u32) y.row_stride },
            .count = (u32) (images * v.rows * per), .eps = k->eps,
        },
        .order = per == 1 ? WEFT_NORM_ONE_CHANNEL : images * v.rows == 1 ? WEFT_NORM_CHANNELS_ONLY
               : v.c_stride < v.row_stride ? WEFT_NORM_CHANNELS_FIRST : WEFT_NORM_POSITIONS_FIRST,
        .images = images > 1,
    };
    weft_divisor(l.params.per_group, &l.params.group_magic, &l.params.group_shift);
    weft_divisor(l.params.positions, &l.params.position_magic, &l.params.position_shift);
    weft_divisor(l.params.rows, &l.params.row_magic, &l.params.row_shift);
    return l;
}

weft_norm_lines weft_norm_rows(int64_t rows, int64_t count, double eps)
{
    return (weft_norm_lines) {
        .set = { rows, count, false }, .order = WEFT_NORM_CHANNELS_ONLY,
        .params = { .stats = (u32) rows, .groups = 1, .per_group = (u32) count, .positions = 1, .rows = 1, .x_stride = { (u32) count, 1, 0 },
                    .y_stride = { (u32) count, 1, 0 }, .count = (u32) count, .eps = (f32) eps },
    };
}

void weft_norm_dispatch(const weft_norm_lines *l, const weft_emit *e, bool scale, weft_dispatch *d)
{
    const uint32_t spec[] = { l->order, l->images, scale, !l->plain };
    weft_line_dispatch(weft_emit_way(e), l->set.lines, d);
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) d->spec[d->spec_count++] = spec[i];
    d->params = &l->params, d->params_bytes = sizeof l->params;
}

int weft_norm_any_ways(const weft_node *n, int x, const weft_emit *e, const weft_norm_kind *k, const char *const whole[2], weft_way list[WEFT_MAX_WAYS])
{
    enum { ENOUGH = 64, LONG = 2048 }; // workgroups that are not too few for a GPU when each has to read its numbers twice; numbers for a processor
    const weft_norm_lines l = weft_norm_lines_of(n, x, k);
    const weft_way split = { "norm_split", { 0 } };
    int count = weft_line_ways(e, &l.set, whole, list + 1);
    const bool busy = weft_emit_caps(e)->is_software ? l.set.count <= LONG : l.set.lines / list[1].cut[1] >= ENOUGH;
    const bool splits = weft_norm_splits(n, x), first = splits && !list[1].cut[2] && !busy;
    if (first) return list[0] = split, count + 1;
    for (int i = 0; i < count; i++) list[i] = list[i + 1];
    if (splits) list[count++] = split;
    return count;
}

static const char *const whole[2] = { "norm_whole_subgroup", "norm_whole" };

int weft_norm_ways(const weft_node *n, const weft_emit *e, const weft_norm_kind *k, weft_way list[WEFT_MAX_WAYS])
{
    return weft_norm_any_ways(n, 0, e, k, whole, list);
}

weft_result weft_norm_emit(const weft_node *n, weft_emit *e, const weft_norm_kind *k)
{
    WEFT_TRY(weft_loop_check(n));
    if (!strcmp(weft_emit_way(e)->kernel, "norm_split")) return weft_norm_split(n, e, k, (weft_norm_inputs) { .x = 0, .dy = -1, .scale = 1, .bias = 2 });
    const weft_norm_lines l = weft_norm_lines_of(n, 0, k);
    return weft_norm_whole(n, e, &l);
}

weft_result weft_norm_whole(const weft_node *n, weft_emit *e, const weft_norm_lines *l)
{
    weft_dispatch d = {
        .flops = 8.0 * (double) weft_shape_count(n->out_shape[0]), .bind_count = 4,
        .bind = { WEFT_BIND_OUT(0), WEFT_BIND_IN(0), WEFT_BIND_IN(weft_has(n, 1) ? 1 : 0), WEFT_BIND_IN(weft_has(n, 2) ? 2 : 0) },
    };
    weft_norm_dispatch(l, e, weft_has(n, 1), &d);
    d.spec[d.spec_count++] = weft_has(n, 2);
    return weft_emit_dispatch(e, &d);
}

int weft_norm_whole_ways(const weft_emit *e, const weft_norm_lines *l, weft_way list[WEFT_LINE_WAYS]) { return weft_line_ways(e, &l->set, whole, list); }

// --- instance_norm, group_norm. ------------------------------------------------------------------------------

typedef struct norm_attrs { float eps; int32_t groups; } norm_attrs;

static int64_t groups_of(const weft_node *n)
{
    const norm_attrs *at = n->attrs;
    return n->op->index ? at->groups : n->in_shape[0].dim[1];
}

static weft_result norm_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[0];
    if (x.rank < 2) return weft_node_fail(n, "x must have at least 2 dimensions");
    if (x.dim[1] % groups_of(n)) return weft_node_fail(n, "%lld channels do not divide into %lld groups", (long long) x.dim[1], (long long) groups_of(n));
    WEFT_TRY(weft_norm_vector(n, 1, "scale", x.dim[1]));
    WEFT_TRY(weft_norm_vector(n, 2, "bias", x.dim[1]));
    n->out_shape[0] = x;
    return WEFT_OK;
}

static int64_t norm_items(const weft_node *n) { return n->in_shape[0].dim[0] * groups_of(n); }

static void norm_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_norm_view v = weft_norm_look(n->in_shape[0], WEFT_ROW);
    const int64_t groups = groups_of(n), per = v.c / groups;
    for (int64_t i = arg->begin; i < arg->end; i++)
        weft_norm_piece(&v, (int64_t[]) { i / groups, i / groups + 1 }, (int64_t[]) { i % groups * per, (i % groups + 1) * per },
                        ((const norm_attrs *) n->attrs)->eps, arg->in[0], weft_has(n, 1) ? arg->in[1] : NULL,
                        weft_has(n, 2) ? arg->in[2] : NULL, arg->out[0]);
}

weft_norm_kind weft_norm_kind_of(const weft_node *n) { return (weft_norm_kind) { groups_of(n), false, ((const norm_attrs *) n->attrs)->eps }; }

static int norm_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_norm_kind k = weft_norm_kind_of(n);
    return weft_norm_ways(n, e, &k, list);
}

static weft_result norm_emit(const weft_node *n, weft_emit *e)
{
    const weft_norm_kind k = weft_norm_kind_of(n);
    return weft_norm_emit(n, e, &k);
}

static double norm_flops(const weft_node *n) { return 8.0 * (double) weft_shape_count(n->out_shape[0]); }

static weft_result norm_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_norm_kind k = weft_norm_kind_of(n);
    return weft_norm_grad(n, g, dy[0], want, dx, &k, n->in_shape[0], weft_norm_channels(n->in_shape[0]));
}

static const weft_op instance_norm = {
    .name = "instance_norm",
    .doc = "y = (x - mean) / sqrt(var + eps) * scale[c] + bias[c]; mean and (biased) variance of each image's channel over its positions. "
           "Ulyanov, Vedaldi and Lempitsky 2016.",
    .out_names = "y", .in_names = "x scale? bias?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(norm_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(norm_attrs, eps, FLOAT, .def = 1e-5, .min = 0, .max = 1, .doc = "added to the variance"),
        { 0 }
    },
    .infer = norm_infer, .items = norm_items, .cpu = norm_cpu, .ways = norm_ways, .emit = norm_emit, .flops = norm_flops, .grad = norm_grad, .index = 0,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 3, 5, 7) } },
        { .in = { WEFT_SHAPE(2, 65, 8, 8), WEFT_SHAPE(65), WEFT_SHAPE(65) } },
        { .in = { WEFT_SHAPE(1, 4, 33, 67), WEFT_SHAPE(4), WEFT_SHAPE(4) }, .low = 100, .high = 101 }, // a mean far from zero
        { .in = { WEFT_SHAPE(3, 5, 31), WEFT_SHAPE(5) } },
        { .in = { WEFT_SHAPE(2, 3, 4, 5, 2) } },
        { .in = { WEFT_SHAPE(1, 1, 131, 127), WEFT_SHAPE(1), WEFT_SHAPE(1) } },
        { .in = { WEFT_SHAPE(2, 3, 1, 1), WEFT_SHAPE(3), WEFT_SHAPE(3) } },
        { .in = { WEFT_SHAPE(1, 2, 256, 129), WEFT_SHAPE(2), WEFT_SHAPE(2) }, .low = 10, .high = 12 },
        { 0 }
    },
    .tolerance = 2e-5,
};

static const weft_op group_norm = {
    .name = "group_norm",
    .doc = "y = (x - mean) / sqrt(var + eps) * scale[c] + bias[c]; mean and (biased) variance of each image's group of channels. "
           "Wu and He 2018.",
    .out_names = "y", .in_names = "x scale? bias?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(norm_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(norm_attrs, eps, FLOAT, .def = 1e-5, .min = 0, .max = 1, .doc = "added to the variance"),
        WEFT_ATTR(norm_attrs, groups, INT, .def = 1, .min = 1, .max = 65536, .doc = "groups of neighbouring channels"),
        { 0 }
    },
    .infer = norm_infer, .items = norm_items, .cpu = norm_cpu, .ways = norm_ways, .emit = norm_emit, .flops = norm_flops, .grad = norm_grad, .index = 1,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 6, 5, 7) }, .attrs = &(const norm_attrs) { 1e-5f, 3 } },
        { .in = { WEFT_SHAPE(2, 64, 9, 8), WEFT_SHAPE(64), WEFT_SHAPE(64) }, .attrs = &(const norm_attrs) { 1e-5f, 32 } },
        { .in = { WEFT_SHAPE(2, 10, 11, 13), WEFT_SHAPE(10), WEFT_SHAPE(10) }, .attrs = &(const norm_attrs) { 1e-3f, 1 }, .low = 100, .high = 101 },
        { .in = { WEFT_SHAPE(3, 4) }, .attrs = &(const norm_attrs) { 1e-5f, 2 } },
        { .in = { WEFT_SHAPE(1, 6, 3, 1433), WEFT_SHAPE(6), WEFT_SHAPE(6) }, .attrs = &(const norm_attrs) { 1e-5f, 2 } },
        { 0 }
    },
    .tolerance = 2e-5,
};

const weft_op *const weft_family_norm[] = { &instance_norm, &group_norm, NULL };
