// SPDX-License-Identifier: MIT
// Transposed convolution, then a filter. x: [n, ci, hi, wi], w: [ci, co, ky, kx], f: [fh, fw], y: [n, co, ho, wo]; what follows as in bias_act.
#include "ops/up_conv2d.h"
#include "ops/apart.h"
#include "ops/conv_emit.h"
#include "ops/divide.h"
#include "ops/lanes.h"
#include "ops/loop.h"
#include "params/up_conv.h"
#include <string.h>

enum { X = WEFT_UP_CONV_X, W = WEFT_UP_CONV_W, F = WEFT_UP_CONV_F, S = WEFT_UP_CONV_S, LATER = 2 };

static int64_t between(const weft_node *n, int d) // pixels on axis d between convolution and filter
{
    const weft_up_conv_attrs *at = n->attrs;
    return (n->in_shape[X].dim[2 + d] - 1) * at->stride[d] + n->in_shape[W].dim[2 + d] - at->crop[d] - at->crop[2 + d];
}

static weft_result up_conv_infer(weft_node *n)
{
    const weft_up_conv_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[X], w = n->in_shape[W], f = n->in_shape[F];
    char text[WEFT_SHAPE_TEXT];
    if (x.rank != 4 || w.rank != 4 || f.rank != 2) return weft_node_fail(n, "x and w must have 4 dimensions, f 2");
    if (x.dim[1] != w.dim[0]) return weft_node_fail(n, "x has %lld channels, w wants %lld", (long long) x.dim[1], (long long) w.dim[0]);
    n->out_shape[0] = (weft_shape) WEFT_SHAPE(x.dim[0], w.dim[1], 1, 1);
    for (int d = 0; d < 2; d++) {
        const int64_t size = between(n, d), padded = size + at->filter.pads[d] + at->filter.pads[2 + d];
        if (size < 1 || padded < f.dim[d]) return weft_node_fail(n, "crop and pads leave nothing of the output");
        n->out_shape[0].dim[2 + d] = padded - f.dim[d] + 1;
    }
    if (weft_has(n, S) && (n->in_shape[S].rank != 2 || n->in_shape[S].dim[0] != x.dim[0] || n->in_shape[S].dim[1] != x.dim[1]))
        return weft_node_fail(n, "s is %s, wants [%lld, %lld]", weft_shape_text(n->in_shape[S], text), (long long) x.dim[0], (long long) x.dim[1]);
    return weft_bias_act_check(n, n->out_shape[0], LATER);
}

static int64_t up_conv_items(const weft_node *n)
{
    const int64_t *y = n->out_shape[0].dim;
    return y[0] * y[1] * y[2];
}

// What the filter meets at (h, w), counted without what is cropped: input i receives through tap k where h + crop = i stride + k.
static double pixel(const weft_node *n, const weft_cpu_args *arg, int64_t image, int64_t co, int64_t h, int64_t w)
{
    const weft_up_conv_attrs *at = n->attrs;
    const int64_t *xs = n->in_shape[X].dim, *ws = n->in_shape[W].dim;
    const weft_real *x = (const weft_real *) arg->in[X] + image * xs[1] * xs[2] * xs[3], *weights = arg->in[W];
    const weft_real *s = weft_has(n, S) ? (const weft_real *) arg->in[S] + image * xs[1] : NULL;
    double sum = 0;
    if (h < 0 || w < 0 || h >= between(n, 0) || w >= between(n, 1)) return 0;
    for (int64_t ky = 0; ky < ws[2]; ky++) {
        const int64_t i = h + at->crop[0] - ky;
        if (i < 0 || i % at->stride[0] || i / at->stride[0] >= xs[2]) continue;
        for (int64_t kx = 0; kx < ws[3]; kx++) {
            const int64_t k = w + at->crop[1] - kx;
            if (k < 0 || k % at->stride[1] || k / at->stride[1] >= xs[3]) continue;
            for (int64_t ci = 0; ci < xs[1]; ci++)
                sum += (double) x[(ci * xs[2] + i / at->stride[0]) * xs[3] + k / at->stride[1]] * (s ? s[ci] : 1) *
                       weights[((ci * ws[1] + co) * ws[2] + ky) * ws[3] + kx];
        }
    }
    return sum;
}

