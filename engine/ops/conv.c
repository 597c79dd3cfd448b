// SPDX-License-Identifier: MIT
#include "ops/conv.h"

weft_result weft_conv_epilogue_infer(weft_node *n, weft_shape y)
{
    const weft_conv_attrs *at = n->attrs;
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    if (weft_has(n, 2) && (n->in_shape[2].rank != 1 || n->in_shape[2].dim[0] != y.dim[1]))
        return weft_node_fail(n, "b is %s, wants [%lld]", weft_shape_text(n->in_shape[2], a), (long long) y.dim[1]);
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
    const weft_real *r = weft_has(node, 3) ? arg->in[3] : NULL;
    for (int64_t row = arg->begin; row < arg->end; row++)
        for (int64_t wo = 0; wo < ys[3]; wo++) {
            const int64_t ho = row % ys[2], co = row / ys[2] % ys[1], n = row / ys[2] / ys[1], i = row * ys[3] + wo;
            const double s = sum(node, arg, n, co, ho, wo), gate = at->gate ? sum(node, arg, n, ys[1] + co, ho, wo) : 0;
            ((weft_real *) arg->out[0])[i] = (weft_real) weft_conv_finish(at, s, gate, r ? r + i : NULL);
        }
}
