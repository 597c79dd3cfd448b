// SPDX-License-Identifier: MIT
// Layer normalisation (Ba, Kiros and Hinton 2016) over the last dimensions.
#include "ops/loop.h"
#include "ops/grad.h"
#include "ops/norm.h"
#include <math.h>

static int64_t inner_of(const weft_node *n)
{
    const weft_layer_norm_attrs *at = n->attrs;
    int64_t inner = 1;
    for (int d = n->in_shape[0].rank - at->axes; d < n->in_shape[0].rank; d++) inner *= n->in_shape[0].dim[d];
    return inner;
}

static weft_result layer_norm_infer(weft_node *n)
{
    const weft_layer_norm_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    if (x.rank < at->axes) return weft_node_fail(n, "x has %d dimensions, fewer than axes = %d", x.rank, at->axes);
    weft_shape last = { at->axes, { 0 } };
    for (int d = 0; d < at->axes; d++) last.dim[d] = x.dim[x.rank - at->axes + d];
    for (int i = 1; i < 3; i++) {
        char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
        if (weft_has(n, i) && !weft_shape_equal(n->in_shape[i], last))
            return weft_node_fail(n, "%s is %s, not %s", i == 1 ? "scale" : "bias", weft_shape_text(n->in_shape[i], a), weft_shape_text(last, b));
    }
    n->out_shape[0] = x;
    return WEFT_OK;
}

static int64_t layer_norm_items(const weft_node *n) { return weft_shape_count(n->in_shape[0]) / inner_of(n); }

static void layer_norm_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_layer_norm_attrs *at = n->attrs;
    const int64_t inner = inner_of(n);
    const weft_real *scale = weft_has(n, 1) ? arg->in[1] : NULL, *bias = weft_has(n, 2) ? arg->in[2] : NULL;
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *x = (const weft_real *) arg->in[0] + row * inner;
        weft_real *y = (weft_real *) arg->out[0] + row * inner;
        double mean = 0, var = 0;
        for (int64_t i = 0; i < inner; i++) mean += x[i];
        mean /= (double) inner;
        for (int64_t i = 0; i < inner; i++) var += (x[i] - mean) * (x[i] - mean);
        const double by = 1 / sqrt(var / (double) inner + at->eps);
        for (int64_t i = 0; i < inner; i++) y[i] = (weft_real) ((x[i] - mean) * by * (scale ? scale[i] : 1) + (bias ? bias[i] : 0));
    }
}

static int layer_norm_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_norm_lines l = weft_norm_rows(layer_norm_items(n), inner_of(n), ((const weft_layer_norm_attrs *) n->attrs)->eps);
    return weft_norm_whole_ways(e, &l, list);
}

static weft_result layer_norm_emit(const weft_node *n, weft_emit *e)
{
    const weft_norm_lines l = weft_norm_rows(layer_norm_items(n), inner_of(n), ((const weft_layer_norm_attrs *) n->attrs)->eps);
    WEFT_TRY(weft_loop_check(n));
    return weft_norm_whole(n, e, &l);
}

static double layer_norm_flops(const weft_node *n) { return 8.0 * (double) weft_shape_count(n->out_shape[0]); }

// A row is a group of channels, of an image of one position.
static weft_result layer_norm_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_layer_norm_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0], view = WEFT_SHAPE(weft_shape_count(x) / inner_of(n), inner_of(n));
    weft_shape params = { at->axes, { 0 } };
    for (int d = 0; d < at->axes; d++) params.dim[d] = x.dim[x.rank - at->axes + d];
    return weft_norm_grad(n, g, dy[0], want, dx, &(weft_norm_kind) { 1, false, at->eps }, view, params);
}

const weft_op weft_op_layer_norm = {
    .name = "layer_norm",
    .doc = "y = (x - mean) / sqrt(var + eps) * scale + bias; mean and (biased) variance over the last `axes` dimensions. "
           "Ba, Kiros and Hinton 2016.",
    .out_names = "y", .in_names = "x scale? bias?",
    .attr_bytes = sizeof(weft_layer_norm_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_layer_norm_attrs, eps, FLOAT, .def = 1e-5, .min = 0, .max = 1, .doc = "added to the variance"),
        WEFT_ATTR(weft_layer_norm_attrs, axes, INT, .def = 1, .min = 1, .max = WEFT_MAX_RANK, .doc = "how many of the last dimensions"),
        { 0 }
    },
    .infer = layer_norm_infer, .items = layer_norm_items, .cpu = layer_norm_cpu, .ways = layer_norm_ways, .emit = layer_norm_emit, .flops = layer_norm_flops,
    .grad = layer_norm_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 65), WEFT_SHAPE(65), WEFT_SHAPE(65) } },
        { .in = { WEFT_SHAPE(5, 7) }, .low = 100, .high = 101 },
        { .in = { WEFT_SHAPE(2, 3, 5, 7), WEFT_SHAPE(3, 5, 7), WEFT_SHAPE(3, 5, 7) }, .attrs = &(const weft_layer_norm_attrs) { 1e-3f, 3 } },
        { .in = { WEFT_SHAPE(1, 211), WEFT_SHAPE(211), WEFT_SHAPE(211) }, .in_count = 3, .absent = 2 },
        { .in = { WEFT_SHAPE(3, 1), WEFT_SHAPE(1), WEFT_SHAPE(1) } },
        { .in = { WEFT_SHAPE(200, 33), WEFT_SHAPE(33), WEFT_SHAPE(33) } },
        { .in = { WEFT_SHAPE(2, 4099), WEFT_SHAPE(4099) }, .low = 100, .high = 101 },
        { .in = { WEFT_SHAPE(1, 16411) } },
        { 0 }
    },
    .tolerance = 2e-5,
};
