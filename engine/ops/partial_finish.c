// SPDX-License-Identifier: MIT
#include "ops/partial_finish.h"
#include "ops/loop.h"
#include "ops/grad.h"
#include "params/partial_finish.h"

double weft_partial_value(const weft_partial *how, double sum, double known, double bias, bool has_bias, double *mask)
{
    if (how->variant == WEFT_PARTIAL_NAOTO) {
        *mask = known != 0;
        return known != 0 ? sum / known + bias : 0;
    }
    *mask = known < 0 ? 0 : known > 1 ? 1 : known;
    const double ratio = *mask > 0 ? how->window / (known + how->eps) * *mask : 0;
    return has_bias ? (sum * ratio + bias) * *mask : sum * ratio;
}

static weft_result finish_infer(weft_node *n)
{
    const int64_t *sum = n->in_shape[0].dim, *known = n->in_shape[1].dim;
    if (n->in_shape[0].rank != 4 || n->in_shape[1].rank != 4 || known[1] != 1 || known[2] != sum[2] || known[3] != sum[3])
        return weft_node_fail(n, "sum and known do not fit");
    if (known[0] != sum[0] && known[0] != 1) return weft_node_fail(n, "known has %lld images, sum %lld", (long long) known[0], (long long) sum[0]);
    if (weft_has(n, 2) && (n->in_shape[2].rank != 1 || n->in_shape[2].dim[0] != sum[1])) return weft_node_fail(n, "b must have %lld numbers", (long long) sum[1]);
    n->out_shape[0] = n->out_shape[1] = n->in_shape[0];
    n->out_shape[1].dim[0] = known[0];
    if (!((const weft_partial *) n->attrs)->multi_channel) n->out_shape[1].dim[1] = 1;
    return WEFT_OK;
}

static int64_t finish_items(const weft_node *n) { return n->in_shape[0].dim[0] * n->in_shape[0].dim[1]; }

static void finish_cpu(const weft_node *node, const weft_cpu_args *arg)
{
    const int64_t *ys = node->out_shape[0].dim, *ms = node->out_shape[1].dim, image = ys[2] * ys[3];
    const weft_real *b = weft_has(node, 2) ? arg->in[2] : NULL;
    for (int64_t piece = arg->begin; piece < arg->end; piece++) {
        const int64_t n = piece / ys[1], c = piece % ys[1];
        const weft_real *known = (const weft_real *) arg->in[1] + (ms[0] == 1 ? 0 : n) * image;
        for (int64_t i = 0; i < image; i++) {
            double mask;
            const double sum = ((const weft_real *) arg->in[0])[piece * image + i];
            ((weft_real *) arg->out[0])[piece * image + i] = (weft_real) weft_partial_value(node->attrs, sum, known[i], b ? b[c] : 0, b != NULL, &mask);
            if (n < ms[0] && c < ms[1]) ((weft_real *) arg->out[1])[(n * ms[1] + c) * image + i] = (weft_real) mask;
        }
    }
}

static weft_result finish_emit(const weft_node *n, weft_emit *e)
{
    const weft_partial *at = n->attrs;
    const int64_t *y = n->out_shape[0].dim, *m = n->out_shape[1].dim;
    WEFT_TRY(weft_loop_check(n));
    const struct partial_finish_params p = {
        (u32) weft_shape_count(n->out_shape[0]), (u32) y[1], (u32) (m[0] * y[2] * y[3]), (u32) m[1], at->window, at->eps,
    };
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "partial_finish", .spec = { at->variant == WEFT_PARTIAL_NAOTO, weft_has(n, 2) }, .spec_count = 2,
        .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .flops = 4.0 * p.count,
    });
}

static double finish_flops(const weft_node *n) { return 4.0 * (double) weft_shape_count(n->out_shape[0]); }

