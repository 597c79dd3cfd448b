// SPDX-License-Identifier: MIT
// A filter, then a convolution. x: [n, ci, hi, wi], w: [co, ci, ky, kx], f: [fh, fw], y: [n, co, ho, wo]; what follows as in conv2d.
#include "ops/down_conv2d.h"
#include "ops/apart.h"
#include "ops/conv_emit.h"
#include "ops/divide.h"
#include "ops/loop.h"
#include "params/down_conv.h"
#include <string.h>

enum { X = WEFT_CONV_X, W = WEFT_CONV_W, B = WEFT_CONV_B, R = WEFT_CONV_R, D = WEFT_CONV_D, NOISE = WEFT_CONV_NOISE,
       STRENGTH = WEFT_CONV_STRENGTH, S = WEFT_CONV_S, F = WEFT_DOWN_CONV_F };

static int64_t between(const weft_node *n, int d) // pixels on axis d between filter and convolution
{
    const weft_down_conv_attrs *at = n->attrs;
    return n->in_shape[X].dim[2 + d] + at->filter.pads[d] + at->filter.pads[2 + d] - n->in_shape[F].dim[d] + 1;
}

static weft_result down_conv_infer(weft_node *n)
{
    const weft_down_conv_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[X], w = n->in_shape[W], f = n->in_shape[F];
    if (x.rank != 4 || w.rank != 4 || (weft_has(n, F) && f.rank != 2)) return weft_node_fail(n, "x and w must have 4 dimensions, f 2");
    if (!weft_has(n, F)) return weft_node_fail(n, "f is missing");
    if (x.dim[1] != w.dim[1]) return weft_node_fail(n, "x has %lld channels, w wants %lld", (long long) x.dim[1], (long long) w.dim[1]);
    weft_shape y = WEFT_SHAPE(x.dim[0], w.dim[0], 1, 1);
    for (int d = 0; d < 2; d++) {
        const int64_t size = between(n, d), padded = size + at->conv.pads[d] + at->conv.pads[2 + d];
        if (size < 1 || padded < w.dim[2 + d]) return weft_node_fail(n, "pads leave nothing of the output");
        y.dim[2 + d] = (padded - w.dim[2 + d]) / at->conv.stride[d] + 1;
    }
    return weft_conv_epilogue_infer(n, y);
}

// What the convolution meets at (h, w) of a channel: x filtered there, without s.
static double pixel(const weft_node *n, const weft_real *x, const weft_real *f, int64_t h, int64_t w)
{
    const weft_upfirdn_attrs *at = &((const weft_down_conv_attrs *) n->attrs)->filter;
    const int64_t *xs = n->in_shape[X].dim, *fs = n->in_shape[F].dim;
    double sum = 0;
    if (h < 0 || w < 0 || h >= between(n, 0) || w >= between(n, 1)) return 0;
    for (int64_t a = 0; a < fs[0]; a++) {
        const int64_t i = h + a - at->pads[0];
        for (int64_t b = 0; i >= 0 && i < xs[2] && b < fs[1]; b++) {
            const int64_t k = w + b - at->pads[1];
            if (k < 0 || k >= xs[3]) continue;
            sum += (double) x[i * xs[3] + k] * (at->flip ? f[a * fs[1] + b] : f[(fs[0] - 1 - a) * fs[1] + fs[1] - 1 - b]);
        }
    }
    return sum * at->gain;
}

static double down_conv_sum(const weft_node *node, const weft_cpu_args *arg, int64_t n, int64_t co, int64_t ho, int64_t wo)
{
    const weft_conv_attrs *at = node->attrs;
    const int64_t *xs = node->in_shape[X].dim, *ws = node->in_shape[W].dim;
    const weft_real *w = (const weft_real *) arg->in[W] + co * ws[1] * ws[2] * ws[3], *x = (const weft_real *) arg->in[X] + n * xs[1] * xs[2] * xs[3];
    const weft_real *s = weft_has(node, S) ? (const weft_real *) arg->in[S] + n * xs[1] : NULL;
    double sum = 0;
    for (int64_t ci = 0; ci < ws[1]; ci++)
        for (int64_t ky = 0; ky < ws[2]; ky++)
            for (int64_t kx = 0; kx < ws[3]; kx++)
                sum += pixel(node, x + ci * xs[2] * xs[3], arg->in[F], ho * at->stride[0] + ky - at->pads[0], wo * at->stride[1] + kx - at->pads[1]) *
                       (s ? s[ci] : 1) * w[(ci * ws[2] + ky) * ws[3] + kx];
    return sum;
}

