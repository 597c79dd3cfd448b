// SPDX-License-Identifier: MIT
// Modulated and demodulated convolution. x: [n, ci, hi, wi], w: [co, ci, ky, kx], s: [n, ci], f: [fh, fw], y: [n, co, ho, wo].
#include "graph/graph.h"
#include "ops/conv.h"
#include "ops/grad.h"
#include "ops/upfirdn2d.h"

typedef struct modulated_attrs {
    int32_t demodulate, up, down, pad, flip_weight;
    float gain, eps;
} modulated_attrs;

enum { X, W, S, F };
enum { WINDOW = 48, CHUNK = 64 }; // of the truth: the most that weights and filter reach together, pixels at a time

static int64_t filter_size(const weft_node *n, int d) { return weft_has(n, F) ? n->in_shape[F].dim[d] : 1; }

static int64_t half_down(int64_t i) { return (i - (i < 0)) / 2; } // toward minus infinity

// Zeros around the enlarged image on axis d: `pad` and what the filter needs to stay centred.
static void pads_of(const weft_node *n, int d, int64_t *before, int64_t *after)
{
    const modulated_attrs *at = n->attrs;
    const int64_t f = filter_size(n, d);
    *before = *after = at->pad;
    if (at->up == 2) *before += half_down(f + 1), *after += half_down(f - 2);
    if (at->down == 2) *before += half_down(f - 1), *after += half_down(f - 2);
}

static weft_result modulated_infer(weft_node *n)
{
    const modulated_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[X], w = n->in_shape[W], s = n->in_shape[S];
    char text[WEFT_SHAPE_TEXT];
    if (x.rank != 4 || w.rank != 4) return weft_node_fail(n, "x and w must have 4 dimensions");
    if (x.dim[1] != w.dim[1]) return weft_node_fail(n, "x has %lld channels, w wants %lld", (long long) x.dim[1], (long long) w.dim[1]);
    if (s.rank != 2 || s.dim[0] != x.dim[0] || s.dim[1] != x.dim[1])
        return weft_node_fail(n, "s is %s, wants [%lld, %lld]", weft_shape_text(s, text), (long long) x.dim[0], (long long) x.dim[1]);
    if (weft_has(n, F) && n->in_shape[F].rank != 2) return weft_node_fail(n, "f has %d dimensions, not 2", n->in_shape[F].rank);
    if (weft_has(n, F) && at->up == 1 && at->down == 1) return weft_node_fail(n, "a filter without up or down would do nothing: leave f out");
    if (at->up == 2 && at->down == 2) return weft_node_fail(n, "goes up or down, not both");
    n->out_shape[0] = (weft_shape) WEFT_SHAPE(x.dim[0], w.dim[0], 1, 1);
    for (int d = 0; d < 2; d++) {
        int64_t before, after;
        const int64_t window = w.dim[2 + d] + filter_size(n, d) - 1;
        pads_of(n, d, &before, &after);
        const int64_t padded = x.dim[2 + d] * at->up + before + after;
        if (window > WINDOW) return weft_node_fail(n, "weights and filter reach over %lld pixels, more than %d", (long long) window, WINDOW);
        if (padded < window) return weft_node_fail(n, "an image of %lld is too small for this window", (long long) x.dim[2 + d]);
        n->out_shape[0].dim[2 + d] = (padded - window) / at->down + 1;
    }
    return WEFT_OK;
}

// What the weights of one pair of channels and the filter are together: their convolution, `flip_weight` and the filter's own
// turning taken care of, so that the image is correlated with it.
static void join(const weft_node *n, const weft_real *w, const weft_real *f, double out[WINDOW][WINDOW])
{
    const modulated_attrs *at = n->attrs;
    const int64_t *ws = n->in_shape[W].dim, fh = filter_size(n, 0), fw = filter_size(n, 1);
    for (int64_t y = 0; y < ws[2] + fh - 1; y++)
        for (int64_t x = 0; x < ws[3] + fw - 1; x++) out[y][x] = 0;
    for (int64_t ky = 0; ky < ws[2]; ky++)
        for (int64_t kx = 0; kx < ws[3]; kx++) {
            const double tap = at->flip_weight ? w[ky * ws[3] + kx] : w[(ws[2] - 1 - ky) * ws[3] + ws[3] - 1 - kx];
            for (int64_t a = 0; a < fh; a++)
                for (int64_t b = 0; b < fw; b++) out[ky + a][kx + b] += tap * (f ? f[(fh - 1 - a) * fw + fw - 1 - b] : 1);
        }
}