static void up_conv_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_upfirdn_attrs *at = &((const weft_up_conv_attrs *) n->attrs)->filter;
    const int64_t *fs = n->in_shape[F].dim, *ys = n->out_shape[0].dim;
    const weft_real *f = arg->in[F];
    const weft_bias_act_attrs how = weft_upfirdn_ending(at);
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const int64_t plane = row / ys[2], ho = row % ys[2];
        const weft_ending e = weft_ending_of(n, arg, LATER, plane);
        for (int64_t wo = 0; wo < ys[3]; wo++) {
            double sum = 0;
            for (int64_t a = 0; a < fs[0]; a++)
                for (int64_t b = 0; b < fs[1]; b++)
                    sum += (double) (at->flip ? f[a * fs[1] + b] : f[(fs[0] - 1 - a) * fs[1] + fs[1] - 1 - b]) *
                           pixel(n, arg, plane / ys[1], plane % ys[1], ho + a - at->pads[0], wo + b - at->pads[1]);
            ((weft_real *) arg->out[0])[row * ys[3] + wo] = (weft_real) weft_ending_over(&how, weft_ending_under(&e, sum * at->gain, ho * ys[3] + wo));
        }
    }
}

static double up_conv_flops(const weft_node *n)
{
    const int64_t *w = n->in_shape[W].dim, *f = n->in_shape[F].dim;
    return 2.0 * (double) weft_shape_count(n->in_shape[X]) * (double) (w[1] * w[2] * w[3]) + 2.0 * (double) weft_shape_count(n->out_shape[0]) * (double) (f[0] * f[1]);
}

// --- Apart: the two operators' own kernels, with the image between them in scratch memory. ---

static const char in_bands[] = "up_conv_bands"; // cut: how many; the kernels are the first of either operator
enum { BANDS };

// Rows of y of a band meet rows begin .. end of the image between the two.
typedef struct span { int64_t begin, end; } span;

static int64_t first_met(const weft_node *n, const weft_band *b) { return b->begin - ((const weft_up_conv_attrs *) n->attrs)->filter.pads[0]; }

static span met(const weft_node *n, const weft_band *b)
{
    const int64_t first = first_met(n, b), end = first + b->rows - 1 + n->in_shape[F].dim[0], all = between(n, 0);
    const span s = { first > 0 ? first : 0, end < all ? end : all };
    return s.begin < s.end ? s : (span) { 0, 1 }; // nothing but padding
}

static void convolution(weft_apart *p, const weft_node *n, span rows)
{
    const weft_up_conv_attrs *at = n->attrs;
    weft_apart_start(p, n, "conv_transpose2d", WEFT_CONV_INPUTS);
    p->conv = (weft_conv_attrs) { .dilation = { 1, 1 }, .groups = 1 };
    memcpy(p->conv.stride, at->stride, sizeof at->stride);
    memcpy(p->conv.pads, at->crop, sizeof at->crop);
    p->conv.pads[0] += (int32_t) rows.begin, p->conv.pads[2] += (int32_t) (between(n, 0) - rows.end);
    p->node.attrs = &p->conv;
    weft_apart_give(p, WEFT_CONV_X, n, X), weft_apart_give(p, WEFT_CONV_W, n, W), weft_apart_give(p, WEFT_CONV_S, n, S);
    p->out_shape.dim[2] = rows.end - rows.begin, p->out_shape.dim[3] = between(n, 1);
}

static void filter(weft_apart *p, const weft_node *n, const weft_apart *conv, const weft_band *b, span rows)
{
    enum { NOISE = 1 + WEFT_BIAS_NOISE };
    weft_apart_start(p, n, "upfirdn2d", WEFT_UPFIRDN_INPUTS);
    p->filter = ((const weft_up_conv_attrs *) n->attrs)->filter;
    p->filter.pads[0] = (int32_t) (rows.begin - first_met(n, b));
    p->filter.pads[2] = (int32_t) (first_met(n, b) + b->rows - 1 + n->in_shape[F].dim[0] - rows.end);
    p->node.attrs = &p->filter;
    for (int i = WEFT_UPFIRDN_F; i < WEFT_UPFIRDN_INPUTS; i++) weft_apart_give(p, i, n, i + 1);
    p->in[WEFT_UPFIRDN_X] = conv->out, p->in_shape[WEFT_UPFIRDN_X] = conv->out_shape, p->in_layout[WEFT_UPFIRDN_X] = conv->out_layout;
    p->out_shape.dim[2] = b->rows;
    if (p->in[NOISE] >= 0) p->in_shape[NOISE].dim[2] = b->rows;
}