static void down_conv_cpu(const weft_node *n, const weft_cpu_args *arg) { weft_conv_truth(n, arg, down_conv_sum); }

static double conv_flops(const weft_node *n)
{
    const int64_t *w = n->in_shape[W].dim;
    return weft_conv_flops(n, w[1] * w[2] * w[3]);
}

static double filter_flops(const weft_node *n)
{
    const int64_t *x = n->in_shape[X].dim, *f = n->in_shape[F].dim;
    return 2.0 * (double) (x[0] * x[1] * between(n, 0) * between(n, 1)) * (double) (f[0] * f[1]);
}

static double down_conv_flops(const weft_node *n) { return conv_flops(n) + filter_flops(n); }

// --- Apart: the two operators' own kernels, with the image between them in scratch memory. ---

static const char in_bands[] = "down_conv_bands"; // cut: how many; the kernels are the first of either operator
enum { BANDS };

// Rows of y of a band meet rows begin .. end of the filtered image.
typedef struct span { int64_t begin, end; } span;

static span met(const weft_node *n, const weft_band *b)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t first = b->begin * at->stride[0] - at->pads[0], end = first + (b->rows - 1) * at->stride[0] + n->in_shape[W].dim[2], all = between(n, 0);
    const span s = { first > 0 ? first : 0, end < all ? end : all };
    return s.begin < s.end ? s : (span) { 0, 1 }; // nothing but padding
}

static void filter(weft_apart *p, const weft_node *n, span rows)
{
    const int64_t hi = n->in_shape[X].dim[2], fh = n->in_shape[F].dim[0];
    weft_apart_start(p, n, "upfirdn2d", WEFT_UPFIRDN_INPUTS);
    p->filter = ((const weft_down_conv_attrs *) n->attrs)->filter;
    p->filter.pads[0] -= (int32_t) rows.begin;
    p->filter.pads[2] = (int32_t) (rows.end - rows.begin + fh - 1 - hi - p->filter.pads[0]);
    p->node.attrs = &p->filter;
    weft_apart_give(p, WEFT_UPFIRDN_X, n, X), weft_apart_give(p, WEFT_UPFIRDN_F, n, F);
    p->out_shape = n->in_shape[X], p->out_layout = n->in_layout[X];
    p->out_shape.dim[2] = rows.end - rows.begin, p->out_shape.dim[3] = between(n, 1);
}

static void convolution(weft_apart *p, const weft_node *n, const weft_apart *fir, const weft_band *b, span rows)
{
    weft_apart_start(p, n, "conv2d", WEFT_CONV_INPUTS);
    p->conv = *(const weft_conv_attrs *) n->attrs;
    const int64_t first = b->begin * p->conv.stride[0] - p->conv.pads[0], end = first + (b->rows - 1) * p->conv.stride[0] + n->in_shape[W].dim[2];
    p->conv.pads[0] = (int32_t) (rows.begin - first), p->conv.pads[2] = (int32_t) (end - rows.end);
    p->node.attrs = &p->conv;
    for (int i = 0; i < WEFT_CONV_INPUTS; i++) weft_apart_give(p, i, n, i);
    p->in_shape[X] = fir->out_shape;
    p->out_shape.dim[2] = b->rows;
    for (int i = R; i <= NOISE; i++)
        if (i != D && weft_has(n, i)) p->in_shape[i].dim[2] = b->rows;
}

