// SPDX-License-Identifier: MIT
// Scale, noise, bias, activation, gain and limit in one pass, and its gradient. x: [n, c, ..], b: [c], noise: [n or 1, 1, ..],
// strength: one number, d: [n, c].
#include "ops/bias_act.h"
#include "ops/divide.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include "params/add_parts.h"
#include "params/bias_act.h"
#include "params/bias_act_back.h"
#include <math.h>
#include <string.h>

enum { X = WEFT_BIAS_X, B = WEFT_BIAS_B, NOISE = WEFT_BIAS_NOISE, STRENGTH = WEFT_BIAS_STRENGTH, D = WEFT_BIAS_D };

weft_result weft_bias_act_check(weft_node *n, weft_shape x, int later)
{
    const weft_shape *b = &n->in_shape[later + B], *noise = &n->in_shape[later + NOISE], *d = &n->in_shape[later + D];
    char text[WEFT_SHAPE_TEXT], whole[WEFT_SHAPE_TEXT];
    if (weft_has(n, later + B) && (b->rank != 1 || b->dim[0] != x.dim[1]))
        return weft_node_fail(n, "b is %s, wants [%lld]", weft_shape_text(*b, text), (long long) x.dim[1]);
    if (weft_has(n, later + D) && (d->rank != 2 || d->dim[0] != x.dim[0] || d->dim[1] != x.dim[1]))
        return weft_node_fail(n, "d is %s, wants [%lld, %lld]", weft_shape_text(*d, text), (long long) x.dim[0], (long long) x.dim[1]);
    if (weft_has(n, later + STRENGTH) && weft_shape_count(n->in_shape[later + STRENGTH]) != 1) return weft_node_fail(n, "strength must be one number");
    if (weft_has(n, later + STRENGTH) && !weft_has(n, later + NOISE)) return weft_node_fail(n, "strength without noise");
    if (!weft_has(n, later + NOISE)) return WEFT_OK;
    bool fits = noise->rank == x.rank && noise->dim[1] == 1 && (noise->dim[0] == 1 || noise->dim[0] == x.dim[0]);
    for (int k = 2; fits && k < x.rank; k++) fits = noise->dim[k] == x.dim[k];
    if (fits) return WEFT_OK;
    return weft_node_fail(n, "noise is %s, x %s: wants one channel of x's pixels", weft_shape_text(*noise, text), weft_shape_text(x, whole));
}

static weft_result check(weft_node *n, int later)
{
    const weft_shape x = n->in_shape[0];
    if (x.rank < 2) return weft_node_fail(n, "x has no channels (dimension 1)");
    n->out_shape[0] = x;
    return weft_bias_act_check(n, x, later);
}

static weft_result bias_act_infer(weft_node *n) { return check(n, 0); }

static weft_result bias_act_grad_infer(weft_node *n)
{
    if (!weft_shape_equal(n->in_shape[0], n->in_shape[1])) return weft_node_fail(n, "x and dy must have one shape");
    return check(n, 1);
}

static int64_t planes(const weft_node *n) { return n->out_shape[0].dim[0] * n->out_shape[0].dim[1]; }
static int64_t area_of(const weft_node *n) { return weft_shape_count(n->out_shape[0]) / planes(n); }

weft_ending weft_ending_of(const weft_node *n, const weft_cpu_args *arg, int later, int64_t at)
{
    const weft_real *const *in = (const weft_real *const *) arg->in + later;
    const int64_t c = n->out_shape[0].dim[1];
    weft_ending e = { NULL, 1, 1, 0 };
    if (weft_has(n, later + B)) e.bias = in[B][at % c];
    if (weft_has(n, later + NOISE)) e.noise = in[NOISE] + (n->in_shape[later + NOISE].dim[0] == 1 ? 0 : at / c) * area_of(n);
    if (weft_has(n, later + STRENGTH)) e.strength = in[STRENGTH][0];
    if (weft_has(n, later + D)) e.scale = in[D][at];
    return e;
}

