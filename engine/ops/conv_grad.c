// SPDX-License-Identifier: MIT
// Gradients of the convolutions without epilogue and with zero padding; others are unfused first. By the input it is the
// transposed one, by the weights a row of its own, conv2d_weight_grad.
#include "ops/bias_act.h"
#include "ops/conv.h"
#include "ops/conv_weights.h"
#include "ops/grad.h"
#include <string.h>

static weft_conv_attrs like(const weft_conv_attrs *at)
{
    weft_conv_attrs c = *at;
    c.act = c.gate = c.residual = c.pad_mode = 0;
    c.a = c.b = c.gain = c.clamp = 0;
    c.output_pad[0] = c.output_pad[1] = 0;
    return c;
}

// v[:, :, :h, :w]
static weft_value crop(weft_graph *g, weft_value v, int64_t h, int64_t w)
{
    return weft_grad_slice(g, weft_grad_slice(g, v, 2, 0, h), 3, 0, w);
}

static weft_value by_weights(weft_graph *g, const weft_conv_attrs *at, weft_value big, weft_value small, weft_shape w)
{
    weft_conv_weights_attrs a = { .groups = at->groups };
    for (int d = 0; d < 2; d++)
        a.kernel[d] = (int32_t) w.dim[2 + d], a.stride[d] = at->stride[d], a.dilation[d] = at->dilation[d], a.pads[d] = at->pads[d];
    return weft_conv_weights(g, big, small, &a);
}

static weft_value by_bias(weft_graph *g, weft_value dy, int64_t channels)
{
    return weft_grad_reshape(g, weft_grad_unstretch(g, dy, (weft_shape) WEFT_SHAPE(1, channels, 1, 1)), (weft_shape) WEFT_SHAPE(channels));
}

weft_result weft_conv2d_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *w = n->in_shape[1].dim, *y = n->out_shape[0].dim;
    if (want[0]) {
        weft_conv_attrs c = like(at);
        for (int d = 0; d < 2; d++) // rows and columns at the end that no window reached
            c.output_pad[d] = (int32_t) (x[2 + d] + at->pads[d] + at->pads[2 + d] - (y[2 + d] - 1) * at->stride[d] - at->dilation[d] * (w[2 + d] - 1) - 1);
        dx[0] = weft_graph_call(g, "conv_transpose2d", WEFT_V(dy[0], n->in[1]), &c);
    }
    if (want[1]) dx[1] = by_weights(g, at, n->in[0], dy[0], n->in_shape[1]);
    if (n->in_count > 2 && want[2]) dx[2] = by_bias(g, dy[0], y[1]);
    return WEFT_OK;
}

weft_result weft_conv_transpose2d_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_conv_attrs *at = n->attrs, c = like(at);
    const int64_t *x = n->in_shape[0].dim;
    if (want[0]) dx[0] = crop(g, weft_graph_call(g, "conv2d", WEFT_V(dy[0], n->in[1]), &c), x[2], x[3]);
    if (want[1]) dx[1] = by_weights(g, at, dy[0], n->in[0], n->in_shape[1]);
    if (n->in_count > 2 && want[2]) dx[2] = by_bias(g, dy[0], n->out_shape[0].dim[1]);
    return WEFT_OK;
}

static weft_value padded(weft_graph *g, weft_value x, const weft_conv_attrs *at)
{
    static const char *const modes[] = { "constant", "reflect", "replicate", "circular" };
    return weft_grad_call(g, "pad", WEFT_V(x), WEFT_WITH({ "before", NULL, 2, { at->pads[0], at->pads[1] } },
                                                         { "after", NULL, 2, { at->pads[2], at->pads[3] } }, { "mode", modes[at->pad_mode] }));
}

static weft_value by_planes(weft_graph *g, weft_value x, weft_value scale) // [n, c, h, w] by [n, c]
{
    const weft_shape s = g->values[x].shape;
    return weft_grad_mul(g, x, weft_grad_reshape(g, scale, (weft_shape) WEFT_SHAPE(s.dim[0], s.dim[1], 1, 1)));
}

// d, noise, bias, activation, gain, clamp: bias_act says them all.
static weft_value styled(const weft_node *n, weft_graph *g, weft_value sum)
{
    const weft_conv_attrs *at = n->attrs;
    const weft_bias_act_attrs how = { at->act, at->a, at->b, at->gain == 0 ? 1 : at->gain, at->clamp };
    weft_value in[WEFT_BIAS_INPUTS] = { sum };
    static const int from[WEFT_BIAS_INPUTS] = { -1, WEFT_CONV_B, WEFT_CONV_NOISE, WEFT_CONV_STRENGTH, WEFT_CONV_D };
    for (int i = 1; i < WEFT_BIAS_INPUTS; i++) in[i] = weft_has(n, from[i]) ? n->in[from[i]] : -1;
    return weft_graph_call(g, "bias_act", in, WEFT_BIAS_INPUTS, &how);
}

// scale, pad, convolution, residual, activation, gate: one row each.
weft_result weft_conv_unfuse(const weft_node *n, weft_graph *g, weft_value *out)
{
    const weft_conv_attrs *at = n->attrs;
    weft_conv_attrs plain = like(at);
    memcpy(plain.output_pad, at->output_pad, sizeof plain.output_pad);
    const bool r = weft_has(n, 3), s = weft_has(n, WEFT_CONV_S), style = weft_conv_is_styled(n) || at->gain != 0 || at->clamp > 0, pads = at->pads[0] | at->pads[1] | at->pads[2] | at->pads[3];
    *out = -1;
    if (!at->act && !at->gate && !r && !s && !style && (!at->pad_mode || !pads)) return WEFT_OK; // plain already
    weft_value x = n->in[0];
    if (s) x = by_planes(g, x, n->in[WEFT_CONV_S]);
    if (at->pad_mode && pads) {
        x = padded(g, x, at);
        memset(plain.pads, 0, sizeof plain.pads);
    }
    weft_value v = weft_graph_op(g, n->op, (const weft_value[]) { x, n->in[1], weft_has(n, 2) && !style ? n->in[2] : -1 }, 3, &plain);
    const int64_t half = n->out_shape[0].dim[1];
    const weft_value gate = at->gate ? weft_grad_unary(g, "sigmoid", weft_grad_slice(g, v, 1, half, 2 * half)) : -1;
    if (at->gate) v = weft_grad_slice(g, v, 1, 0, half);
    if (r && at->residual == WEFT_RESIDUAL_BEFORE) v = weft_grad_binary(g, "add", v, n->in[3]);
    if (style) v = styled(n, g, v);
    else if (at->act) v = weft_graph_call(g, weft_activation_row(at->act), WEFT_V(v), (const float[]) { at->a, at->b });
    if (at->gate) v = weft_grad_binary(g, "mul", v, gate);
    if (r && at->residual == WEFT_RESIDUAL_AFTER) v = weft_grad_binary(g, "add", v, n->in[3]);
    *out = v;
    return weft_graph_status(g);
}
