// SPDX-License-Identifier: MIT
// How far noise maps are from white: their correlation with themselves moved by one, at every scale (Karras et al. 2020,
// Analyzing and Improving the Image Quality of StyleGAN, the projector).
#include "ops/grad.h"
#include <math.h>

enum { SMALLEST = 8 }; // no scale below it

static weft_result noise_infer(weft_node *n)
{
    if (n->in_shape[0].rank < 2) return weft_node_fail(n, "x must have at least 2 dimensions");
    n->out_shape[0] = (weft_shape) { 0 };
    return WEFT_OK;
}

static bool is_last(int64_t h, int64_t w) { return h <= SMALLEST || w <= SMALLEST; }

// One pixel of a map shrunk by 2^level.
static double shrunk(const weft_real *x, int64_t row, int level, int64_t y_at, int64_t x_at)
{
    const int64_t size = (int64_t) 1 << level;
    double sum = 0;
    for (int64_t i = 0; i < size; i++)
        for (int64_t k = 0; k < size; k++) sum += x[(y_at * size + i) * row + x_at * size + k];
    return sum / (double) (size * size);
}

static void noise_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_shape s = n->in_shape[0];
    const int64_t rows = s.dim[s.rank - 2], row = s.dim[s.rank - 1], count = weft_shape_count(s) / (rows * row);
    double sum = 0;
    for (int64_t k = 0; k < count; k++) {
        const weft_real *x = (const weft_real *) arg->in[0] + k * rows * row;
        int64_t h = rows, w = row;
        for (int level = 0;; level++, h /= 2, w /= 2) {
            double across = 0, down = 0;
            for (int64_t i = 0; i < h; i++)
                for (int64_t j = 0; j < w; j++) {
                    const double here = shrunk(x, row, level, i, j);
                    across += here * shrunk(x, row, level, i, (j + w - 1) % w), down += here * shrunk(x, row, level, (i + h - 1) % h, j);
                }
            across /= (double) (h * w), down /= (double) (h * w);
            sum += across * across + down * down;
            if (is_last(h, w)) break;
        }
    }
    ((weft_real *) arg->out[0])[0] = (weft_real) sum;
}

// The sum over the maps of the square of how a map goes with itself moved along an axis.
static weft_value correlation(weft_graph *g, weft_value x, int axis)
{
    const weft_value moved = weft_grad_call(g, "roll", WEFT_V(x), WEFT_WITH({ "shifts", NULL, 1, { 1 } }, { "axes", NULL, 1, { axis } }));
    const weft_value mean = weft_grad_call(g, "mean", WEFT_V(weft_grad_mul(g, x, moved)), WEFT_WITH({ "axes", NULL, 3, { 1, 2, 3 } }));
    return weft_grad_call(g, "sum_square", WEFT_V(mean), NULL);
}

static weft_result noise_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_shape s = n->in_shape[0];
    int64_t h = s.dim[s.rank - 2], w = s.dim[s.rank - 1];
    weft_value x = weft_grad_reshape(g, n->in[0], (weft_shape) WEFT_SHAPE(weft_shape_count(s) / (h * w), 1, h, w));
    for (out[0] = -1;; h /= 2, w /= 2) {
        const weft_value both = weft_grad_add(g, correlation(g, x, 3), correlation(g, x, 2));
        out[0] = out[0] < 0 ? both : weft_grad_add(g, out[0], both);
        if (is_last(h, w)) break;
        x = weft_grad_call(g, "avg_pool2d", WEFT_V(x), WEFT_WITH({ "kernel", NULL, 1, { 2 } }, { "stride", NULL, 1, { 2 } }));
    }
    return weft_graph_status(g);
}

static double noise_flops(const weft_node *n) { return 8.0 * (double) weft_shape_count(n->in_shape[0]); }

const weft_op weft_op_noise_regularization = {
    .name = "noise_regularization",
    .doc = "y = sum over the maps [h, w] of x, and over each map shrunk by 2, 4, .. until a side is at most 8, of "
           "mean(x roll(x, 1, w))^2 + mean(x roll(x, 1, h))^2. Karras et al. 2020.",
    .out_names = "y", .in_names = "x", .infer = noise_infer, .cpu = noise_cpu, .expand = noise_expand, .flops = noise_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(4, 4) } },
        { .in = { WEFT_SHAPE(2, 1, 16, 16) } },
        { .in = { WEFT_SHAPE(33, 38) }, .low = -1, .high = 2 },
        { 0 }
    },
};