static void bias_act_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int64_t area = area_of(n);
    for (int64_t k = arg->begin; k < arg->end; k++) {
        const weft_ending e = weft_ending_of(n, arg, 0, k);
        const weft_real *x = (const weft_real *) arg->in[X] + k * area;
        weft_real *y = (weft_real *) arg->out[0] + k * area;
        for (int64_t i = 0; i < area; i++) y[i] = (weft_real) weft_ending_over(n->attrs, weft_ending_under(&e, x[i], i));
    }
}

static void bias_act_grad_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_bias_act_attrs *at = n->attrs;
    const int64_t area = area_of(n);
    for (int64_t k = arg->begin; k < arg->end; k++) {
        const weft_ending e = weft_ending_of(n, arg, 1, k);
        const weft_real *dy = (const weft_real *) arg->in[0] + k * area, *x = (const weft_real *) arg->in[1 + X] + k * area;
        weft_real *du = (weft_real *) arg->out[0] + k * area;
        for (int64_t i = 0; i < area; i++) {
            const double u = weft_ending_under(&e, x[i], i), v = weft_activate(at->act, u, at->a, at->b);
            const bool inside = at->clamp <= 0 || fabs(v * at->gain) <= at->clamp;
            du[i] = (weft_real) (inside ? dy[i] * at->gain * weft_activate_slope(at->act, u, v, at->a, at->b) : 0);
        }
    }
}

static double flops(const weft_node *n) { return 4.0 * (double) weft_shape_count(n->out_shape[0]); }

static weft_result emit(const weft_node *n, weft_emit *e, int first)
{
    const weft_bias_act_attrs *at = n->attrs;
    const weft_shape x = n->out_shape[0];
    const u32 area = (u32) area_of(n);
    const bool image = area == 1 || (x.rank == 4 && n->out_layout[0] == WEFT_IMAGE), wide = image && x.dim[1] % 4 == 0;
    WEFT_TRY(weft_loop_check(n));
    struct bias_act_params p = {
        .count = (u32) weft_shape_count(x) / (wide ? 4 : 1), .c = (u32) x.dim[1] / (wide ? 4 : 1), .area = area, .a = at->a, .b = at->b,
        .gain = at->gain, .clamp = at->clamp,
    };
    weft_divisor(p.c, &p.c_magic, &p.c_shift);
    weft_divisor(p.area, &p.area_magic, &p.area_shift);
    const bool noise = weft_has(n, first + NOISE), per_image = noise && n->in_shape[first + NOISE].dim[0] > 1;
    weft_dispatch d = {
        .kernel = first ? "bias_act_grad" : "bias_act",
        .spec = { (uint32_t) at->act, image, weft_has(n, first + B), !noise ? 0 : per_image ? 2 : 1, weft_has(n, first + STRENGTH), weft_has(n, first + D),
                  wide },
        .spec_count = 7, .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .flops = flops(n),
    };
    return weft_emit_dispatch(e, &d);
}

static weft_result bias_act_emit(const weft_node *n, weft_emit *e) { return emit(n, e, 0); }
static weft_result bias_act_grad_emit(const weft_node *n, weft_emit *e) { return emit(n, e, 1); }

// --- The gradient from y instead of x. ---

static int sums_of(const weft_bias_act_back_attrs *at) { return weft_sums_below(at->sums, 1 << WEFT_SUMS); }
static int back_outputs(const void *attrs) { return 1 + sums_of(attrs); }

static weft_result check_scale(const weft_node *n, int input, const char *name, weft_shape x)
{
    char text[WEFT_SHAPE_TEXT];
    const weft_shape s = n->in_shape[input];
    if (!weft_has(n, input) || (s.rank == 2 && s.dim[0] == x.dim[0] && s.dim[1] == x.dim[1])) return WEFT_OK;
    return weft_node_fail(n, "%s is %s, wants [%lld, %lld]", name, weft_shape_text(s, text), (long long) x.dim[0], (long long) x.dim[1]);
}

