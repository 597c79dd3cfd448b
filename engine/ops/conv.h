// SPDX-License-Identifier: MIT
// What the convolutions have in common: attributes, the epilogue, the table entries of both.
#pragma once
#include "ops/activation.h"
#include "ops/padding.h"
#include <math.h>

// y = limit(gain act(d sum + strength noise + b + r_before)) + r_after, where the sum is over s x; with gate: channels [0, c) and [c, 2c)
// give act(first) * sigmoid(second).
enum { WEFT_CONV_X, WEFT_CONV_W, WEFT_CONV_B, WEFT_CONV_R, WEFT_CONV_D, WEFT_CONV_NOISE, WEFT_CONV_STRENGTH, WEFT_CONV_S, WEFT_CONV_INPUTS };
#define WEFT_CONV_IN_NAMES "x w b? r? d? noise? strength? s?"
typedef struct weft_conv_attrs {
    int32_t stride[2], dilation[2], pads[4], pad_mode, groups;
    int32_t output_pad[2]; // transposed only
    int32_t act;
    float a, b;
    int32_t gate, residual;
    float gain, clamp; // 0: 1, and no limit
} weft_conv_attrs;
enum { WEFT_RESIDUAL_AFTER, WEFT_RESIDUAL_BEFORE };

#define WEFT_CONV_ATTRS                                                                                                     \
    WEFT_ATTR(weft_conv_attrs, stride, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "step of the window, y and x"),   \
    WEFT_ATTR(weft_conv_attrs, dilation, INT, .count = 2, .def = 1, .min = 1, .max = 64, .doc = "step inside the window"),     \
    WEFT_ATTR(weft_conv_attrs, pads, INT, .count = 4, .min = 0, .max = 1024, .doc = "top, left, bottom, right"),               \
    WEFT_ATTR(weft_conv_attrs, groups, INT, .def = 1, .min = 1, .max = 65536, .doc = "independent groups of channels")
#define WEFT_CONV_EPILOGUE_ATTRS                                                                                             \
    WEFT_ATTR(weft_conv_attrs, act, ENUM, .choices = weft_activation_names, .doc = "activation after the sum"),                 \
    WEFT_ATTR(weft_conv_attrs, a, FLOAT, .doc = "first parameter of the activation"),                                           \
    WEFT_ATTR(weft_conv_attrs, b, FLOAT, .doc = "second parameter of the activation"),                                          \
    WEFT_ATTR(weft_conv_attrs, gate, INT, .max = 1, .doc = "1: halves of the channels give act(first) sigmoid(second)"),        \
    WEFT_ATTR(weft_conv_attrs, residual, ENUM, .choices = "after|before", .doc = "r is added after or before the activation"),          \
    WEFT_ATTR(weft_conv_attrs, gain, FLOAT, .doc = "times the activation; 0: 1"),                                               \
    WEFT_ATTR(weft_conv_attrs, clamp, FLOAT, .min = 0, .max = 3e38, .doc = "largest absolute value of that; 0: any")
#define WEFT_CONV_EPILOGUE_DOC                                                                                                  \
    " With s [n, ci], x is multiplied by it per channel, with d [n, co] the sum, and noise [n or 1, 1, ho, wo] is added times strength " \
    "(one number), before b and the activation: a layer of Karras et al. 2020 (eq. 1 and 3) without weights of its own for every image."

static inline bool weft_conv_is_styled(const weft_node *n) // what comes before b is more than the sum
{
    return weft_has(n, WEFT_CONV_D) || weft_has(n, WEFT_CONV_NOISE);
}

static inline double weft_conv_finish(const weft_conv_attrs *at, double sum, double gate, const weft_real *r)
{
    if (r && at->residual == WEFT_RESIDUAL_BEFORE) sum += *r;
    sum = weft_activate(at->act, sum, at->a, at->b);
    if (at->gain != 0) sum *= at->gain;
    if (at->clamp > 0) sum = sum < -at->clamp ? -at->clamp : sum > at->clamp ? at->clamp : sum;
    if (at->gate) sum /= 1 + exp(-gate);
    return r && at->residual == WEFT_RESIDUAL_AFTER ? sum + *r : sum;
}

// What the epilogue reads must fit the output, s the input; the gate needs an even number of channels and goes with bias, activation and
// residual alone. Halves y's channels for the gate.
weft_result weft_conv_epilogue_infer(weft_node *n, weft_shape y);
// The truth, by rows of the output: weft_conv_items of them. `sum` gives the products for one channel at one place.
typedef double weft_conv_sum(const weft_node *node, const weft_cpu_args *arg, int64_t n, int64_t co, int64_t ho, int64_t wo);
int64_t weft_conv_items(const weft_node *n);
void weft_conv_truth(const weft_node *node, const weft_cpu_args *arg, weft_conv_sum *sum);
double weft_conv_flops(const weft_node *n, int64_t taps); // 2 x taps per element of the ungated output

// Gradient rules: conv_grad.c.
weft_result weft_conv2d_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx);
weft_result weft_conv_transpose2d_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx);
weft_result weft_conv_unfuse(const weft_node *n, weft_graph *g, weft_value *out);
