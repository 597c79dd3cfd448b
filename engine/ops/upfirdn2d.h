// SPDX-License-Identifier: MIT
// Zeros between the pixels of an image, a filter over it, some of the pixels of that.
#pragma once
#include "ops/bias_act.h"

typedef struct weft_upfirdn_attrs {
    int32_t up[2], down[2], pads[4]; // y, x; top, left, bottom, right
    float gain;
    int32_t flip;
    int32_t act; // and what follows: as in bias_act, but
    float a, b;
    float act_gain, clamp; // 0: 1, and no limit
} weft_upfirdn_attrs;

enum { WEFT_UPFIRDN_X, WEFT_UPFIRDN_F, WEFT_UPFIRDN_INPUTS = 1 + WEFT_BIAS_INPUTS }; // from b on: 1 + WEFT_BIAS_B, ...

static inline weft_bias_act_attrs weft_upfirdn_ending(const weft_upfirdn_attrs *at)
{
    return (weft_bias_act_attrs) { at->act, at->a, at->b, at->act_gain == 0 ? 1 : at->act_gain, at->clamp };
}
// Whether y is more than the filtered image.
static inline bool weft_upfirdn_ends(const weft_node *n)
{
    const weft_upfirdn_attrs *at = n->attrs;
    for (int i = 1 + WEFT_BIAS_B; i < WEFT_UPFIRDN_INPUTS; i++)
        if (weft_has(n, i)) return true;
    return at->act || weft_upfirdn_ending(at).gain != 1 || at->clamp > 0;
}