static weft_result bias_act_back_infer(weft_node *n)
{
    const weft_bias_act_back_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    const bool more = weft_has(n, WEFT_BACK_MORE);
    if (x.rank != 4 || !weft_shape_equal(x, n->in_shape[1]) || (more && !weft_shape_equal(x, n->in_shape[WEFT_BACK_MORE])))
        return weft_node_fail(n, "dy, y and more must have one shape of 4 dimensions");
    if (weft_activation_back(at->of.act, at->of.a) < 0) return weft_node_fail(n, "this activation cannot be gone back from its value: use bias_act_grad");
    if (at->of.gain == 0) return weft_node_fail(n, "with a gain of 0 y says nothing: use bias_act_grad");
    if (at->sums & WEFT_SUM_DU_NOISE && !weft_has(n, 1 + NOISE)) return weft_node_fail(n, "a sum with noise wants noise");
    if (!more && (at->sums & WEFT_SUM_MORE_Y || weft_has(n, WEFT_BACK_MORE_S))) return weft_node_fail(n, "a sum or a scale of more wants more");
    WEFT_TRY(check_scale(n, WEFT_BACK_S, "s", x));
    WEFT_TRY(check_scale(n, WEFT_BACK_MORE_S, "more_s", x));
    n->out_shape[0] = x;
    for (int k = 0; k < sums_of(at); k++) n->out_shape[1 + k] = (weft_shape) WEFT_SHAPE(x.dim[0], x.dim[1], 1, 1);
    return weft_bias_act_check(n, x, 1);
}

static void bias_act_back_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_bias_act_back_attrs *at = n->attrs;
    const int64_t area = area_of(n);
    const int act = weft_activation_back(at->of.act, at->of.a);
    for (int64_t k = arg->begin; k < arg->end; k++) {
        const weft_ending e = weft_ending_of(n, arg, 1, k);
        const weft_real *dy = (const weft_real *) arg->in[0] + k * area, *y = (const weft_real *) arg->in[1] + k * area;
        const weft_real *more = weft_has(n, WEFT_BACK_MORE) ? (const weft_real *) arg->in[WEFT_BACK_MORE] + k * area : NULL;
        const double s = weft_has(n, WEFT_BACK_S) ? ((const weft_real *) arg->in[WEFT_BACK_S])[k] : 1;
        const double more_s = weft_has(n, WEFT_BACK_MORE_S) ? ((const weft_real *) arg->in[WEFT_BACK_MORE_S])[k] : 1;
        double sum[WEFT_SUMS] = { 0 };
        for (int64_t i = 0; i < area; i++) {
            const double v = y[i] / at->of.gain, noise = e.noise ? e.noise[i] : 0, whole = dy[i] * s + (more ? more[i] * more_s : 0);
            const bool inside = at->of.clamp <= 0 || fabs(y[i]) < at->of.clamp;
            const double over = inside ? whole * at->of.gain : 0, g = over * weft_activation_slope_from(act, v, at->of.a);
            ((weft_real *) arg->out[0])[k * area + i] = (weft_real) g;
            sum[0] += g;
            sum[1] += over * weft_activation_x_slope_from(act, v, at->of.a) - g * (noise * e.strength + e.bias);
            sum[2] += g * noise;
            sum[3] += (double) dy[i] * y[i];
            sum[4] += more ? (double) more[i] * y[i] : 0;
        }
        sum[1] = e.scale == 0 ? 0 : sum[1] / e.scale;
        for (int b = 0; b < WEFT_SUMS; b++)
            if (at->sums >> b & 1) ((weft_real *) arg->out[1 + weft_sums_below(at->sums, 1 << b)])[k] = (weft_real) sum[b];
    }
}