static double demodulation(const weft_node *n, const weft_real *w, const weft_real *s)
{
    const modulated_attrs *at = n->attrs;
    const int64_t *ws = n->in_shape[W].dim;
    double sum = at->eps;
    for (int64_t ci = 0; ci < ws[1]; ci++)
        for (int64_t k = 0; k < ws[2] * ws[3]; k++) {
            const double v = (double) w[ci * ws[2] * ws[3] + k] * s[ci] * at->gain;
            sum += v * v;
        }
    return 1 / sqrt(sum);
}

// Adds one input channel's part to `count` pixels of a row of the output.
static void add_channel(const weft_node *n, const weft_real *x, double taps[WINDOW][WINDOW], double style, int64_t ho, int64_t wo, int64_t count,
                        double *sum)
{
    const modulated_attrs *at = n->attrs;
    const int64_t *xs = n->in_shape[X].dim, *ws = n->in_shape[W].dim;
    int64_t top, left, after;
    pads_of(n, 0, &top, &after);
    pads_of(n, 1, &left, &after);
    for (int64_t a = 0; a < ws[2] + filter_size(n, 0) - 1; a++) {
        const int64_t h = ho * at->down + a - top;
        if (h < 0 || h % at->up || h / at->up >= xs[2]) continue;
        for (int64_t b = 0; b < ws[3] + filter_size(n, 1) - 1; b++)
            for (int64_t i = 0; i < count; i++) {
                const int64_t v = (wo + i) * at->down + b - left;
                if (v < 0 || v % at->up || v / at->up >= xs[3]) continue;
                sum[i] += taps[a][b] * style * x[h / at->up * xs[3] + v / at->up];
            }
    }
}

static int64_t modulated_items(const weft_node *n)
{
    const int64_t *y = n->out_shape[0].dim;
    return y[0] * y[1] * y[2];
}

static void modulated_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const modulated_attrs *at = n->attrs;
    const int64_t *xs = n->in_shape[X].dim, *ws = n->in_shape[W].dim, *ys = n->out_shape[0].dim, taps = ws[2] * ws[3];
    const weft_real *f = weft_has(n, F) ? arg->in[F] : NULL;
    double joined[WINDOW][WINDOW], sum[CHUNK];
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const int64_t ho = row % ys[2], co = row / ys[2] % ys[1], b = row / ys[2] / ys[1];
        const weft_real *x = (const weft_real *) arg->in[X] + b * xs[1] * xs[2] * xs[3];
        const weft_real *w = (const weft_real *) arg->in[W] + co * ws[1] * taps, *s = (const weft_real *) arg->in[S] + b * ws[1];
        const double scale = at->gain * at->up * at->up * (at->demodulate ? demodulation(n, w, s) : 1);
        for (int64_t wo = 0; wo < ys[3]; wo += CHUNK) {
            const int64_t count = ys[3] - wo < CHUNK ? ys[3] - wo : CHUNK;
            for (int64_t i = 0; i < count; i++) sum[i] = 0;
            for (int64_t ci = 0; ci < ws[1]; ci++) {
                join(n, w + ci * taps, f, joined);
                add_channel(n, x + ci * xs[2] * xs[3], joined, s[ci], ho, wo, count, sum);
            }
            for (int64_t i = 0; i < count; i++) ((weft_real *) arg->out[0])[row * ys[3] + wo + i] = (weft_real) (sum[i] * scale);
        }
    }
}

// The filter over an image: up or down, zeros around it (pads as in pads_of).
static weft_value filter(const weft_node *n, weft_graph *g, weft_value x, int up, int down, const int64_t pads[4])
{
    weft_upfirdn_attrs at = { .up = { up, up }, .down = { down, down }, .gain = 1 };
    const int by = ((const modulated_attrs *) n->attrs)->up;
    for (int d = 0; d < 4; d++) at.pads[d] = (int32_t) pads[d];
    at.gain = (float) (by * by);
    const weft_value one = weft_has(n, F) ? n->in[F] : weft_graph_numbers(g, (weft_shape) WEFT_SHAPE(1, 1), (const float[]) { 1 });
    return weft_graph_call(g, "upfirdn2d", WEFT_V(x, one), &at);
}

static weft_value turned(weft_graph *g, weft_value w)
{
    return weft_grad_call(g, "flip", WEFT_V(w), WEFT_WITH({ "axes", NULL, 2, { 2, 3 } }));
}