static void add_rows(weft_band *b, const weft_node *n)
{
    enum { NOISE = LATER + WEFT_BIAS_NOISE };
    weft_band_add(b, n->out[0], n->out_shape[0]);
    if (weft_has(n, NOISE)) weft_band_add(b, n->in[NOISE], n->in_shape[NOISE]);
}

// way NULL: the convolution's first.
static weft_result emit_band(const weft_node *n, weft_emit *e, weft_band *b, int room, const weft_way *way)
{
    weft_way ways[WEFT_MAX_WAYS];
    weft_apart conv, fir;
    const span rows = met(n, b);
    convolution(&conv, n, rows);
    conv.out = weft_emit_scratch_value(e, room);
    if (!way) weft_conv_ways(&conv.node, e, ways);
    WEFT_TRY(weft_emit_part(e, &conv.node, way ? way : &ways[0]));
    filter(&fir, n, &conv, b, rows);
    fir.node.op->ways(&fir.node, e, ways);
    if (b->rows < n->out_shape[0].dim[2]) add_rows(b, n);
    return weft_emit_stretches(e, &fir.node, &ways[0], b->list, b->count);
}

static weft_result emit_apart(const weft_node *n, weft_emit *e, int64_t rows, const weft_way *way) // rows of y at a time
{
    const int64_t *y = n->out_shape[0].dim, all = between(n, 0), most = rows - 1 + n->in_shape[F].dim[0];
    const int room = weft_emit_scratch(e, y[0] * y[1] * between(n, 1) * (most < all ? most : all), WEFT_F32);
    if (room < 0) return WEFT_ERR_MEMORY;
    for (int64_t h = 0; h < y[2]; h += rows) {
        weft_band b = { .begin = h, .rows = rows < y[2] - h ? rows : y[2] - h };
        WEFT_TRY(emit_band(n, e, &b, room, way));
    }
    return WEFT_OK;
}

// --- Together: shaders/glsl/up_conv.glsl. Cut: its CELLS, TALL and QUADS. ---

static const char together[] = "up_conv", by_subgroup[] = "up_conv_subgroup";
enum { CELLS, TALL, QUADS, DEEP = 2, TAPS = 9, MOST_FILTER = 4, BUSY = 512 }; // BUSY: workgroups for a large device

bool weft_up_conv_serves(const weft_up_conv_attrs *at, weft_shape w, weft_shape f)
{
    for (int d = 0; d < 2; d++)
        if (at->stride[d] != 2 || w.dim[2 + d] != 3 || f.dim[d] > MOST_FILTER) return false;
    return true;
}

static int64_t from(const weft_node *n, int d) // see params/up_conv.h
{
    const weft_up_conv_attrs *at = n->attrs;
    return (int64_t) at->crop[d] - at->filter.pads[d];
}
static int64_t odd(const weft_node *n, int d) { return from(n, d) & 1; }

static int64_t across(const weft_node *n, const uint8_t *cut) { return (2 * cut[CELLS] - n->in_shape[F].dim[1] + 1 - odd(n, 1)) & ~1; }

static bool fits(const weft_caps *caps, const uint8_t *cut)
{
    const uint32_t threads = (uint32_t) cut[CELLS] * cut[QUADS], loads = DEEP * (cut[TALL] + 1u) * (cut[CELLS] + 1u) + DEEP * 4 * TAPS * cut[QUADS];
    const uint32_t most = loads > 4 * threads ? loads : 4 * threads;
    if (threads > caps->max_group || most * 16 + MOST_FILTER * MOST_FILTER * 4 > caps->shared_bytes) return false;
    return !(caps->few_registers && cut[TALL] > 1);
}

static bool half_empty(const weft_node *n, const uint8_t *cut)
{
    return cut[QUADS] / 2 * 4 >= n->out_shape[0].dim[1] || across(n, cut) >= 2 * n->out_shape[0].dim[3];
}

