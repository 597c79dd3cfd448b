// SPDX-License-Identifier: MIT
// Upsample, filter, downsample. x: [n, c, hi, wi], f: [fh, fw], y: [n, c, ho, wo]; what follows as in bias_act.
#include "ops/upfirdn2d.h"
#include "ops/conv_weights.h"
#include "ops/divide.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include "params/upfirdn2d.h"
#include <string.h>

static weft_result upfirdn_infer(weft_node *n)
{
    const weft_upfirdn_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0], f = n->in_shape[1];
    if (x.rank != 4) return weft_node_fail(n, "x has %d dimensions, not 4", x.rank);
    if (f.rank != 2) return weft_node_fail(n, "f has %d dimensions, not 2; a separable filter is the outer product of its parts", f.rank);
    n->out_shape[0] = x;
    for (int d = 0; d < 2; d++) {
        const int64_t padded = x.dim[2 + d] * at->up[d] + at->pads[d] + at->pads[2 + d];
        if (padded < f.dim[d])
            return weft_node_fail(n, "the filter of %lld is larger than the padded image of %lld", (long long) f.dim[d], (long long) padded);
        n->out_shape[0].dim[2 + d] = (padded - f.dim[d]) / at->down[d] + 1;
    }
    return weft_bias_act_check(n, n->out_shape[0], 1);
}

static int64_t upfirdn_items(const weft_node *n)
{
    const int64_t *y = n->out_shape[0].dim;
    return y[0] * y[1] * y[2];
}

static void upfirdn_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_upfirdn_attrs *at = n->attrs;
    const int64_t *xs = n->in_shape[0].dim, *fs = n->in_shape[1].dim, *ys = n->out_shape[0].dim;
    const weft_real *f = arg->in[1];
    const weft_bias_act_attrs how = weft_upfirdn_ending(at);
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_real *x = (const weft_real *) arg->in[0] + row / ys[2] * xs[2] * xs[3];
        weft_real *y = (weft_real *) arg->out[0] + row * ys[3];
        const weft_ending e = weft_ending_of(n, arg, 1, row / ys[2]);
        for (int64_t wo = 0; wo < ys[3]; wo++) {
            double sum = 0;
            for (int64_t a = 0; a < fs[0]; a++) {
                const int64_t h = row % ys[2] * at->down[0] + a - at->pads[0]; // in the image with zeros
                if (h < 0 || h % at->up[0] || h / at->up[0] >= xs[2]) continue;
                for (int64_t b = 0; b < fs[1]; b++) {
                    const int64_t w = wo * at->down[1] + b - at->pads[1];
                    if (w < 0 || w % at->up[1] || w / at->up[1] >= xs[3]) continue;
                    const weft_real tap = at->flip ? f[a * fs[1] + b] : f[(fs[0] - 1 - a) * fs[1] + fs[1] - 1 - b];
                    sum += (double) tap * x[h / at->up[0] * xs[3] + w / at->up[1]];
                }
            }
            y[wo] = (weft_real) weft_ending_over(&how, weft_ending_under(&e, sum * at->gain, row % ys[2] * ys[3] + wo));
        }
    }
}

static double upfirdn_flops(const weft_node *n)
{
    const weft_upfirdn_attrs *at = n->attrs;
    const int64_t *f = n->in_shape[1].dim, h = (f[0] + at->up[0] - 1) / at->up[0], w = (f[1] + at->up[1] - 1) / at->up[1];
    return 2.0 * (double) weft_shape_count(n->out_shape[0]) * (double) (h * w);
}

// --- Dispatches. ---

enum { MOST_FACTOR = 4, MOST_FILTER = 16 }; // that a block's kernel is unrolled for
enum { OWN = 7 };                           // constants of shaders/glsl/upfirdn2d.glsl; the block's own follow

static bool fits(const weft_upfirdn_attrs *at, const int64_t *f, const weft_caps *caps, int tall, int across)
{
    if (caps->few_registers && tall * across * f[1] > 64) return false;
    for (int d = 0; d < 2; d++)
        if (at->up[d] > MOST_FACTOR || at->down[d] > MOST_FACTOR || f[d] > MOST_FILTER) return false;
    return tall * at->down[0] % at->up[0] == 0 && across * at->down[1] % at->up[1] == 0; // all blocks begin at one phase
}