static weft_result bias_act_back_emit(const weft_node *n, weft_emit *e)
{
    const weft_bias_act_back_attrs *at = n->attrs;
    const weft_shape x = n->out_shape[0];
    const bool wide = x.dim[1] % 4 == 0, noise = weft_has(n, 1 + NOISE), per_image = noise && n->in_shape[1 + NOISE].dim[0] > 1;
    struct bias_act_back_params p = { .n = (u32) x.dim[0], .c = (u32) x.dim[1] / (wide ? 4 : 1), .area = (u32) area_of(n), .a = at->of.a,
                                      .gain = at->of.gain, .per_gain = 1 / at->of.gain, .clamp = at->of.clamp };
    WEFT_TRY(weft_loop_check(n));
    if (weft_emit_half(e)) p.clamp *= 1 - 0x1p-10f; // as it was stored, whichever way that was rounded
    uint32_t lanes = 1, steps = 1;
    while (lanes < 64 && lanes < p.c) lanes *= 2;
    if (lanes > p.c && lanes > 4) lanes /= 2;
    const uint32_t most = 64, enough = weft_emit_caps(e)->is_software ? 1 << 14 : 1 << 16, rows = 64 / lanes; // invocations that keep a device busy
    while (sums_of(at) && steps < most && rows * steps < p.area && (uint64_t) p.n * p.c * p.area / steps > enough) steps *= 2;
    while (sums_of(at) && steps < 16 && rows * steps < p.area) steps *= 2; // what is left for the second pass to add up is not more than the first had
    p.columns = (u32) ceil_div(p.c, lanes);
    p.chunks = (u32) ceil_div(p.area, rows * steps);
    const int kinds = sums_of(at);
    const bool whole = !kinds || (kinds == 1 && p.chunks == 1);
    const int64_t each = planes(n);
    const int room = weft_emit_scratch(e, whole ? 1 : kinds * each * p.chunks, WEFT_I32); // four bytes whatever the storage
    if (room < 0) return WEFT_ERR_MEMORY;
    weft_dispatch d = {
        .kernel = "bias_act_back",
        .spec = { (uint32_t) weft_activation_back(at->of.act, at->of.a), (uint32_t) at->sums, weft_has(n, 1 + B), !noise ? 0 : per_image ? 2 : 1,
                  weft_has(n, 1 + STRENGTH), weft_has(n, 1 + D), wide, lanes, steps, whole, weft_has(n, WEFT_BACK_S),
                  !weft_has(n, WEFT_BACK_MORE) ? 0 : weft_has(n, WEFT_BACK_MORE_S) ? 2 : 1 },
        .spec_count = 12, .params = &p, .params_bytes = sizeof p, .grid = { 64 * p.n * p.columns * p.chunks },
        .bind = { WEFT_BIND_OUT(0), WEFT_BIND_OUT(kinds && whole), [8] = WEFT_BIND_SCRATCH(room, !whole) }, .bind_count = 12, .flops = 2 * flops(n),
    };
    for (int i = 0; i < WEFT_BACK_INPUTS; i++) d.bind[(i < WEFT_BACK_S ? 2 : 3) + i] = (weft_bind) WEFT_BIND_IN(i);
    WEFT_TRY(weft_emit_dispatch(e, &d));
    if (whole) return WEFT_OK;
    const struct add_parts_params q = { (u32) (kinds * each), (u32) each, p.chunks };
    weft_dispatch add = { .kernel = "add_parts", .params = &q, .params_bytes = sizeof q, .grid = { 64 * q.count },
                          .bind = { [5] = WEFT_BIND_SCRATCH(room, 0) }, .bind_count = 6 };
    for (int k = 0; k < WEFT_SUMS; k++) add.bind[k] = (weft_bind) WEFT_BIND_OUT(k < kinds ? 1 + k : 1);
    return weft_emit_dispatch(e, &add);
}

// --- The gradient rule. ---

static weft_result by_noise(const weft_node *n, weft_graph *g, weft_value du, const bool *want, weft_value *dx)
{
    const bool noise = weft_has(n, NOISE) && want[NOISE], strength = weft_has(n, STRENGTH) && want[STRENGTH];
    if (!noise && !strength) return weft_graph_status(g);
    const weft_value sum = weft_grad_unstretch(g, du, n->in_shape[NOISE]); // over channels, and images where they share the noise
    if (noise) dx[NOISE] = weft_has(n, STRENGTH) ? weft_grad_reshape(g, weft_grad_mul(g, sum, n->in[STRENGTH]), n->in_shape[NOISE]) : sum;
    if (strength)
        dx[STRENGTH] = weft_grad_reshape(g, weft_grad_reduce(g, "sum", weft_grad_mul(g, sum, n->in[NOISE]), (1u << n->in_shape[X].rank) - 1), n->in_shape[STRENGTH]);
    return weft_graph_status(g);
}

