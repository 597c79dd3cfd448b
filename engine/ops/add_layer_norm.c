// SPDX-License-Identifier: MIT
// Layer normalisation of a sum, as transformers have it in front of every branch: the sum is the main path, and wanted, too.
#include "ops/loop.h"
#include "ops/norm.h"
#include <math.h>

enum { X = WEFT_ADD_NORM_X, SCALE = WEFT_ADD_NORM_SCALE, BIAS = WEFT_ADD_NORM_BIAS, R = WEFT_ADD_NORM_R };

static const weft_add_norm_attrs *attrs(const weft_node *n) { return n->attrs; }
static int add_norm_outputs(const void *at) { return ((const weft_add_norm_attrs *) at)->sum ? 2 : 1; }

static int64_t inner_of(const weft_node *n)
{
    int64_t inner = 1;
    for (int d = n->in_shape[X].rank - attrs(n)->norm.axes; d < n->in_shape[X].rank; d++) inner *= n->in_shape[X].dim[d];
    return inner;
}

static weft_result add_norm_infer(weft_node *n)
{
    const weft_shape x = n->in_shape[X];
    if (!weft_has(n, R) || x.rank < attrs(n)->norm.axes || !weft_shape_equal(x, n->in_shape[R])) return weft_node_fail(n, "x and r must have one shape of at least `axes` dimensions");
    for (int i = SCALE; i <= BIAS; i++)
        if (weft_has(n, i) && weft_shape_count(n->in_shape[i]) != inner_of(n))
            return weft_node_fail(n, "%s wants %lld elements", i == SCALE ? "scale" : "bias", (long long) inner_of(n));
    for (int k = 0; k < n->out_count; k++) n->out_shape[k] = x;
    return WEFT_OK;
}

static int64_t add_norm_items(const weft_node *n) { return weft_shape_count(n->in_shape[X]) / inner_of(n); }

static void add_norm_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int64_t inner = inner_of(n);
    const weft_real *scale = weft_has(n, SCALE) ? arg->in[SCALE] : NULL, *bias = weft_has(n, BIAS) ? arg->in[BIAS] : NULL;
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *x = (const weft_real *) arg->in[X] + row * inner, *r = (const weft_real *) arg->in[R] + row * inner;
        weft_real *y = (weft_real *) arg->out[0] + row * inner;
        double mean = 0, var = 0;
#define SUM(i) ((weft_real) (x[i] + r[i])) // as add gives it
        for (int64_t i = 0; i < inner; i++) mean += SUM(i);
        mean /= (double) inner;
        for (int64_t i = 0; i < inner; i++) var += (SUM(i) - mean) * (SUM(i) - mean);
        const double by = 1 / sqrt(var / (double) inner + attrs(n)->norm.eps);
        for (int64_t i = 0; i < inner; i++) y[i] = (weft_real) ((SUM(i) - mean) * by * (scale ? scale[i] : 1) + (bias ? bias[i] : 0));
        for (int64_t i = 0; n->out_count > 1 && i < inner; i++) ((weft_real *) arg->out[1])[row * inner + i] = SUM(i);
#undef SUM
    }
}

static weft_norm_lines lines_of(const weft_node *n) { return weft_norm_rows(add_norm_items(n), inner_of(n), attrs(n)->norm.eps); }

static int add_norm_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    static const char *const kernels[2] = { "add_norm_subgroup", "add_norm" };
    const weft_norm_lines l = lines_of(n);
    return weft_line_ways(e, &l.set, kernels, list);
}

static double add_norm_flops(const weft_node *n) { return 9.0 * (double) weft_shape_count(n->out_shape[0]); }

static weft_result add_norm_emit(const weft_node *n, weft_emit *e)
{
    const weft_norm_lines l = lines_of(n);
    const bool sum = n->out_count > 1;
    weft_dispatch d = {
        .flops = add_norm_flops(n), .bind_count = 6,
        .bind = { WEFT_BIND_OUT(0), WEFT_BIND_IN(X), WEFT_BIND_IN(weft_has(n, SCALE) ? SCALE : X), WEFT_BIND_IN(weft_has(n, BIAS) ? BIAS : X), WEFT_BIND_IN(R),
                  WEFT_BIND_OUT(sum ? 1 : 0) },
    };
    WEFT_TRY(weft_loop_check(n));
    weft_norm_dispatch(&l, e, weft_has(n, SCALE), &d);
    d.spec[d.spec_count++] = weft_has(n, BIAS), d.spec[d.spec_count++] = sum;
    return weft_emit_dispatch(e, &d);
}

#define AT(...) &(const weft_add_norm_attrs) { { 1e-5f, 1 }, __VA_ARGS__ }
const weft_op weft_op_add_layer_norm = {
    .name = "add_layer_norm",
    .doc = "y = layer_norm(x + r), and with `sum` also s = x + r.",
    .out_names = "y s", .in_names = "x scale? bias? r?", .flags = WEFT_OP_INTERNAL,
    .attr_bytes = sizeof(weft_add_norm_attrs),
    .attrs = (const weft_attr[]) {
        { .name = "eps", .offset = offsetof(weft_add_norm_attrs, norm.eps), .type = WEFT_ATTR_FLOAT, .def = 1e-5, .min = 0, .max = 1, .doc = "added to the variance" },
        { .name = "axes", .offset = offsetof(weft_add_norm_attrs, norm.axes), .type = WEFT_ATTR_INT, .def = 1, .min = 1, .max = WEFT_MAX_RANK, .doc = "how many of the last dimensions" },
        WEFT_ATTR(weft_add_norm_attrs, sum, INT, .min = 0, .max = 1, .doc = "1: the sum is an output, too"),
        { 0 }
    },
    .outputs = add_norm_outputs, .infer = add_norm_infer, .items = add_norm_items, .cpu = add_norm_cpu, .ways = add_norm_ways, .emit = add_norm_emit,
    .flops = add_norm_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 65), WEFT_SHAPE(65), WEFT_SHAPE(65), WEFT_SHAPE(2, 3, 65) }, .attrs = AT(.sum = 1) },
        { .in = { WEFT_SHAPE(5, 7), WEFT_SHAPE(7), WEFT_SHAPE(7), WEFT_SHAPE(5, 7) }, .in_count = 4, .absent = 1 << SCALE, .attrs = AT(.sum = 0), .low = 50, .high = 51 },
        { .in = { WEFT_SHAPE(50, 768), WEFT_SHAPE(768), WEFT_SHAPE(768), WEFT_SHAPE(50, 768) }, .attrs = AT(.sum = 1) },
        { .in = { WEFT_SHAPE(2, 4099), WEFT_SHAPE(4099), WEFT_SHAPE(4099), WEFT_SHAPE(2, 4099) }, .attrs = AT(.sum = 1) },
        { 0 }
    },
    .tolerance = 2e-5,
};