// Large blocks read less, small ones keep more of a device busy.
static int upfirdn_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    static const uint8_t blocks[][2] = { { 4, 4 }, { 2, 4 }, { 2, 2 }, { 1, 4 } };
    enum { BLOCKS = sizeof blocks / sizeof *blocks, BUSY = 1 << 15 };
    const int64_t work = weft_shape_count(n->out_shape[0]) / (n->in_shape[0].dim[1] % 4 ? 1 : 4);
    int count = 0, first = weft_emit_caps(e)->is_software || work / 16 >= BUSY ? 0 : work / 8 >= BUSY ? 1 : 2;
    for (int i = 0; i < BLOCKS; i++) {
        const uint8_t *b = blocks[(first + i) % BLOCKS];
        if (fits(n->attrs, n->in_shape[1].dim, weft_emit_caps(e), b[0], b[1])) list[count++] = (weft_way) { "upfirdn2d_block", { b[0], b[1] } };
    }
    list[count++] = (weft_way) { "upfirdn2d", { 0 } };
    return count;
}

static uint32_t modulo(int32_t a, int32_t b) { return (uint32_t) ((a % b + b) % b); }

static weft_result upfirdn_emit(const weft_node *n, weft_emit *e)
{
    const weft_upfirdn_attrs *at = n->attrs;
    const weft_way *way = weft_emit_way(e);
    const int64_t *x = n->in_shape[0].dim, *f = n->in_shape[1].dim, *y = n->out_shape[0].dim;
    const bool wide = x[1] % 4 == 0;
    WEFT_TRY(weft_loop_check(n));
    struct upfirdn2d_params p = {
        .count = (u32) (weft_shape_count(n->out_shape[0]) / (wide ? 4 : 1)), .c = (u32) (x[1] / (wide ? 4 : 1)), .hi = (i32) x[2], .wi = (i32) x[3],
        .ho = (u32) y[2], .wo = (u32) y[3], .gain = at->gain, .a = at->a, .b = at->b, .act_gain = weft_upfirdn_ending(at).gain, .clamp = at->clamp,
    };
    for (int d = 0; d < 2; d++) p.f[d] = (i32) f[d], p.up[d] = at->up[d], p.down[d] = at->down[d], p.pad[d] = at->pads[d];
    weft_dispatch d = { .kernel = way->kernel, .params = &p, .params_bytes = sizeof p, .flops = upfirdn_flops(n) };
    const bool noise = weft_has(n, 1 + WEFT_BIAS_NOISE), each = noise && n->in_shape[1 + WEFT_BIAS_NOISE].dim[0] > 1;
    const uint32_t spec[] = { (uint32_t) at->act, at->flip != 0, weft_has(n, 1 + WEFT_BIAS_B), !noise ? 0 : each ? 2 : 1,
                              weft_has(n, 1 + WEFT_BIAS_STRENGTH), weft_has(n, 1 + WEFT_BIAS_D), wide };
    memcpy(d.spec, spec, sizeof spec);
    d.spec_count = OWN;
    if (way->cut[0]) {
        const int64_t tall = way->cut[0], across = way->cut[1];
        p.count = (u32) (x[0] * ceil_div(y[2], tall) * ceil_div(y[3], across) * p.c);
        for (int k = 0; k < 2; k++) {
            uint32_t *own = d.spec + OWN + k;
            own[0] = (uint32_t) f[k], own[2] = (uint32_t) at->up[k], own[4] = (uint32_t) at->down[k];
            own[6] = modulo(at->pads[k], at->up[k]), own[8] = way->cut[k];
        }
        d.spec_count = OWN + 10;
    }
    d.grid[0] = p.count;
    return weft_emit_dispatch(e, &d);
}

// The adjoint: up and down change places, the filter is turned around.
static weft_value by_image(const weft_node *n, weft_graph *g, weft_value dy)
{
    const weft_upfirdn_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *f = n->in_shape[1].dim, *y = n->out_shape[0].dim;
    weft_upfirdn_attrs back = { .gain = at->gain, .flip = !at->flip };
    for (int d = 0; d < 2; d++) {
        back.up[d] = at->down[d], back.down[d] = at->up[d];
        back.pads[d] = (int32_t) (f[d] - 1 - at->pads[d]);
        back.pads[2 + d] = (int32_t) (x[2 + d] * at->up[d] - y[2 + d] * at->down[d] + at->pads[d] - at->up[d] + 1);
    }
    return weft_graph_call(g, "upfirdn2d", WEFT_V(dy, n->in[1]), &back);
}