// d is what a demodulation made it: never 0.
static bool is_never_zero(const weft_graph *g, weft_value v)
{
    while (g->values[v].node >= 0 && g->nodes[g->values[v].node].op->flags & WEFT_OP_ALIAS) v = g->nodes[g->values[v].node].in[0];
    return g->values[v].node >= 0 && !strcmp(g->nodes[g->values[v].node].op->name, "rsqrt");
}

// Whether all can be told from y, so that x need not be kept: then what made x can go on and make y.
static bool is_told_by_y(const weft_node *n, const weft_graph *g, const bool *want)
{
    const weft_bias_act_attrs *at = n->attrs;
    return n->in_shape[X].rank == 4 && at->gain != 0 && weft_activation_back(at->act, at->a) >= 0 &&
           !(weft_has(n, D) && want[D] && !is_never_zero(g, n->in[D]));
}

// A sum over pixels [n, c, 1, 1] in the shape `to`: [c], [n, c] or one number.
static weft_value settle(weft_graph *g, weft_value sum, weft_shape to)
{
    const weft_shape s = g->values[sum].shape;
    if (weft_shape_count(to) == 1) sum = weft_grad_reduce(g, "sum", sum, 3);
    else if (to.rank == 1 && s.dim[0] > 1) sum = weft_grad_reduce(g, "sum", sum, 1);
    return weft_grad_reshape(g, sum, to);
}

static weft_result by_y(const weft_node *n, weft_graph *g, weft_value dy, const bool *want, weft_value *dx)
{
    const weft_shape x = n->in_shape[X];
    const bool noise = weft_has(n, NOISE) && want[NOISE], strength = weft_has(n, STRENGTH) && want[STRENGTH];
    weft_bias_act_back_attrs back = { .of = *(const weft_bias_act_attrs *) n->attrs };
    if (weft_has(n, B) && want[B]) back.sums |= WEFT_SUM_DU;
    if (weft_has(n, D) && want[D]) back.sums |= WEFT_SUM_DU_X;
    if (strength && !noise) back.sums |= WEFT_SUM_DU_NOISE;
    weft_value in[1 + WEFT_BIAS_INPUTS] = { dy, n->out[0], -1, -1, -1, -1 };
    for (int i = B; i < WEFT_BIAS_INPUTS; i++)
        if (weft_has(n, i)) in[1 + i] = n->in[i];
    const weft_value du = weft_graph_call(g, "bias_act_back", in, 1 + WEFT_BIAS_INPUTS, &back), sums = du + 1;
    const int32_t made = back.sums;
    if (du < 0) return weft_graph_status(g);
    if (want[X]) dx[X] = weft_has(n, D) ? weft_grad_mul(g, du, weft_grad_reshape(g, n->in[D], (weft_shape) WEFT_SHAPE(x.dim[0], x.dim[1], 1, 1))) : du;
    if (made & WEFT_SUM_DU) dx[B] = settle(g, sums, n->in_shape[B]);
    if (made & WEFT_SUM_DU_X) dx[D] = settle(g, sums + weft_sums_below(made, WEFT_SUM_DU_X), n->in_shape[D]);
    if (made & WEFT_SUM_DU_NOISE) dx[STRENGTH] = settle(g, sums + weft_sums_below(made, WEFT_SUM_DU_NOISE), n->in_shape[STRENGTH]);
    return noise ? by_noise(n, g, du, want, dx) : weft_graph_status(g);
}