static void add_rows(weft_band *b, const weft_node *n)
{
    weft_band_add(b, n->out[0], n->out_shape[0]);
    if (weft_has(n, R)) weft_band_add(b, n->in[R], n->in_shape[R]);
    if (weft_has(n, NOISE)) weft_band_add(b, n->in[NOISE], n->in_shape[NOISE]);
}

// way NULL: the convolution's first.
static weft_result emit_band(const weft_node *n, weft_emit *e, weft_band *b, int room, const weft_way *way)
{
    weft_way ways[WEFT_MAX_WAYS];
    weft_apart fir, conv;
    const span rows = met(n, b);
    filter(&fir, n, rows);
    fir.out = weft_emit_scratch_value(e, room);
    fir.node.op->ways(&fir.node, e, ways);
    WEFT_TRY(weft_emit_part(e, &fir.node, &ways[0]));
    convolution(&conv, n, &fir, b, rows);
    conv.in[X] = fir.out;
    if (!way) weft_conv_ways(&conv.node, e, ways);
    if (b->rows < n->out_shape[0].dim[2]) add_rows(b, n);
    return weft_emit_stretches(e, &conv.node, way ? way : &ways[0], b->list, b->count);
}

static weft_result emit_apart(const weft_node *n, weft_emit *e, int64_t rows, const weft_way *way) // rows of y at a time
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t ho = n->out_shape[0].dim[2], all = between(n, 0), most = (rows - 1) * at->stride[0] + n->in_shape[W].dim[2];
    const int room = weft_emit_scratch(e, n->in_shape[X].dim[0] * n->in_shape[X].dim[1] * between(n, 1) * (most < all ? most : all), WEFT_F32);
    if (room < 0) return WEFT_ERR_MEMORY;
    for (int64_t h = 0; h < ho; h += rows) {
        weft_band b = { .begin = h, .rows = rows < ho - h ? rows : ho - h };
        WEFT_TRY(emit_band(n, e, &b, room, way));
    }
    return WEFT_OK;
}

// --- Together: shaders/down_conv.comp. Cut: its TALL, WIDE, QUADS and PIXELS. ---

static const char together[] = "down_conv";
enum { TALL, WIDE, QUADS, PIXELS, TAPS = 9, MOST_FILTER = 4, BUSY = 256 }; // BUSY: workgroups for a large device

bool weft_down_conv_serves(const weft_down_conv_attrs *at, weft_shape w, weft_shape f)
{
    for (int d = 0; d < 2; d++)
        if (at->conv.stride[d] != 2 || at->conv.dilation[d] != 1 || w.dim[2 + d] != 3 || f.dim[d] > MOST_FILTER) return false;
    return at->conv.groups == 1 && !at->conv.gate && !at->conv.pad_mode;
}

static uint32_t threads(const uint8_t *cut) { return (uint32_t) cut[TALL] * cut[WIDE] / cut[PIXELS] * cut[QUADS]; }

static uint32_t groups(const weft_node *n, const uint8_t *cut)
{
    const int64_t *y = n->out_shape[0].dim;
    return (uint32_t) (y[0] * ceil_div(y[1], cut[QUADS] * 4) * ceil_div(y[2], cut[TALL]) * ceil_div(y[3], cut[WIDE]));
}

static bool fits(const weft_node *n, const weft_caps *caps, const uint8_t *cut)
{
    const int64_t *f = n->in_shape[F].dim, room = (2 * cut[TALL] + f[0]) * (2 * cut[WIDE] + f[1]) + TAPS * 4 * cut[QUADS];
    if (threads(cut) > caps->max_group || room * 16 + f[0] * f[1] * 4 > caps->shared_bytes) return false;
    return !(caps->few_registers && cut[PIXELS] > 4);
}

static bool half_empty(const weft_node *n, const uint8_t *cut)
{
    const int64_t *y = n->out_shape[0].dim;
    return cut[QUADS] / 2 * 4 >= y[1] || cut[TALL] / 2 >= y[2] || cut[WIDE] / 2 >= y[3];
}