// The filter as the unknown: what it runs over (a filter of one tap leaves zeros and pads), every channel's correlated with its dy.
static weft_value by_filter(const weft_node *n, weft_graph *g, weft_value dy)
{
    const weft_upfirdn_attrs *at = n->attrs;
    const int64_t *f = n->in_shape[1].dim, *y = n->out_shape[0].dim, planes = y[0] * y[1];
    weft_upfirdn_attrs spread = *at;
    spread.down[0] = spread.down[1] = 1;
    const weft_value one = weft_graph_numbers(g, (weft_shape) WEFT_SHAPE(1, 1), (const float[]) { 1 });
    weft_value x = weft_graph_call(g, "upfirdn2d", WEFT_V(n->in[0], one), &spread);
    if (x < 0) return -1;
    const weft_shape s = g->values[x].shape;
    x = weft_grad_reshape(g, x, (weft_shape) WEFT_SHAPE(planes, 1, s.dim[2], s.dim[3]));
    const weft_value each = weft_grad_reshape(g, dy, (weft_shape) WEFT_SHAPE(planes, 1, y[2], y[3]));
    weft_value df = weft_conv_weights(g, x, each, &(weft_conv_weights_attrs) { .stride = { at->down[0], at->down[1] }, .dilation = { 1, 1 }, .groups = 1,
                                                                              .kernel = { (int32_t) f[0], (int32_t) f[1] } });
    df = weft_grad_reshape(g, df, n->in_shape[1]);
    return at->flip ? df : weft_grad_call(g, "flip", WEFT_V(df), WEFT_WITH({ "axes", NULL, 2, { 0, 1 } }));
}

// Filter, then all that follows.
static weft_result upfirdn_unfuse(const weft_node *n, weft_graph *g, weft_value *out)
{
    weft_upfirdn_attrs plain = *(const weft_upfirdn_attrs *) n->attrs;
    const weft_bias_act_attrs how = weft_upfirdn_ending(&plain);
    if (!weft_upfirdn_ends(n)) return WEFT_OK;
    plain.act = 0;
    plain.a = plain.b = plain.act_gain = plain.clamp = 0;
    weft_value in[WEFT_BIAS_INPUTS] = { weft_graph_call(g, "upfirdn2d", WEFT_V(n->in[0], n->in[1]), &plain) };
    for (int i = WEFT_BIAS_B; i < WEFT_BIAS_INPUTS; i++) in[i] = weft_has(n, 1 + i) ? n->in[1 + i] : -1;
    *out = weft_graph_call(g, "bias_act", in, WEFT_BIAS_INPUTS, &how);
    return weft_graph_status(g);
}

static weft_result upfirdn_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    if (want[0]) dx[0] = by_image(n, g, dy[0]);
    if (want[1]) dx[1] = by_filter(n, g, dy[0]);
    return WEFT_OK;
}

#define AT(...) &(const weft_upfirdn_attrs) { .up = { 1, 1 }, .down = { 1, 1 }, .gain = 1, __VA_ARGS__ }