// With u = d x + strength noise + b, everything follows from dy / du.
static weft_result bias_act_grad_rule(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_shape x = n->in_shape[X];
    weft_value in[1 + WEFT_BIAS_INPUTS] = { dy[0], -1, -1, -1, -1, -1 };
    weft_shape channel = { x.rank, { 1, x.dim[1], 1, 1, 1, 1, 1, 1 } }, each = channel;
    each.dim[0] = x.dim[0];
    for (int i = 0; i < WEFT_BIAS_INPUTS; i++)
        if (weft_has(n, i)) in[1 + i] = n->in[i];
    const weft_bias_act_attrs *at = n->attrs;
    const bool same = !at->act && at->gain == 1 && at->clamp <= 0, scaled = weft_has(n, D) && want[D];
    if ((!same || scaled) && is_told_by_y(n, g, want)) return by_y(n, g, dy[0], want, dx);
    const weft_value du = same ? dy[0] : weft_graph_call(g, "bias_act_grad", in, 1 + WEFT_BIAS_INPUTS, n->attrs);
    if (du < 0) return weft_graph_status(g);
    if (want[X]) dx[X] = weft_has(n, D) ? weft_grad_mul(g, du, weft_grad_reshape(g, n->in[D], each)) : du;
    if (weft_has(n, B) && want[B]) dx[B] = weft_grad_reshape(g, weft_grad_unstretch(g, du, channel), n->in_shape[B]);
    if (scaled) dx[D] = weft_grad_reshape(g, weft_grad_unstretch(g, weft_grad_mul(g, du, n->in[X]), each), n->in_shape[D]);
    return by_noise(n, g, du, want, dx);
}

#define ENTRIES                                                                                                                      \
        WEFT_ATTR(weft_bias_act_attrs, act, ENUM, .choices = weft_activation_names, .doc = "activation"),                            \
        WEFT_ATTR(weft_bias_act_attrs, a, FLOAT, .doc = "first parameter of the activation: leaky_relu's slope has no default here"), \
        WEFT_ATTR(weft_bias_act_attrs, b, FLOAT, .doc = "second parameter of the activation"),                                       \
        WEFT_ATTR(weft_bias_act_attrs, gain, FLOAT, .def = 1, .doc = "factor after the activation"),                                 \
        WEFT_ATTR(weft_bias_act_attrs, clamp, FLOAT, .min = 0, .max = 3e38, .doc = "largest absolute value; 0: any")
#define TABLE (const weft_attr[]) { ENTRIES, { 0 } }
#define AT(...) &(const weft_bias_act_attrs) { .gain = 1, __VA_ARGS__ }

static const weft_op bias_act = {
    .name = "bias_act",
    .doc = "y = gain act(d[n,c] x + strength noise + b[c]), limited to [-clamp, clamp]: what follows the convolution in Karras et al.\n"
           "2020, Analyzing and Improving the Image Quality of StyleGAN, d being the demodulation. Noise without strength counts once.",
    .out_names = "y", .in_names = "x b? noise? strength? d?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(weft_bias_act_attrs), .attrs = TABLE,
    .infer = bias_act_infer, .items = planes, .cpu = bias_act_cpu, .emit = bias_act_emit, .grad = bias_act_grad_rule, .flops = flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(3, 65), WEFT_SHAPE(65) }, .attrs = AT(.act = 2, .a = 0.2f, .gain = 1.41421356f) },
        { .in = { WEFT_SHAPE(2, 5, 3, 7), WEFT_SHAPE(5), WEFT_SHAPE(1, 1, 3, 7), WEFT_SHAPE(1), WEFT_SHAPE(2, 5) },
          .attrs = AT(.act = 2, .a = 0.2f, .gain = 1.41421356f, .clamp = 0.9f) },
        { .in = { WEFT_SHAPE(2, 4, 5, 3), WEFT_SHAPE(4), WEFT_SHAPE(2, 1, 5, 3) }, .attrs = AT(.act = 1) },
        { .in = { WEFT_SHAPE(1, 3, 9, 8), WEFT_SHAPE(3) }, .attrs = AT(.clamp = 0.5f) },
        { .in = { WEFT_SHAPE(3, 8, 5, 3), WEFT_SHAPE(8), WEFT_SHAPE(1, 1, 5, 3), WEFT_SHAPE(1), WEFT_SHAPE(3, 8) }, .attrs = AT(.act = 4, .clamp = 0.6f) },
        { .in = { WEFT_SHAPE(2, 6, 4), [4] = WEFT_SHAPE(2, 6) }, .attrs = AT(.act = 4, .gain = 2), .in_count = 5, .absent = 1 << 1 | 1 << 2 | 1 << 3 },
        { .in = { WEFT_SHAPE(2, 3, 4, 5), [2] = WEFT_SHAPE(1, 1, 4, 5), WEFT_SHAPE(1) }, .attrs = AT(.act = 3, .a = 1, .gain = 0.5f), .in_count = 4,
          .absent = 1 << 1 },
        { .in = { WEFT_SHAPE(1, 8, 16, 17), WEFT_SHAPE(8), WEFT_SHAPE(1, 1, 16, 17), WEFT_SHAPE(1), WEFT_SHAPE(1, 8) },
          .attrs = AT(.act = 2, .a = 0.2f, .gain = 1.41421356f) },
        { 0 }
    },
};