// Whether the image between the two costs more than doing without: it is written and read, and the kernel that does not filters anew for every
// block of channels, out of shared memory, and convolves in a shape that leaves a little less to reuse than a convolution's tiles. A guess, of 25
// products in the time of a byte, a sixth more of the convolution's, and twice those of the filter; no GPU has run it. Matrix units are
// faster than that kernel in any case, small images keep few of its workgroups busy, and few registers leave it little to reuse.
static bool wins(const weft_node *n, const weft_emit *e, const uint8_t *cut, double bytes)
{
    const weft_caps *caps = weft_emit_caps(e);
    if (caps->is_software || caps->few_registers || (caps->matrix[0] && weft_emit_half(e)) || groups(n, cut) < BUSY) return false;
    return 2 * bytes * 25 > conv_flops(n) / 6 + 2 * filter_flops(n) * (double) ceil_div(n->out_shape[0].dim[1], cut[QUADS] * 4);
}

static int add_together(const weft_node *n, const weft_caps *caps, weft_way list[WEFT_MAX_WAYS])
{
    static const uint8_t cuts[][4] = { { 8, 8, 16, 8 }, { 8, 8, 8, 8 }, { 4, 8, 16, 4 }, { 8, 8, 8, 4 }, { 4, 8, 8, 4 }, { 4, 4, 16, 2 }, { 4, 4, 8, 2 }, { 4, 4, 4, 1 } };
    const int all = sizeof cuts / sizeof *cuts;
    int count = 0;
    for (int i = 0; i < all; i++) {
        if (!fits(n, caps, cuts[i]) || (i < all - 1 && half_empty(n, cuts[i]))) continue;
        list[count] = (weft_way) { together };
        memcpy(list[count++].cut, cuts[i], sizeof *cuts);
        if (caps->is_software) break; // compiling costs a processor more than others could save
    }
    return count;
}

static int add_bands(const weft_node *n, const weft_caps *caps, int64_t bytes, weft_way *to)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t k = n->in_shape[W].dim[2], bands = weft_band_count(caps, caps->range && bytes > caps->range ? bytes : 0);
    const int64_t rows = weft_band_rows(n, bands, weft_has(n, NOISE)), most = bytes / between(n, 0) * ((rows - 1) * at->stride[0] + k);
    if (!rows || (caps->range && most > caps->range) || at->pads[0] >= k || at->pads[2] >= k) return 0; // every window meets a row
    *to = (weft_way) { in_bands, { [BANDS] = (uint8_t) bands } };
    return 1;
}

// The image between the two in bands is for processors, on which other kernels are several times faster than the one that does both: the first
// way where all of it is more than a kernel can reach, else the last. On GPUs it is a way where it must be.
static int down_conv_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_caps *caps = weft_emit_caps(e);
    const weft_band whole = { 0, n->out_shape[0].dim[2], { { 0 } }, 0 };
    weft_way ours[WEFT_MAX_WAYS], bands[1];
    weft_apart fir, conv;
    filter(&fir, n, met(n, &whole));
    convolution(&conv, n, &fir, &whole, met(n, &whole));
    const int64_t bytes = weft_shape_count(fir.out_shape) * (weft_emit_half(e) ? 2 : 4);
    const bool far = caps->range && bytes > caps->range;
    const int count = weft_down_conv_serves(n->attrs, n->in_shape[W], n->in_shape[F]) ? add_together(n, caps, ours) : 0;
    const int cut = caps->is_software || far ? add_bands(n, caps, bytes, bands) : 0;
    return weft_apart_ways(e, &conv.node, far, &(weft_apart_choice) { ours, count, count && wins(n, e, ours[0].cut, (double) bytes), cut ? bands : NULL }, list);
}