// Whether the image between the two costs more than doing without: it is written and read, and the kernel that does not computes the edges of its
// strips twice, in a shape that leaves less to reuse than a convolution's tiles. A guess, of 25 products in the time of a byte and a third more of
// them, so in f32 up to 126 input channels win, in f16 up to 60; no GPU has run it. Matrix units are faster than that kernel in any case, small images
// keep few of its workgroups busy, and few registers leave it little to reuse.
static bool wins(const weft_node *n, const weft_emit *e, double bytes)
{
    enum { LARGE = 1 << 21 };
    const weft_caps *caps = weft_emit_caps(e);
    if (caps->is_software || caps->few_registers || (caps->matrix[0] && weft_emit_half(e)) || weft_shape_count(n->out_shape[0]) < LARGE) return false;
    return 2 * bytes * 25 * 3 > up_conv_flops(n);
}

// Processors pay for every load of every lane; the others read what is the same for all lanes at once.
static bool can_broadcast(const weft_caps *caps, const uint8_t *cut)
{
    return caps->is_software && weft_lanes(caps) && cut[CELLS] % weft_lanes(caps) == 0;
}

static int add_together(const weft_node *n, const weft_caps *caps, weft_way list[WEFT_MAX_WAYS])
{
    static const uint8_t cuts[][3] = { { 32, 4, 4 }, { 32, 3, 4 }, { 16, 4, 8 }, { 32, 2, 4 }, { 16, 2, 8 }, { 32, 1, 4 }, { 16, 1, 8 }, { 8, 1, 4 } };
    const int all = sizeof cuts / sizeof *cuts;
    int count = 0;
    for (int i = 0; i < all; i++) {
        if (!fits(caps, cuts[i]) || (i < all - 1 && half_empty(n, cuts[i]))) continue;
        if (can_broadcast(caps, cuts[i])) {
            list[count] = (weft_way) { by_subgroup };
            memcpy(list[count++].cut, cuts[i], sizeof *cuts);
        }
        list[count] = (weft_way) { together };
        memcpy(list[count++].cut, cuts[i], sizeof *cuts);
        if (caps->is_software) break; // compiling costs a processor more than others could save
    }
    return count;
}

static int add_bands(const weft_node *n, const weft_caps *caps, int64_t bytes, weft_way *to)
{
    const weft_upfirdn_attrs *at = &((const weft_up_conv_attrs *) n->attrs)->filter;
    const bool noise = weft_has(n, LATER + WEFT_BIAS_NOISE);
    const int64_t fh = n->in_shape[F].dim[0], bands = weft_band_count(caps, caps->range && bytes > caps->range ? bytes : 0);
    const int64_t rows = weft_band_rows(n, bands, noise), most = bytes / between(n, 0) * (rows - 1 + fh);
    if (!rows || (caps->range && most > caps->range) || at->pads[0] >= fh || at->pads[2] >= fh) return 0; // every tap's row meets one
    *to = (weft_way) { in_bands, { [BANDS] = (uint8_t) bands } };
    return 1;
}

// As in down_conv2d: bands are for processors, and for GPUs where they must be.
static int up_conv_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_caps *caps = weft_emit_caps(e);
    const weft_band whole = { 0, n->out_shape[0].dim[2], { { 0 } }, 0 };
    weft_way ours[WEFT_MAX_WAYS], bands[1];
    weft_apart conv;
    convolution(&conv, n, met(n, &whole));
    const int64_t bytes = weft_shape_count(conv.out_shape) * (weft_emit_half(e) ? 2 : 4);
    const bool far = caps->range && bytes > caps->range;
    const int count = weft_up_conv_serves(n->attrs, n->in_shape[W], n->in_shape[F]) ? add_together(n, caps, ours) : 0;
    const int cut = caps->is_software || far ? add_bands(n, caps, bytes, bands) : 0;
    return weft_apart_ways(e, &conv.node, far, &(weft_apart_choice) { ours, count, count && wins(n, e, (double) bytes), cut ? bands : NULL }, list);
}

