// SPDX-License-Identifier: MIT
#include "ops/conv.h"

enum { X = WEFT_CONV_X, B = WEFT_CONV_B, D = WEFT_CONV_D, NOISE = WEFT_CONV_NOISE, STRENGTH = WEFT_CONV_STRENGTH, S = WEFT_CONV_S };

static weft_result check_planes(const weft_node *n, int input, const char *name, int64_t images, int64_t channels) // [n, c]
{
    char text[WEFT_SHAPE_TEXT];
    if (!weft_has(n, input)) return WEFT_OK;
    const weft_shape s = n->in_shape[input];
    if (s.rank == 2 && s.dim[0] == images && s.dim[1] == channels) return WEFT_OK;
    return weft_node_fail(n, "%s is %s, wants [%lld, %lld]", name, weft_shape_text(s, text), (long long) images, (long long) channels);
}

static weft_result check_style(const weft_node *n, weft_shape y)
{
    const weft_conv_attrs *at = n->attrs;
    const weft_shape *noise = &n->in_shape[NOISE];
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    WEFT_TRY(check_planes(n, S, "s", y.dim[0], n->in_shape[X].dim[1]));
    WEFT_TRY(check_planes(n, D, "d", y.dim[0], y.dim[1]));
    if (weft_has(n, NOISE) && (noise->rank != 4 || (noise->dim[0] != 1 && noise->dim[0] != y.dim[0]) || noise->dim[1] != 1 ||
                               noise->dim[2] != y.dim[2] || noise->dim[3] != y.dim[3]))
        return weft_node_fail(n, "noise is %s, wants one channel of the output %s", weft_shape_text(*noise, a), weft_shape_text(y, b));
    if (weft_has(n, STRENGTH) && !weft_has(n, NOISE)) return weft_node_fail(n, "strength without noise");
    if (weft_has(n, STRENGTH) && weft_shape_count(n->in_shape[STRENGTH]) != 1) return weft_node_fail(n, "strength must be one number");
    const bool plain = !weft_conv_is_styled(n) && at->gain == 0 && at->clamp <= 0;
    if (!plain && (at->gate || (weft_has(n, WEFT_CONV_R) && at->residual == WEFT_RESIDUAL_BEFORE)))
        return weft_node_fail(n, "d, noise, gain and clamp go neither with a gate nor with a residual before the activation");
    return WEFT_OK;
}

weft_result weft_conv_epilogue_infer(weft_node *n, weft_shape y)
{
    const weft_conv_attrs *at = n->attrs;
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    if (weft_has(n, 2) && (n->in_shape[2].rank != 1 || n->in_shape[2].dim[0] != y.dim[1]))
        return weft_node_fail(n, "b is %s, wants [%lld]", weft_shape_text(n->in_shape[2], a), (long long) y.dim[1]);
    WEFT_TRY(check_style(n, y));
    if (at->gate && y.dim[1] % 2) return weft_node_fail(n, "a gate needs an even number of channels, not %lld", (long long) y.dim[1]);
    if (at->gate) y.dim[1] /= 2;
    if (weft_has(n, 3) && !weft_shape_equal(n->in_shape[3], y))
        return weft_node_fail(n, "r is %s, the output %s", weft_shape_text(n->in_shape[3], a), weft_shape_text(y, b));
    n->out_shape[0] = y;
    return WEFT_OK;
}

double weft_conv_flops(const weft_node *n, int64_t taps)
{
    const weft_conv_attrs *at = n->attrs;
    return 2.0 * (double) weft_shape_count(n->out_shape[0]) * (double) (at->gate ? 2 * taps : taps);
}

int64_t weft_conv_items(const weft_node *n)
{
    const int64_t *y = n->out_shape[0].dim;
    return y[0] * y[1] * y[2];
}

void weft_conv_truth(const weft_node *node, const weft_cpu_args *arg, weft_conv_sum *sum)
{
    const weft_conv_attrs *at = node->attrs;
    const int64_t *ys = node->out_shape[0].dim;
    const weft_real *r = weft_has(node, 3) ? arg->in[3] : NULL, *b = weft_has(node, B) ? arg->in[B] : NULL, *d = weft_has(node, D) ? arg->in[D] : NULL;
    const weft_real *noise = weft_has(node, NOISE) ? arg->in[NOISE] : NULL;
    const double strength = weft_has(node, STRENGTH) ? ((const weft_real *) arg->in[STRENGTH])[0] : 1;
    const bool one_noise = noise && node->in_shape[NOISE].dim[0] == 1;
    for (int64_t row = arg->begin; row < arg->end; row++)
        for (int64_t wo = 0; wo < ys[3]; wo++) {
            const int64_t ho = row % ys[2], co = row / ys[2] % ys[1], n = row / ys[2] / ys[1], i = row * ys[3] + wo;
            double s = sum(node, arg, n, co, ho, wo), gate = at->gate ? sum(node, arg, n, ys[1] + co, ho, wo) : 0;
            if (d) s *= d[n * ys[1] + co];
            if (noise) s += strength * noise[((one_noise ? 0 : n) * ys[2] + ho) * ys[3] + wo];
            if (b) s += b[co], gate += at->gate ? b[ys[1] + co] : 0;
            ((weft_real *) arg->out[0])[i] = (weft_real) weft_conv_finish(at, s, gate, r ? r + i : NULL);
        }
}