static weft_result emit_together(const weft_node *n, weft_emit *e, const uint8_t *cut)
{
    const weft_down_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[X].dim, *y = n->out_shape[0].dim, *f = n->in_shape[F].dim;
    struct down_conv_params p = {
        .n = (u32) x[0], .ci = (u32) x[1], .co = (u32) y[1], .hi = (i32) x[2], .wi = (i32) x[3], .ho = (i32) y[2], .wo = (i32) y[3],
        .gain = at->filter.gain, .a = at->conv.a, .b = at->conv.b, .blocks = (u32) ceil_div(y[1], cut[QUADS] * 4),
        .across = (u32) ceil_div(y[3], cut[WIDE]), .down = (u32) ceil_div(y[2], cut[TALL]),
    };
    for (int d = 0; d < 2; d++) p.between[d] = (i32) between(n, d), p.crop[d] = at->conv.pads[d], p.pads[d] = at->filter.pads[d];
    const uint32_t own[] = { cut[TALL], cut[WIDE], cut[QUADS], cut[PIXELS], (uint32_t) f[0], (uint32_t) f[1], at->filter.flip != 0, x[1] % 4 == 0, y[1] % 4 == 0 };
    weft_dispatch d = { .kernel = together, .params = &p, .params_bytes = sizeof p, .flops = down_conv_flops(n), .group = { threads(cut) },
                        .grid = { groups(n, cut) * threads(cut) }, .spec_count = WEFT_CONV_SPEC + 9 };
    weft_conv_spec(n, e, d.spec);
    memcpy(d.spec + WEFT_CONV_SPEC, own, sizeof own);
    return weft_emit_dispatch(e, &d);
}

static weft_result down_conv_emit(const weft_node *n, weft_emit *e)
{
    const weft_way *way = weft_emit_way(e);
    WEFT_TRY(weft_loop_check(n));
    if (way->kernel == together) return emit_together(n, e, way->cut);
    if (way->kernel == in_bands) return emit_apart(n, e, weft_band_rows(n, way->cut[BANDS], weft_has(n, NOISE)), NULL);
    return emit_apart(n, e, n->out_shape[0].dim[2], way);
}

#define OF(field, ...) { .name = "filter_" #field, .offset = offsetof(weft_down_conv_attrs, filter.field), __VA_ARGS__ }
#define AT(conv_, filter_) &(const weft_down_conv_attrs) { conv_, filter_ }
enum { NONE = (1 << F) - (1 << B) }; // of the inputs that may be left out
#define CONV(...) { .stride = { 2, 2 }, .dilation = { 1, 1 }, .groups = 1, __VA_ARGS__ }
#define FIR(...) { .up = { 1, 1 }, .down = { 1, 1 }, .gain = 1, __VA_ARGS__ }