static const weft_op bias_act_grad = {
    .name = "bias_act_grad",
    .doc = "du = dy times the derivative of `bias_act` by u = d[n,c] x + strength noise + b[c]; 0 where the limit holds.",
    .out_names = "du", .in_names = "dy x b? noise? strength? d?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(weft_bias_act_attrs), .attrs = TABLE,
    .infer = bias_act_grad_infer, .items = planes, .cpu = bias_act_grad_cpu, .emit = bias_act_grad_emit, .flops = flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(3, 65), WEFT_SHAPE(3, 65), WEFT_SHAPE(65) }, .attrs = AT(.act = 2, .a = 0.2f, .gain = 1.41421356f) },
        { .in = { WEFT_SHAPE(2, 5, 3, 7), WEFT_SHAPE(2, 5, 3, 7), WEFT_SHAPE(5), WEFT_SHAPE(1, 1, 3, 7), WEFT_SHAPE(1), WEFT_SHAPE(2, 5) },
          .attrs = AT(.act = 2, .a = 0.2f, .gain = 1.41421356f, .clamp = 0.9f) },
        { .in = { WEFT_SHAPE(2, 4, 5, 3), WEFT_SHAPE(2, 4, 5, 3), WEFT_SHAPE(4), WEFT_SHAPE(2, 1, 5, 3) }, .attrs = AT(.act = 5) },
        { .in = { WEFT_SHAPE(2, 8, 7, 9), WEFT_SHAPE(2, 8, 7, 9), WEFT_SHAPE(8), WEFT_SHAPE(2, 1, 7, 9), WEFT_SHAPE(1), WEFT_SHAPE(2, 8) },
          .attrs = AT(.act = 2, .a = 0.2f, .gain = 1.41421356f) },
        { .in = { WEFT_SHAPE(2, 12), WEFT_SHAPE(2, 12), WEFT_SHAPE(12) }, .attrs = AT(.act = 3, .a = 1, .clamp = 0.7f) },
        { .in = { WEFT_SHAPE(2, 6, 4), WEFT_SHAPE(2, 6, 4), [5] = WEFT_SHAPE(2, 6) }, .attrs = AT(.act = 4, .gain = 2), .in_count = 6,
          .absent = 1 << 2 | 1 << 3 | 1 << 4 },
        { 0 }
    },
};