static weft_result emit_together(const weft_node *n, weft_emit *e, const weft_way *way)
{
    const uint8_t *cut = way->cut;
    const uint32_t lanes = way->kernel == by_subgroup ? weft_lanes(weft_emit_caps(e)) : 0;
    const weft_up_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[X].dim, *y = n->out_shape[0].dim, *f = n->in_shape[F].dim;
    const bool wide = y[1] % 4 == 0, noise = weft_has(n, LATER + WEFT_BIAS_NOISE), each = noise && n->in_shape[LATER + WEFT_BIAS_NOISE].dim[0] > 1;
    const bool software = weft_emit_caps(e)->is_software;
    struct up_conv_params p = {
        .n = (u32) x[0], .ci = (u32) x[1], .co = (u32) y[1], .c = (u32) (y[1] / (wide ? 4 : 1)), .hi = (i32) x[2], .wi = (i32) x[3], .ho = (u32) y[2],
        .wo = (u32) y[3], .gain = at->filter.gain, .a = at->filter.a, .b = at->filter.b, .act_gain = weft_upfirdn_ending(&at->filter).gain,
        .clamp = at->filter.clamp, .blocks = (u32) ceil_div((uint32_t) y[1], cut[QUADS] * 4u), .strips = (u32) ceil_div((uint32_t) y[3], (uint32_t) across(n, cut)),
    };
    for (int d = 0; d < 2; d++) p.from[d] = (i32) from(n, d), p.begin[d] = at->crop[d], p.end[d] = (i32) (at->crop[d] + between(n, d));
    // Each segment begins with rows that the one above has made, too: they are as few as keep a device busy.
    const int64_t lost = f[0] - 1 + odd(n, 0), step = 2 * cut[TALL];
    int64_t steps = ceil_div(y[2] + lost, step);
    while (steps > 8 && (double) p.n * p.blocks * p.strips * (double) ceil_div((uint32_t) y[2], (uint32_t) (steps * step - lost)) < (software ? 8 : BUSY))
        steps = (steps + 1) / 2;
    p.tall = (u32) (steps * step - lost) & ~1u;
    if (!p.tall) p.tall = 2;
    p.segments = ceil_div((uint32_t) y[2], p.tall);
    const weft_dispatch d = {
        .kernel = way->kernel, .subgroup = lanes, .params = &p, .params_bytes = sizeof p, .flops = up_conv_flops(n),
        .spec = { (uint32_t) at->filter.act, at->filter.flip != 0, weft_has(n, LATER + WEFT_BIAS_B), !noise ? 0 : each ? 2 : 1,
                  weft_has(n, LATER + WEFT_BIAS_STRENGTH), weft_has(n, LATER + WEFT_BIAS_D), wide, cut[CELLS], cut[TALL], cut[QUADS], (uint32_t) f[0],
                  (uint32_t) f[1], (uint32_t) odd(n, 0), (uint32_t) odd(n, 1), x[1] % 4 == 0, weft_has(n, S), weft_emit_packed(e, W), lanes },
        .spec_count = lanes ? 18 : 17, .group = { (uint32_t) cut[CELLS] * cut[QUADS] },
        .grid = { p.n * p.segments * p.strips * p.blocks * cut[CELLS] * cut[QUADS] },
    };
    return weft_emit_dispatch(e, &d);
}

static weft_result up_conv_emit(const weft_node *n, weft_emit *e)
{
    const weft_way *way = weft_emit_way(e);
    WEFT_TRY(weft_loop_check(n));
    if (way->kernel == together || way->kernel == by_subgroup) return emit_together(n, e, way);
    if (way->kernel == in_bands) return emit_apart(n, e, weft_band_rows(n, way->cut[BANDS], weft_has(n, LATER + WEFT_BIAS_NOISE)), NULL);
    return emit_apart(n, e, n->out_shape[0].dim[2], way);
}

#define OF(field, ...) { .name = #field, .offset = offsetof(weft_up_conv_attrs, filter.field), __VA_ARGS__ }
#define AT(...) &(const weft_up_conv_attrs) { .stride = { 2, 2 }, .filter = { .up = { 1, 1 }, .down = { 1, 1 }, .gain = 1, .pads = { 1, 1, 1, 1 } }, __VA_ARGS__ }