// y = sum r m + b m (without b: sum r), where m is known limited to [0, 1] and r = window m / (known + eps), 0 where nothing is
// known; naoto: y = sum / known + b.
static weft_result finish_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_partial *at = n->attrs;
    const weft_value zero = weft_graph_scalar(g, 0), one = weft_graph_scalar(g, 1), known = n->in[1];
    const bool naoto = at->variant == WEFT_PARTIAL_NAOTO, has_b = weft_has(n, 2);
    const weft_value some = naoto ? weft_grad_binary(g, "not_equal", known, zero) : weft_grad_binary(g, "greater", known, zero);
    const weft_value m = naoto ? some : weft_grad_unary(g, "clamp", known); // 0 and 1 are its defaults
    const weft_value by = weft_grad_binary(g, "div", weft_graph_scalar(g, naoto ? 1 : at->window),
                                           weft_grad_where(g, some, naoto ? known : weft_grad_shift(g, known, at->eps), one));
    const weft_value r = weft_grad_mul(g, m, by), factor = has_b && !naoto ? weft_grad_mul(g, r, m) : r;
    if (dy[0] >= 0 && want[0]) dx[0] = weft_grad_mul(g, dy[0], factor);
    if (dy[0] >= 0 && has_b && want[2]) {
        const weft_shape c = { 3, { n->in_shape[2].dim[0], 1, 1 } };
        dx[2] = weft_grad_reshape(g, weft_grad_unstretch(g, weft_grad_mul(g, dy[0], m), c), n->in_shape[2]);
    }
    if (!want[1]) return WEFT_OK;
    const weft_value inside = weft_grad_mul(g, weft_grad_binary(g, "greater_equal", known, zero), weft_grad_binary(g, "less_equal", known, one));
    const weft_value dm = naoto ? zero : inside;                                 // d m / d known
    const weft_value rise = naoto ? zero : weft_grad_mul(g, dm, by);             // d r / d known: of m,
    const weft_value fall = naoto ? weft_grad_mul(g, r, by) : weft_grad_scale(g, weft_grad_mul(g, r, by), 1 / at->window); // of the divisor
    const weft_value dr = weft_grad_binary(g, "sub", rise, fall);
    weft_value all = -1;
    if (dy[0] >= 0) {
        weft_value slope = dr;
        if (has_b && !naoto) slope = weft_grad_add(g, weft_grad_mul(g, dr, m), weft_grad_mul(g, r, dm));
        slope = weft_grad_mul(g, n->in[0], slope);
        if (has_b && !naoto) {
            const weft_value b = weft_grad_reshape(g, n->in[2], (weft_shape) WEFT_SHAPE(n->in_shape[2].dim[0], 1, 1));
            slope = weft_grad_add(g, slope, weft_grad_mul(g, b, dm));
        }
        all = weft_grad_unstretch(g, weft_grad_mul(g, dy[0], slope), n->in_shape[1]);
    }
    if (dy[1] >= 0) {
        const weft_value part = weft_grad_unstretch(g, weft_grad_mul(g, dy[1], dm), n->in_shape[1]);
        all = all < 0 ? part : weft_grad_add(g, all, part);
    }
    dx[1] = all;
    return WEFT_OK;
}

const weft_op weft_op_partial_finish = {
    .name = "partial_finish",
    .doc = "y and m of partial_conv2d from sum = conv(x mask) and known = the mask's sum over a window.",
    .out_names = "y m", .in_names = "sum known b?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(weft_partial),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_partial, variant, ENUM, .choices = "nvidia|naoto", .doc = "which published form"),
        WEFT_ATTR(weft_partial, multi_channel, INT, .min = 0, .max = 1, .doc = "1: m has y's channels"),
        WEFT_ATTR(weft_partial, window, FLOAT, .def = 1, .doc = "nvidia: mask elements of a window"),
        WEFT_ATTR(weft_partial, eps, FLOAT, .def = 1e-8, .doc = "nvidia: added to what is known"),
        { 0 }
    },
    .infer = finish_infer, .items = finish_items, .cpu = finish_cpu, .emit = finish_emit, .flops = finish_flops, .grad = finish_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 5, 3, 7), WEFT_SHAPE(2, 1, 3, 7), WEFT_SHAPE(5) }, .attrs = &(const weft_partial) { 0, 1, 9, 1e-8f }, .low = -1, .high = 4 },
        { .in = { WEFT_SHAPE(2, 5, 3, 7), WEFT_SHAPE(1, 1, 3, 7) }, .attrs = &(const weft_partial) { 0, 0, 9, 1e-6f }, .masks = 2 },
        { .in = { WEFT_SHAPE(1, 4, 5, 13), WEFT_SHAPE(1, 1, 5, 13), WEFT_SHAPE(4) }, .attrs = &(const weft_partial) { 1, 0, 9, 0 }, .masks = 2 },
        { 0 }
    },
};
