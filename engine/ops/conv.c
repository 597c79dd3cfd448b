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
