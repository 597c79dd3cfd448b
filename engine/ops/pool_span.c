// SPDX-License-Identifier: MIT
#include "ops/pool.h"

// Windows along one axis, as PyTorch counts them: with ceil_mode the last may hang over the end, but starts before it.
weft_result weft_pool_windows(const weft_node *n, const weft_pool_attrs *at, int d, int64_t in, int64_t *count)
{
    const int64_t reach = (int64_t) at->dilation[d] * (at->kernel[d] - 1) + 1, stride = weft_pool_stride(at, d);
    const int64_t room = in + at->pads[d] + at->pads[2 + d] - reach;
    if (room < 0) return weft_node_fail(n, "a window of %lld does not fit %lld", (long long) reach, (long long) (room + reach));
    if (at->pads[d] >= reach || at->pads[2 + d] >= reach) return weft_node_fail(n, "padding is as large as the window of %lld", (long long) reach);
    *count = (room + (at->ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (at->ceil_mode && (*count - 1) * stride >= in + at->pads[d]) --*count;
    return WEFT_OK;
}

weft_pool_span weft_pool_span_of(const weft_pool_attrs *at, bool adaptive, int d, int64_t in, int64_t outs, int64_t out)
{
    if (adaptive) {
        const int64_t begin = out * in / outs, end = ((out + 1) * in + outs - 1) / outs;
        return (weft_pool_span) { begin, end, 1, end - begin };
    }
    weft_pool_span s = { out * weft_pool_stride(at, d) - at->pads[d], 0, at->dilation[d], 0 };
    s.end = s.begin + (at->kernel[d] - 1) * s.step + 1;
    if (s.end > in + at->pads[2 + d]) s.end = in + at->pads[2 + d]; // what hangs over the padding never counts
    s.counted = s.end - s.begin;
    while (s.begin < 0) s.begin += s.step;
    if (s.end > in) s.end = in;
    if (!at->count_include_pad) s.counted = s.end > s.begin ? s.end - s.begin : 0;
    return s;
}