#define BACK(sums_, ...) &(const weft_bias_act_back_attrs) { { .gain = 1, __VA_ARGS__ }, sums_ }
static const weft_op bias_act_back = {
    .name = "bias_act_back",
    .doc = "du as `bias_act_grad` gives it, but from y, for activations that grow: none, relu, leaky_relu, elu, tanh and sigmoid, with a not\n"
           "below 0 and a gain. With s and more, [n, c], dy stands for s dy + more_s more. `sums` adds bits: 1 for the sum over pixels of du, 2 of\n"
           "du x, where x is what y says that it was (d must not be 0), 4 of du noise, 8 of dy y and 16 of more y, as they are: an output [n, c, 1, 1] each.",
    .out_names = "du sums...", .in_names = "dy y b? noise? strength? d? s? more? more_s?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(weft_bias_act_back_attrs),
    .attrs = (const weft_attr[]) { ENTRIES, WEFT_ATTR(weft_bias_act_back_attrs, sums, INT, .max = 31, .doc = "which sums"), { 0 } },
    .outputs = back_outputs, .infer = bias_act_back_infer, .items = planes, .cpu = bias_act_back_cpu, .emit = bias_act_back_emit, .flops = flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 5, 3, 7), WEFT_SHAPE(2, 5, 3, 7), WEFT_SHAPE(5), WEFT_SHAPE(1, 1, 3, 7), WEFT_SHAPE(1), WEFT_SHAPE(2, 5) },
          .attrs = BACK(7, .act = 2, .a = 0.2f, .gain = 1.41421356f, .clamp = 0.9f), .low = 0.2, .high = 1.2 },
        { .in = { WEFT_SHAPE(2, 8, 7, 9), WEFT_SHAPE(2, 8, 7, 9), WEFT_SHAPE(8), WEFT_SHAPE(2, 1, 7, 9), WEFT_SHAPE(1) }, .attrs = BACK(6, .act = 2, .a = 0.2f) },
        { .in = { WEFT_SHAPE(2, 3, 4, 5), WEFT_SHAPE(2, 3, 4, 5) }, .attrs = BACK(0, .act = 1, .clamp = 0.5f) },
        { .in = { WEFT_SHAPE(1, 12, 67, 71), WEFT_SHAPE(1, 12, 67, 71), [5] = WEFT_SHAPE(1, 12) }, .in_count = 6, .absent = 1 << 2 | 1 << 3 | 1 << 4,
          .attrs = BACK(3, .act = 4, .gain = 2), .low = 0.2, .high = 1.2 },
        { .in = { WEFT_SHAPE(1, 260, 5, 3), WEFT_SHAPE(1, 260, 5, 3) }, .attrs = BACK(2, .act = 3, .a = 1, .gain = 0.5f), .low = -0.45, .high = 1 },
        { .in = { WEFT_SHAPE(3, 66, 4, 4), WEFT_SHAPE(3, 66, 4, 4), WEFT_SHAPE(66) }, .attrs = BACK(1, .act = 5), .low = 0.1, .high = 0.9 },
        { .in = { WEFT_SHAPE(1, 3, 40, 41), WEFT_SHAPE(1, 3, 40, 41), [3] = WEFT_SHAPE(1, 1, 40, 41) }, .in_count = 4, .absent = 1 << 2,
          .attrs = BACK(4, .gain = -1) },
        { .in = { WEFT_SHAPE(2, 8, 9, 7), WEFT_SHAPE(2, 8, 9, 7), WEFT_SHAPE(8), WEFT_SHAPE(1, 1, 9, 7), WEFT_SHAPE(1), WEFT_SHAPE(2, 8), WEFT_SHAPE(2, 8),
                  WEFT_SHAPE(2, 8, 9, 7), WEFT_SHAPE(2, 8) }, .attrs = BACK(31, .act = 2, .a = 0.2f, .gain = 1.41421356f), .low = -0.8, .high = 1.2 },
        { .in = { WEFT_SHAPE(1, 5, 33, 31), WEFT_SHAPE(1, 5, 33, 31), [7] = WEFT_SHAPE(1, 5, 33, 31) }, .in_count = 8,
          .absent = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6, .attrs = BACK(24, .act = 1) },
        { .in = { WEFT_SHAPE(2, 4, 6, 5), WEFT_SHAPE(2, 4, 6, 5), [6] = WEFT_SHAPE(2, 4) }, .in_count = 7,
          .absent = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5, .attrs = BACK(8, .act = 4) },
        { 0 }
    },
};

const weft_op *const weft_family_bias_act[] = { &bias_act, &bias_act_grad, &bias_act_back, NULL };