const weft_op weft_op_upfirdn2d = {
    .name = "upfirdn2d",
    .doc = "x with up - 1 zeros after every pixel, `pads` more around it (negative: taken away), convolved with f, every down-th pixel\n"
           "of that times `gain`: y[i, j] = gain * sum over a, b of f[fh - 1 - a, fw - 1 - b] z[i down_y + a - top, j down_x + b - left],\n"
           "z[k up] = x[k] and 0 elsewhere; with flip = 1 f[a, b]. Size (h up + top + bottom - fh) / down + 1. Karras et al. 2020,\n"
           "Analyzing and Improving the Image Quality of StyleGAN, with the conventions of its PyTorch programs. Where b, noise, strength, d\n"
           "or an activation are given, that is x of `bias_act`, and y its y.",
    .out_names = "y", .in_names = "x f b? noise? strength? d?", .flags = WEFT_OP_IMAGE,
    .attr_bytes = sizeof(weft_upfirdn_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_upfirdn_attrs, up, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "how many times larger, y and x"),
        WEFT_ATTR(weft_upfirdn_attrs, down, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "of how many pixels one is kept, y and x"),
        WEFT_ATTR(weft_upfirdn_attrs, pads, INT, .count = 4, .min = -16777216, .max = 16777216, .doc = "top, left, bottom, right, in pixels of the enlarged image"),
        WEFT_ATTR(weft_upfirdn_attrs, gain, FLOAT, .def = 1, .doc = "factor"),
        WEFT_ATTR(weft_upfirdn_attrs, flip, INT, .max = 1, .doc = "0: convolution, 1: correlation"),
        WEFT_ATTR(weft_upfirdn_attrs, act, ENUM, .choices = weft_activation_names, .doc = "activation after the filter"),
        WEFT_ATTR(weft_upfirdn_attrs, a, FLOAT, .doc = "first parameter of the activation"),
        WEFT_ATTR(weft_upfirdn_attrs, b, FLOAT, .doc = "second parameter of the activation"),
        WEFT_ATTR(weft_upfirdn_attrs, act_gain, FLOAT, .doc = "times the activation; 0: 1"),
        WEFT_ATTR(weft_upfirdn_attrs, clamp, FLOAT, .min = 0, .max = 3e38, .doc = "largest absolute value of that; 0: any"),
        { 0 }
    },
    .infer = upfirdn_infer, .items = upfirdn_items, .cpu = upfirdn_cpu, .ways = upfirdn_ways, .emit = upfirdn_emit,
    .flops = upfirdn_flops, .unfuse = upfirdn_unfuse, .grad = upfirdn_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 1, 5, 7), WEFT_SHAPE(1, 1) } },
        { .in = { WEFT_SHAPE(2, 3, 6, 5), WEFT_SHAPE(4, 4) }, .attrs = AT(.up = { 2, 2 }, .pads = { 2, 2, 1, 1 }, .gain = 4) },
        { .in = { WEFT_SHAPE(1, 8, 9, 8), WEFT_SHAPE(4, 4) }, .attrs = AT(.down = { 2, 2 }, .pads = { 1, 1, 1, 1 }) },
        { .in = { WEFT_SHAPE(1, 4, 9, 7), WEFT_SHAPE(4, 4) }, .attrs = AT(.pads = { 1, 1, 1, 1 }, .gain = 4) },
        { .in = { WEFT_SHAPE(2, 4, 8, 8), WEFT_SHAPE(4, 4) }, .attrs = AT(.pads = { 2, 2, 2, 2 }, .flip = 1) },
        { .in = { WEFT_SHAPE(1, 5, 7, 9), WEFT_SHAPE(3, 5) }, .attrs = AT(.up = { 3, 2 }, .down = { 2, 3 }, .pads = { -1, 2, 3, -2 }, .gain = 0.5f) },
        { .in = { WEFT_SHAPE(1, 12, 4, 3), WEFT_SHAPE(2, 1) }, .attrs = AT(.up = { 1, 3 }, .pads = { 0, -2, -1, 0 }, .flip = 1) },
        { .in = { WEFT_SHAPE(1, 3, 11, 10), WEFT_SHAPE(12, 1) }, .attrs = AT(.up = { 2, 1 }, .pads = { 6, 0, 5, 0 }, .gain = 2) },
        { .in = { WEFT_SHAPE(1, 2, 8, 8), WEFT_SHAPE(1, 6) }, .attrs = AT(.up = { 4, 1 }, .down = { 3, 4 }, .pads = { 1, 8, 2, 9 }) },
        { .in = { WEFT_SHAPE(1, 3, 18, 16), WEFT_SHAPE(4, 4) }, .attrs = AT(.up = { 2, 2 }, .pads = { 2, 2, 1, 1 }, .gain = 4) },
        { .in = { WEFT_SHAPE(1, 16, 20, 19), WEFT_SHAPE(4, 4) }, .attrs = AT(.pads = { 1, 1, 1, 1 }, .gain = 4) },
        { .in = { WEFT_SHAPE(1, 4, 9, 11), WEFT_SHAPE(12, 12) }, .attrs = AT(.up = { 2, 2 }, .pads = { 7, 6, 5, 6 }, .gain = 4) },
        { .in = { WEFT_SHAPE(1, 8, 7, 6), WEFT_SHAPE(4, 3) }, .attrs = AT(.up = { 4, 2 }, .down = { 2, 4 }, .pads = { -3, 5, 4, -1 }, .flip = 1) },
        // what follows: noise of each image or of all, fours of channels and single ones, blocks that end inside
        { .in = { WEFT_SHAPE(2, 8, 9, 8), WEFT_SHAPE(4, 4), WEFT_SHAPE(8), WEFT_SHAPE(1, 1, 8, 7), WEFT_SHAPE(1), WEFT_SHAPE(2, 8) },
          .attrs = AT(.pads = { 1, 1, 1, 1 }, .gain = 4, .act = 2, .a = 0.2f, .act_gain = 1.41421356f, .clamp = 1.5f) },
        { .in = { WEFT_SHAPE(2, 3, 6, 5), WEFT_SHAPE(4, 4), { 0 }, WEFT_SHAPE(2, 1, 12, 10) }, .in_count = 4, .absent = 1 << 2,
          .attrs = AT(.up = { 2, 2 }, .pads = { 2, 2, 1, 1 }, .gain = 4, .act = 4) },
        { .in = { WEFT_SHAPE(3, 5, 9, 7), WEFT_SHAPE(3, 3), [5] = WEFT_SHAPE(3, 5) }, .in_count = 6, .absent = 1 << 2 | 1 << 3 | 1 << 4,
          .attrs = AT(.down = { 2, 2 }, .pads = { 1, 1, 1, 1 }, .act_gain = 0.5f) },
        { .in = { WEFT_SHAPE(2, 4, 5, 6), WEFT_SHAPE(1, 3), WEFT_SHAPE(4) }, .attrs = AT(.pads = { 0, 1, 0, 1 }, .act = 3, .a = 1) },
        { 0 }
    },
};
