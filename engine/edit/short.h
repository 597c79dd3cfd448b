// SPDX-License-Identifier: MIT
// Short forms of builder calls.
#pragma once
#include <weft/build.h>

static inline weft_value unary(weft_builder *b, const char *op, weft_value x) { return weft_build_op(b, op, &x, 1, NULL, 0); }
static inline weft_value binary(weft_builder *b, const char *op, weft_value x, weft_value y) { return weft_build_op(b, op, (weft_value[]) { x, y }, 2, NULL, 0); }
static inline weft_value affine(weft_builder *b, weft_value x, double scale, double shift)
{
    if (scale == 1 && shift == 0) return x;
    return weft_build(b, "affine", WEFT_IN(x), WEFT_NUM("a", scale), WEFT_NUM("b", shift));
}
static inline weft_value shaped(weft_builder *b, const char *op, weft_value x, weft_shape s) // reshape and expand
{
    weft_attr_arg to = { .name = "shape", .count = s.rank };
    for (int d = 0; d < s.rank; d++) to.num[d] = (double) s.dim[d];
    return weft_build_op(b, op, &x, 1, &to, 1);
}
static inline weft_value sized(weft_builder *b, weft_value x, int64_t h, int64_t w) // averages where it shrinks
{
    return weft_build(b, "resize", WEFT_IN(x), WEFT_TEXT("mode", "area"), WEFT_NUM("size", (double) h, (double) w));
}
static inline weft_value halved(weft_builder *b, weft_value x)
{
    return weft_build(b, "avg_pool2d", WEFT_IN(x), WEFT_NUM("kernel", 2), WEFT_NUM("stride", 2));
}