// A convolution whose weights are a constant: their other order folds.
static weft_value convolution(const weft_node *n, weft_graph *g, weft_value x)
{
    const modulated_attrs *at = n->attrs;
    const int64_t *ws = n->in_shape[W].dim;
    const bool one = ws[2] == 1 && ws[3] == 1;
    int64_t pads[4];
    for (int d = 0; d < 2; d++) pads_of(n, d, &pads[d], &pads[2 + d]);
    weft_conv_attrs conv = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    weft_value w = n->in[W];
    if (at->up == 2 && !one) { // the transposed convolution puts the zeros between the pixels, and (window - 1) around
        if (at->flip_weight) w = turned(g, w);
        w = weft_grad_permute(g, w, (const int[]) { 1, 0, 2, 3 });
        conv.stride[0] = conv.stride[1] = 2;
        for (int d = 0; d < 2; d++) { // pads that crop what it makes are its own, so that it need not be made
            pads[d] -= ws[2 + d] - 1, pads[2 + d] -= ws[2 + d] - 2;
            const int64_t crop = pads[d] < 0 && pads[2 + d] < 0 ? -(pads[d] > pads[2 + d] ? pads[d] : pads[2 + d]) : 0;
            conv.pads[d] = conv.pads[2 + d] = (int32_t) crop;
            pads[d] += crop, pads[2 + d] += crop;
        }
        return filter(n, g, weft_graph_call(g, "conv_transpose2d", WEFT_V(x, w), &conv), 1, 1, pads);
    }
    if (!at->flip_weight && !one) w = turned(g, w);
    if (at->up == 2) { // nothing is lost by filtering less: the filter goes over the output
        x = weft_graph_call(g, "conv2d", WEFT_V(x, w), &conv);
        return filter(n, g, x, 2, 1, pads);
    }
    if (at->down == 2) {
        x = filter(n, g, x, 1, one ? 2 : 1, pads);
        if (!one) conv.stride[0] = conv.stride[1] = 2;
    } else
        for (int d = 0; d < 4; d++) conv.pads[d] = (int32_t) pads[d];
    return weft_graph_call(g, "conv2d", WEFT_V(x, w), &conv);
}

// d[n, co] = rsqrt(sum over ci of s^2 (sum over k of w^2) + eps); the inner sum folds where w is a constant.
static weft_value demodulate(const weft_node *n, weft_graph *g, weft_value style)
{
    const modulated_attrs *at = n->attrs;
    const int64_t *ws = n->in_shape[W].dim;
    const weft_value norm = weft_grad_reduce(g, "sum", weft_grad_unary(g, "square", n->in[W]), 1u << 2 | 1u << 3);
    const weft_value by = weft_grad_reshape(g, norm, (weft_shape) WEFT_SHAPE(ws[0], ws[1]));
    const weft_value sum = weft_graph_call(g, "linear", WEFT_V(weft_grad_unary(g, "square", style), by), NULL);
    return weft_grad_unary(g, "rsqrt", weft_grad_shift(g, sum, at->eps));
}

static weft_value per_plane(weft_graph *g, weft_value v, int64_t n, int64_t c)
{
    return weft_grad_reshape(g, v, (weft_shape) WEFT_SHAPE(n, c, 1, 1));
}

static weft_result modulated_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const modulated_attrs *at = n->attrs;
    const int64_t images = n->in_shape[X].dim[0], ci = n->in_shape[W].dim[1], co = n->in_shape[W].dim[0];
    const weft_value style = at->gain == 1 ? n->in[S] : weft_grad_scale(g, n->in[S], at->gain);
    const weft_value x = weft_grad_mul(g, n->in[X], per_plane(g, style, images, ci));
    out[0] = convolution(n, g, x);
    if (at->demodulate) out[0] = weft_grad_mul(g, out[0], per_plane(g, demodulate(n, g, style), images, co));
    return weft_graph_status(g);
}

static double modulated_flops(const weft_node *n)
{
    const modulated_attrs *at = n->attrs;
    const int64_t *w = n->in_shape[W].dim, where = at->up == 2 ? X : -1;
    const weft_shape s = where == X ? n->in_shape[X] : n->out_shape[0]; // every input element or every output element meets every tap
    return 2.0 * (double) weft_shape_count(s) * (double) (w[where == X ? 0 : 1] * w[2] * w[3]);
}

#define AT(...) &(const modulated_attrs) { .demodulate = 1, .up = 1, .down = 1, .flip_weight = 1, .gain = 1, .eps = 1e-8f, __VA_ARGS__ }