const weft_op weft_op_down_conv2d = {
    .name = "down_conv2d",
    .doc = "`conv2d` of `upfirdn2d` of x, without dilation, groups or a gate, and without up and down of the filter: a layer of StyleGAN2's\n"
           "discriminator that goes down, and what the input of one that goes up receives.",
    .out_names = "y", .in_names = WEFT_CONV_IN_NAMES " f?", .flags = WEFT_OP_IMAGE | WEFT_OP_INTERNAL, .kernel_inputs = 1 << W,
    .half_inputs = 1 << W, .attr_bytes = sizeof(weft_down_conv_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_CONV_ATTRS,
        WEFT_CONV_EPILOGUE_ATTRS,
        OF(pads, .type = WEFT_ATTR_INT, .count = 4, .min = -16777216, .max = 16777216, .doc = "around x: top, left, bottom, right"),
        OF(gain, .type = WEFT_ATTR_FLOAT, .def = 1, .doc = "factor"),
        OF(flip, .type = WEFT_ATTR_INT, .max = 1, .doc = "0: the filter is convolved, 1: correlated"),
        { 0 }
    },
    .infer = down_conv_infer, .items = weft_conv_items, .cpu = down_conv_cpu, .ways = down_conv_ways, .emit = down_conv_emit, .flops = down_conv_flops,
    .cases = (const weft_case[]) {
        // what a layer that goes up gives back
        { .in = { WEFT_SHAPE(1, 8, 10, 14), WEFT_SHAPE(8, 8, 3, 3), [S] = WEFT_SHAPE(1, 8), WEFT_SHAPE(4, 4) }, .in_count = 9, .absent = NONE & ~(1 << S),
          .attrs = AT(CONV(.act = 0), FIR(.pads = { 2, 2, 2, 2 }, .gain = 4, .flip = 1)) },
        { .in = { WEFT_SHAPE(2, 12, 37, 19), WEFT_SHAPE(20, 12, 3, 3), [F] = WEFT_SHAPE(4, 4) }, .in_count = 9, .absent = NONE,
          .attrs = AT(CONV(.act = 0), FIR(.pads = { 2, 2, 2, 2 })) },
        { .in = { WEFT_SHAPE(1, 8, 27, 32), WEFT_SHAPE(8, 8, 3, 3), WEFT_SHAPE(8), WEFT_SHAPE(1, 8, 14, 16), { 0 }, WEFT_SHAPE(1, 1, 14, 16), [F] = WEFT_SHAPE(4, 4) },
          .in_count = 9, .absent = 1 << D | 1 << STRENGTH | 1 << S, .attrs = AT(CONV(.pads = { 1, 0, 1, 0 }), FIR(.pads = { 2, 2, 2, 2 })) }, // in bands
        // a layer of a discriminator, nothing in fours; and all that can end a convolution
        { .in = { WEFT_SHAPE(2, 3, 13, 11), WEFT_SHAPE(5, 3, 3, 3), WEFT_SHAPE(5), [F] = WEFT_SHAPE(4, 4) }, .in_count = 9, .absent = NONE & ~(1 << B),
          .attrs = AT(CONV(.act = 2, .a = 0.2f, .gain = 1.41421356f, .clamp = 0.5f), FIR(.pads = { 2, 2, 2, 2 })) },
        { .in = { WEFT_SHAPE(2, 6, 23, 17), WEFT_SHAPE(36, 6, 3, 3), WEFT_SHAPE(36), WEFT_SHAPE(2, 36, 12, 9), WEFT_SHAPE(2, 36), WEFT_SHAPE(2, 1, 12, 9), { 0, { 1 } },
                  WEFT_SHAPE(2, 6), WEFT_SHAPE(4, 4) },
          .in_count = 9, .attrs = AT(CONV(.pads = { 1, 1, 1, 1 }, .act = 1), FIR(.pads = { 2, 1, 1, 2 })) },
        { .in = { WEFT_SHAPE(1, 4, 9, 12), WEFT_SHAPE(7, 4, 3, 3), [R] = WEFT_SHAPE(1, 7, 5, 5), [F] = WEFT_SHAPE(3, 2) }, .in_count = 9, .absent = NONE & ~(1 << R),
          .attrs = AT(CONV(.pads = { 1, 0, 2, 1 }, .residual = WEFT_RESIDUAL_BEFORE, .act = 4), FIR(.pads = { -1, 1, 2, -1 }, .gain = 0.5f)) },
        { .in = { WEFT_SHAPE(1, 5, 4, 3), WEFT_SHAPE(68, 5, 3, 3), [F] = WEFT_SHAPE(1, 4) }, .in_count = 9, .absent = NONE,
          .attrs = AT(CONV(.act = 0), FIR(.pads = { 1, 3, 0, 2 }, .flip = 1)) },
        // apart
        { .in = { WEFT_SHAPE(1, 4, 11, 10), WEFT_SHAPE(4, 4, 3, 3), WEFT_SHAPE(4), [F] = WEFT_SHAPE(6, 5) }, .in_count = 9, .absent = NONE & ~(1 << B),
          .attrs = AT(CONV(.act = 0), FIR(.pads = { 2, 2, 2, 2 })) },
        { .in = { WEFT_SHAPE(1, 5, 8, 9), WEFT_SHAPE(4, 5, 4, 2), [F] = WEFT_SHAPE(4, 4) }, .in_count = 9, .absent = NONE,
          .attrs = AT(CONV(.stride = { 1, 3 }), FIR(.pads = { 2, 1, 2, 1 })) },
        { 0 }
    },
};