const weft_op weft_op_up_conv2d = {
    .name = "up_conv2d",
    .doc = "`upfirdn2d` of `conv_transpose2d` of s x, without dilation, groups, or up and down of the filter: a layer of StyleGAN2 that goes up.",
    .out_names = "y", .in_names = "x w f b? noise? strength? d? s?", .flags = WEFT_OP_IMAGE | WEFT_OP_INTERNAL, .kernel_t_inputs = 1 << W,
    .half_inputs = 1 << W, .attr_bytes = sizeof(weft_up_conv_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_up_conv_attrs, stride, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "of the convolution, y and x"),
        WEFT_ATTR(weft_up_conv_attrs, crop, INT, .count = 4, .min = 0, .max = 1024, .doc = "its pads: top, left, bottom, right"),
        OF(pads, .type = WEFT_ATTR_INT, .count = 4, .min = -16777216, .max = 16777216, .doc = "around what is filtered: top, left, bottom, right"),
        OF(gain, .type = WEFT_ATTR_FLOAT, .def = 1, .doc = "factor"),
        OF(flip, .type = WEFT_ATTR_INT, .max = 1, .doc = "0: the filter is convolved, 1: correlated"),
        OF(act, .type = WEFT_ATTR_ENUM, .choices = weft_activation_names, .doc = "activation after the filter"),
        OF(a, .type = WEFT_ATTR_FLOAT, .doc = "first parameter of the activation"),
        OF(b, .type = WEFT_ATTR_FLOAT, .doc = "second parameter of the activation"),
        OF(act_gain, .type = WEFT_ATTR_FLOAT, .doc = "times the activation; 0: 1"),
        OF(clamp, .type = WEFT_ATTR_FLOAT, .min = 0, .max = 3e38, .doc = "largest absolute value of that; 0: any"),
        { 0 }
    },
    .infer = up_conv_infer, .items = up_conv_items, .cpu = up_conv_cpu, .ways = up_conv_ways, .emit = up_conv_emit, .flops = up_conv_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 8, 5, 7), WEFT_SHAPE(8, 8, 3, 3), WEFT_SHAPE(4, 4), WEFT_SHAPE(8), WEFT_SHAPE(1, 1, 10, 14), { 0, { 1 } }, WEFT_SHAPE(1, 8), WEFT_SHAPE(1, 8) },
          .in_count = 8, .attrs = AT(.filter = { { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 4, 0, 2, 0.2f, 0, 1.41421356f, 1.5f }) },
        { .in = { WEFT_SHAPE(2, 3, 6, 5), WEFT_SHAPE(3, 5, 3, 3), WEFT_SHAPE(4, 4) }, .attrs = AT(.crop = { 0 }) },
        { .in = { WEFT_SHAPE(2, 12, 9, 35), WEFT_SHAPE(12, 20, 3, 3), WEFT_SHAPE(4, 4), { 0 }, WEFT_SHAPE(2, 1, 18, 70), { 0 }, WEFT_SHAPE(2, 20), WEFT_SHAPE(2, 12) },
          .in_count = 8, .absent = 1 << 3 | 1 << 5, .attrs = AT(.crop = { 0 }) },
        { .in = { WEFT_SHAPE(1, 6, 4, 4), WEFT_SHAPE(6, 7, 3, 3), WEFT_SHAPE(3, 3), WEFT_SHAPE(7) }, // what a filter of three leaves of the pads is cropped
          .attrs = AT(.crop = { 1, 0, 1, 1 }, .filter = { { 1, 1 }, { 1, 1 }, { 2, 0, -1, 1 }, 1, 1, 1 }) },
        { .in = { WEFT_SHAPE(1, 4, 5, 6), WEFT_SHAPE(4, 36, 3, 3), WEFT_SHAPE(1, 2) }, .attrs = AT(.crop = { 0, 1, 2, 0 }) },
        { .in = { WEFT_SHAPE(1, 8, 13, 16), WEFT_SHAPE(8, 8, 3, 3), WEFT_SHAPE(4, 4), WEFT_SHAPE(8), WEFT_SHAPE(1, 1, 26, 32), { 0, { 1 } }, WEFT_SHAPE(1, 8), WEFT_SHAPE(1, 8) },
          .in_count = 8, .attrs = AT(.crop = { 0 }) }, // in bands
        { .in = { WEFT_SHAPE(1, 4, 40, 6), WEFT_SHAPE(4, 8, 3, 3), WEFT_SHAPE(4, 1) }, .attrs = AT(.crop = { 0 }) },
        { .in = { WEFT_SHAPE(1, 4, 5, 4), WEFT_SHAPE(4, 4, 3, 3), WEFT_SHAPE(6, 5), WEFT_SHAPE(4) }, .attrs = AT(.crop = { 0 }) }, // apart
        { .in = { WEFT_SHAPE(1, 5, 3, 4), WEFT_SHAPE(5, 4, 4, 2), WEFT_SHAPE(4, 4) }, .attrs = AT(.stride = { 1, 3 }) },
        { 0 }
    },
};