const weft_op weft_op_modulated_conv2d = {
    .name = "modulated_conv2d",
    .doc = "Convolution with the weights w' = gain w[co,ci] s[n,ci], divided with demodulate = 1 by their length: times\n"
           "rsqrt(sum over ci, k of w'^2 + eps). Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN, equations 1\n"
           "to 3. The weights stay shared: x is scaled by s, the output by the length. Whole: y = conv(filter(pad(up(x)))), every down-th\n"
           "pixel of it, zeros put between pixels for up = 2, times up^2; `pad` zeros on every side and those that centre the filter, as\n"
           "in the paper's PyTorch programs: (fh + 1) / 2 before and (fh - 2) / 2 after for up, (fh - 1) / 2 and (fh - 2) / 2 for down,\n"
           "rounded down. flip_weight = 1 correlates with w, 0 convolves (as those programs do when they go up).",
    .out_names = "y", .in_names = "x w s f?",
    .attr_bytes = sizeof(modulated_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(modulated_attrs, demodulate, INT, .def = 1, .max = 1, .doc = "1: weights are divided by their length"),
        WEFT_ATTR(modulated_attrs, up, INT, .def = 1, .min = 1, .max = 2, .doc = "2: twice as large"),
        WEFT_ATTR(modulated_attrs, down, INT, .def = 1, .min = 1, .max = 2, .doc = "2: half as large"),
        WEFT_ATTR(modulated_attrs, pad, INT, .max = 1024, .doc = "zeros on every side; k / 2 keeps the size"),
        WEFT_ATTR(modulated_attrs, flip_weight, INT, .def = 1, .max = 1, .doc = "1: correlation, 0: convolution"),
        WEFT_ATTR(modulated_attrs, gain, FLOAT, .def = 1, .doc = "factor of the weights, before their length is taken"),
        WEFT_ATTR(modulated_attrs, eps, FLOAT, .def = 1e-8, .min = 0, .max = 1, .doc = "added to the square of the length"),
        { 0 }
    },
    .infer = modulated_infer, .items = modulated_items, .cpu = modulated_cpu, .expand = modulated_expand, .flops = modulated_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(2, 3, 6, 5), WEFT_SHAPE(5, 3, 3, 3), WEFT_SHAPE(2, 3) }, .attrs = AT(.pad = 1) },
        { .in = { WEFT_SHAPE(1, 4, 5, 7), WEFT_SHAPE(8, 4, 3, 3), WEFT_SHAPE(1, 4), WEFT_SHAPE(4, 4) },
          .attrs = AT(.pad = 1, .up = 2, .flip_weight = 0, .gain = 0.25f) },
        { .in = { WEFT_SHAPE(2, 4, 8, 6), WEFT_SHAPE(3, 4, 3, 3), WEFT_SHAPE(2, 4), WEFT_SHAPE(4, 4) }, .attrs = AT(.pad = 1, .down = 2) },
        { .in = { WEFT_SHAPE(2, 6, 4, 5), WEFT_SHAPE(3, 6, 1, 1), WEFT_SHAPE(2, 6) }, .attrs = AT(.demodulate = 0, .gain = 0.5f) },
        { .in = { WEFT_SHAPE(1, 3, 4, 5), WEFT_SHAPE(2, 3, 1, 1), WEFT_SHAPE(1, 3), WEFT_SHAPE(4, 4) }, .attrs = AT(.up = 2) },
        { .in = { WEFT_SHAPE(1, 3, 6, 7), WEFT_SHAPE(2, 3, 1, 1), WEFT_SHAPE(1, 3), WEFT_SHAPE(4, 4) }, .attrs = AT(.down = 2, .flip_weight = 0) },
        { .in = { WEFT_SHAPE(2, 2, 4, 3), WEFT_SHAPE(3, 2, 3, 3), WEFT_SHAPE(2, 2) }, .attrs = AT(.up = 2, .pad = 1) },
        { .in = { WEFT_SHAPE(1, 2, 5, 4), WEFT_SHAPE(3, 2, 2, 3), WEFT_SHAPE(1, 2), WEFT_SHAPE(3, 5) }, .attrs = AT(.up = 2, .pad = 0, .eps = 0.5f) },
        { .in = { WEFT_SHAPE(1, 5, 7, 8), WEFT_SHAPE(4, 5, 5, 3), WEFT_SHAPE(1, 5), WEFT_SHAPE(2, 6) }, .attrs = AT(.down = 2, .pad = 3, .flip_weight = 0) },
        { .in = { WEFT_SHAPE(1, 16, 8, 8), WEFT_SHAPE(32, 16, 3, 3), WEFT_SHAPE(1, 16), WEFT_SHAPE(4, 4) }, .attrs = AT(.pad = 1, .up = 2, .flip_weight = 0) },
        { 0 }
    },
};
