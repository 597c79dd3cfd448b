// SPDX-License-Identifier: MIT
// What ends a layer of a style-based generator.
#pragma once
#include "ops/activation.h"

typedef struct weft_bias_act_attrs {
    int32_t act;
    float a, b;
    float gain, clamp;
} weft_bias_act_attrs;

// Inputs of bias_act; those of bias_act_grad are dy and then the same, those of upfirdn2d have the filter after x: from b on both
// are one later.
enum { WEFT_BIAS_X, WEFT_BIAS_B, WEFT_BIAS_NOISE, WEFT_BIAS_STRENGTH, WEFT_BIAS_D, WEFT_BIAS_INPUTS };

// Whether b, noise, strength and d, which are `later` in the node's inputs than in bias_act's, fit an x of that shape.
weft_result weft_bias_act_check(weft_node *n, weft_shape x, int later);

// Row bias_act_back: inputs dy, y, bias_act's from b on, and s, more and more_s, where dy stands for s dy + more_s more. Outputs du, and for
// each of these bits in `sums` the sum over pixels of what it says, [n, c, 1, 1], in this order; of dy and more as they are, without s.
enum { WEFT_BACK_DY, WEFT_BACK_Y, WEFT_BACK_S = 1 + WEFT_BIAS_INPUTS, WEFT_BACK_MORE, WEFT_BACK_MORE_S, WEFT_BACK_INPUTS };
enum { WEFT_SUM_DU = 1, WEFT_SUM_DU_X = 2, WEFT_SUM_DU_NOISE = 4, WEFT_SUM_DY_Y = 8, WEFT_SUM_MORE_Y = 16, WEFT_SUMS = 5 };
typedef struct weft_bias_act_back_attrs {
    weft_bias_act_attrs of;
    int32_t sums;
} weft_bias_act_back_attrs;

static inline int weft_sums_below(int32_t sums, int32_t bit) // how many come before that one
{
    int count = 0;
    for (int32_t b = 1; b < bit; b *= 2) count += (sums & b) != 0;
    return count;
}

// For truths: what is the same for all pixels of plane `at` (of n * c) of output 0.
typedef struct weft_ending {
    const weft_real *noise; // of this plane; NULL: none
    double scale, strength, bias;
} weft_ending;
weft_ending weft_ending_of(const weft_node *n, const weft_cpu_args *arg, int later, int64_t at);
static inline double weft_ending_under(const weft_ending *e, double x, int64_t pixel)
{
    return x * e->scale + (e->noise ? e->noise[pixel] * e->strength : 0) + e->bias;
}
static inline double weft_ending_over(const weft_bias_act_attrs *at, double u)
{
    const double v = weft_activate(at->act, u, at->a, at->b) * at->gain;
    return at->clamp <= 0 ? v : v < -at->clamp ? -at->clamp : v > at->clamp ? at->clamp : v;
}
