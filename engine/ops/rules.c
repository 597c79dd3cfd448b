// SPDX-License-Identifier: MIT
// Fusion rules: which pairs of operators one kernel can do. Each is tried on a producer whose output nobody else needs.
#include "graph/compute.h"
#include "graph/lower.h"
#include "graph/rules.h"
#include "ops/bias_act.h"
#include "ops/conv.h"
#include "ops/down_conv2d.h"
#include "ops/norm.h"
#include "ops/part.h"
#include "ops/reduce.h"
#include "ops/sdpa.h"
#include "ops/up_conv2d.h"
#include <string.h>

enum { X = WEFT_CONV_X, W = WEFT_CONV_W, B = WEFT_CONV_B, R = WEFT_CONV_R };

// The fused node starts as this one, which may have so many inputs.
static void begin(const weft_node *n, int inputs, weft_fused *out)
{
    out->op = n->op;
    out->in_count = inputs;
    for (int i = 0; i < inputs; i++) out->in[i] = weft_has(n, i) ? n->in[i] : -1;
    memcpy(out->attrs, n->attrs, n->op->attr_bytes);
}

static weft_conv_attrs *start(const weft_node *conv, weft_fused *out)
{
    begin(conv, WEFT_CONV_INPUTS, out);
    return (weft_conv_attrs *) out->attrs;
}

// The numbers of a constant of the graph, NULL if it is none.
static const float *constant(weft_graph *g, weft_value v)
{
    if (v < 0 || !g->values[v].weight || g->values[v].dtype != WEFT_F32) return NULL;
    return weft_weight_numbers(g->arena, g->values[v].weight);
}

static bool is_bare(const weft_node *conv) // the sum comes out as it is
{
    const weft_conv_attrs *at = conv->attrs;
    return !at->act && !at->gate && !weft_has(conv, R) && !weft_conv_is_styled(conv) && at->gain == 0 && at->clamp <= 0;
}

static int64_t channels(const weft_node *conv) { return conv->out_shape[0].dim[1]; }

// The weights of a convolution with each output channel times its number.
static weft_value scaled_weights(weft_graph *g, const weft_node *conv, const float *w, const float *scale)
{
    const weft_shape ws = conv->in_shape[W];
    const int64_t count = weft_shape_count(ws), taps = ws.dim[2] * ws.dim[3], groups = ((const weft_conv_attrs *) conv->attrs)->groups;
    const bool transposed = conv->op->kernel_t_inputs != 0; // w is [ci, co / groups, ..] instead of [co, ci / groups, ..]
    float *to = weft_arena_new(g->arena, (size_t) count * 4);
    if (!to) return -1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t first = i / (ws.dim[1] * taps), second = i / taps % ws.dim[1], group = first / (ws.dim[0] / groups);
        to[i] = w[i] * scale[transposed ? group * ws.dim[1] + second : first];
    }
    return weft_graph_numbers(g, ws, to);
}

// The same numbers for every image.
static weft_value for_images(weft_graph *g, int64_t n, int64_t co, const float *each)
{
    float *to = weft_arena_new(g->arena, (size_t) (n * co) * 4);
    if (!to) return -1;
    for (int64_t i = 0; i < n; i++) memcpy(to + i * co, each, (size_t) co * 4);
    return weft_graph_numbers(g, (weft_shape) WEFT_SHAPE(n, co), to);
}

// conv -> batch_norm with known statistics: the norm is scale * s + shift per channel, and both fold into weights and bias. Weights
// in f16 stay as they are, since products are seldom numbers that f16 holds: the scale is for the sums.
static bool conv_norm(weft_graph *g, const weft_node *conv, const weft_node *norm, int slot, weft_fused *out)
{
    const weft_batch_norm_attrs *at = norm->attrs;
    const float *w = constant(g, conv->in[W]), *b = weft_has(conv, B) ? constant(g, conv->in[B]) : NULL, *part[5] = { NULL };
    if (slot != 0 || at->batch_stats || !is_bare(conv) || !w || (weft_has(conv, B) && !b)) return false;
    for (int i = 1; i < 5; i++) // scale, bias, mean, variance
        if (weft_has(norm, i) && !(part[i] = constant(g, norm->in[i]))) return false;

    const int64_t co = channels(conv);
    const int scaled = g->values[conv->in[W]].weight->dtype == WEFT_F16 ? WEFT_CONV_D : W;
    float *new_b = weft_arena_new(g->arena, (size_t) co * 4), *scale = weft_arena_new(g->arena, (size_t) co * 4);
    if (!new_b || !scale) return false;
    for (int64_t c = 0; c < co; c++) {
        const double s = (part[1] ? part[1][c] : 1) / sqrt((double) part[4][c] + at->eps);
        scale[c] = (float) s;
        new_b[c] = (float) (((b ? b[c] : 0) - (double) part[3][c]) * s + (part[2] ? part[2][c] : 0));
    }
    start(conv, out);
    out->in[scaled] = scaled == W ? scaled_weights(g, conv, w, scale) : for_images(g, conv->out_shape[0].dim[0], co, scale);
    out->in[B] = weft_graph_numbers(g, (weft_shape) WEFT_SHAPE(co), new_b);
    return out->in[scaled] >= 0 && out->in[B] >= 0;
}

// Whether this shape is one number per channel of an image: [c, 1, 1] or [1, c, 1, 1].
static bool per_channel(weft_shape s, int64_t c)
{
    return (s.rank == 3 || (s.rank == 4 && s.dim[0] == 1)) && s.dim[s.rank - 3] == c && s.dim[s.rank - 2] == 1 && s.dim[s.rank - 1] == 1;
}

// conv -> add of a constant per channel: the bias.
static bool conv_bias(weft_graph *g, const weft_node *conv, const weft_node *add, int slot, weft_fused *out)
{
    const int64_t co = channels(conv);
    const float *more = constant(g, add->in[1 - slot]), *b = weft_has(conv, B) ? constant(g, conv->in[B]) : NULL;
    if (!more || !is_bare(conv) || (weft_has(conv, B) && !b) || !per_channel(add->in_shape[1 - slot], co)) return false;
    float *sum = weft_arena_new(g->arena, (size_t) co * 4);
    if (!sum) return false;
    for (int64_t c = 0; c < co; c++) sum[c] = more[c] + (b ? b[c] : 0);
    start(conv, out);
    out->in[B] = weft_graph_numbers(g, (weft_shape) WEFT_SHAPE(co), sum);
    return true;
}

// conv -> add of another value of the same shape: the residual.
static bool conv_residual(weft_graph *g, const weft_node *conv, const weft_node *add, int slot, weft_fused *out)
{
    (void) g;
    if (weft_has(conv, R) || add->in[0] == add->in[1] || !weft_shape_equal(add->in_shape[1 - slot], conv->out_shape[0])) return false;
    start(conv, out)->residual = WEFT_RESIDUAL_AFTER;
    out->in[R] = add->in[1 - slot];
    return true;
}

// conv -> elementwise operator: the activation. A residual that was added to the bare sum comes before it.
static bool conv_activation(weft_graph *g, const weft_node *conv, const weft_node *unary, int slot, weft_fused *out)
{
    weft_activation act;
    const weft_conv_attrs *old = conv->attrs;
    (void) g, (void) slot;
    if (old->act || old->gate || old->gain != 0 || old->clamp > 0 || !weft_activation_of(unary, &act)) return false;
    weft_conv_attrs *at = start(conv, out);
    at->act = act.act, at->a = act.a, at->b = act.b;
    if (weft_has(conv, R)) at->residual = WEFT_RESIDUAL_BEFORE;
    return !weft_has(conv, R) || !weft_conv_is_styled(conv);
}

// conv -> gate: the halves of the channels meet in the epilogue.
static bool conv_gate(weft_graph *g, const weft_node *conv, const weft_node *gate, int slot, weft_fused *out)
{
    const weft_activation *act = gate->attrs;
    (void) g, (void) slot;
    if (!is_bare(conv)) return false;
    weft_conv_attrs *at = start(conv, out);
    at->gate = 1, at->act = act->act, at->a = act->a, at->b = act->b;
    return true;
}

static bool same_planes(weft_shape each, weft_shape image) // each: [n, c, 1, 1]
{
    return each.rank == 4 && image.rank == 4 && each.dim[0] == image.dim[0] && each.dim[1] == image.dim[1] && each.dim[2] == 1 && each.dim[3] == 1;
}

// The node without the product before its input `slot`: that product's one number per image and channel becomes the input `to`.
static bool take_scale(weft_graph *g, const weft_node *mul, const weft_node *n, int inputs, int slot, int to, weft_fused *out)
{
    const weft_shape image = mul->out_shape[0];
    const int factor = same_planes(mul->in_shape[0], image) ? 0 : 1;
    const weft_list shape = { 2, { image.dim[0], image.dim[1] } };
    if (weft_has(n, to) || !same_planes(mul->in_shape[factor], image) || !weft_shape_equal(mul->in_shape[1 - factor], image)) return false;
    begin(n, inputs, out);
    out->in[slot] = mul->in[1 - factor];
    out->in[to] = weft_graph_call(g, "reshape", WEFT_V(mul->in[factor]), &shape);
    return out->in[to] >= 0;
}

// mul by one number per image and channel -> bias_act or its gradient: the scale d. Into both, although they share the product.
static bool scale_bias_act(weft_graph *g, const weft_node *mul, const weft_node *act, int slot, weft_fused *out)
{
    const int first = act->op == weft_op_find("bias_act_grad");
    return slot == first + WEFT_BIAS_X && take_scale(g, mul, act, first + WEFT_BIAS_INPUTS, slot, first + WEFT_BIAS_D, out);
}

// conv -> bias_act: all of it is in the epilogue.
static bool conv_bias_act(weft_graph *g, const weft_node *conv, const weft_node *act, int slot, weft_fused *out)
{
    static const int to[WEFT_BIAS_INPUTS] = { -1, B, WEFT_CONV_NOISE, WEFT_CONV_STRENGTH, WEFT_CONV_D };
    const weft_bias_act_attrs *how = act->attrs;
    (void) g;
    if (slot != WEFT_BIAS_X || !is_bare(conv) || weft_has(conv, B)) return false;
    weft_conv_attrs *at = start(conv, out);
    at->act = how->act, at->a = how->a, at->b = how->b, at->gain = how->gain == 1 ? 0 : how->gain, at->clamp = how->clamp;
    for (int i = 1; i < WEFT_BIAS_INPUTS; i++)
        if (weft_has(act, i)) out->in[to[i]] = act->in[i];
    return how->gain != 0; // which stands for 1 there
}

// upfirdn2d -> bias_act: what follows a transposed convolution and its filter in a layer that goes up. (That the convolution and the filter
// could be one too is no gain: 3 x 3 taps that go up by 2 meet 9 / 4 inputs of a channel per output, composed with a filter of 4 x 4 they
// are 6 x 6 and meet 36 / 4. Four times the products of all pairs of channels, to save one pass over the image.)
static bool upfirdn_bias_act(weft_graph *g, const weft_node *filter, const weft_node *act, int slot, weft_fused *out)
{
    enum { D = 1 + WEFT_BIAS_D };
    const weft_bias_act_attrs *how = act->attrs;
    const bool scaled = weft_has(filter, D); // and nothing else is there: it may stay
    weft_node bare = *filter;
    (void) g;
    if (scaled) bare.in_count = 2;
    for (int i = 1 + WEFT_BIAS_B; i < D; i++)
        if (weft_has(filter, i)) return false;
    if (slot != WEFT_BIAS_X || weft_upfirdn_ends(&bare) || (scaled && weft_has(act, WEFT_BIAS_D)) || how->gain == 0) return false; // 0 stands for 1
    begin(filter, WEFT_UPFIRDN_INPUTS, out);
    weft_upfirdn_attrs *at = (weft_upfirdn_attrs *) out->attrs;
    for (int i = WEFT_BIAS_B; i < WEFT_BIAS_INPUTS; i++)
        if (weft_has(act, i)) out->in[1 + i] = act->in[i];
    at->act = how->act, at->a = how->a, at->b = how->b, at->act_gain = how->gain == 1 ? 0 : how->gain, at->clamp = how->clamp;
    return true;
}

// mul by one number per image and channel -> upfirdn2d: a filter does not mind the order, so it is the scale d.
static bool scale_upfirdn(weft_graph *g, const weft_node *mul, const weft_node *filter, int slot, weft_fused *out)
{
    return slot == WEFT_UPFIRDN_X && take_scale(g, mul, filter, WEFT_UPFIRDN_INPUTS, slot, 1 + WEFT_BIAS_D, out);
}

// mul by one number per image and channel -> conv: the style s.
static bool scale_conv(weft_graph *g, const weft_node *mul, const weft_node *conv, int slot, weft_fused *out)
{
    return slot == X && take_scale(g, mul, conv, WEFT_CONV_INPUTS, slot, WEFT_CONV_S, out);
}

static bool is_summed(const weft_node *back, int slot) // as it is: then it must not become another
{
    return ((const weft_bias_act_back_attrs *) back->attrs)->sums & (slot == WEFT_BACK_DY ? WEFT_SUM_DY_Y : WEFT_SUM_MORE_Y);
}

// add -> bias_act_back: what y gave to two receives from both.
static bool add_back(weft_graph *g, const weft_node *add, const weft_node *back, int slot, weft_fused *out)
{
    (void) g;
    if (slot != WEFT_BACK_DY || weft_has(back, WEFT_BACK_S) || weft_has(back, WEFT_BACK_MORE) || is_summed(back, slot) || add->in[0] == add->in[1] ||
        !weft_shape_equal(add->in_shape[0], add->in_shape[1]))
        return false;
    begin(back, WEFT_BACK_INPUTS, out);
    out->in[WEFT_BACK_DY] = add->in[0], out->in[WEFT_BACK_MORE] = add->in[1];
    return true;
}

// mul by one number per image and channel -> bias_act_back: the style that y was scaled by.
static bool scale_back(weft_graph *g, const weft_node *mul, const weft_node *back, int slot, weft_fused *out)
{
    return (slot == WEFT_BACK_DY || slot == WEFT_BACK_MORE) && !is_summed(back, slot) &&
           take_scale(g, mul, back, WEFT_BACK_INPUTS, slot, slot == WEFT_BACK_DY ? WEFT_BACK_S : WEFT_BACK_MORE_S, out);
}

// sum over pixels of dy y, or more y, beside bias_act_back: the style's gradient.
static int style_beside_back(const weft_node *back, const weft_node *sum, weft_fused *out)
{
    uint32_t axes;
    const bool y = sum->in[0] == back->in[WEFT_BACK_Y];
    const weft_value other = sum->in[y ? 1 : 0];
    if (!weft_reduce_mask(sum, &axes) || axes != (1 << 2 | 1 << 3) || sum->out_shape[0].rank != 4 || sum->in[y ? 0 : 1] != back->in[WEFT_BACK_Y]) return -1;
    const bool is_dy = other == back->in[WEFT_BACK_DY];
    if (!is_dy && !(weft_has(back, WEFT_BACK_MORE) && other == back->in[WEFT_BACK_MORE])) return -1;
    begin(back, WEFT_BACK_INPUTS, out);
    weft_bias_act_back_attrs *at = (weft_bias_act_back_attrs *) out->attrs;
    const int32_t bit = is_dy ? WEFT_SUM_DY_Y : WEFT_SUM_MORE_Y;
    if (at->sums & bit) return -1;
    at->sums |= bit;
    return 1 + weft_sums_below(at->sums, bit);
}

// mul of two tensors of one shape -> sum over some dimensions: the product is not stored.
static bool sum_product(weft_graph *g, const weft_node *mul, const weft_node *sum, int slot, weft_fused *out)
{
    (void) g, (void) slot;
    if (mul->out_dtype[0] != WEFT_F32 || !weft_shape_equal(mul->in_shape[0], mul->in_shape[1])) return false;
    out->op = weft_op_find("sum_product");
    out->in[0] = mul->in[0], out->in[1] = mul->in[1], out->in_count = 2;
    memcpy(out->attrs, sum->attrs, sum->op->attr_bytes); // one table for all reductions
    return true;
}

// conv_transpose2d -> upfirdn2d: one node, so that a kernel can do without the image between them.
static bool conv_filter(weft_graph *g, const weft_node *conv, const weft_node *fir, int slot, weft_fused *out)
{
    const weft_conv_attrs *c = conv->attrs;
    const weft_upfirdn_attrs *f = fir->attrs;
    (void) g;
    if (slot != WEFT_UPFIRDN_X || !is_bare(conv) || weft_has(conv, B) || c->groups != 1) return false;
    for (int d = 0; d < 2; d++)
        if (c->dilation[d] != 1 || c->output_pad[d] || f->up[d] != 1 || f->down[d] != 1) return false;
    weft_up_conv_attrs *at = (weft_up_conv_attrs *) out->attrs;
    memcpy(at->stride, c->stride, sizeof at->stride);
    memcpy(at->crop, c->pads, sizeof at->crop);
    at->filter = *f;
    if (!weft_up_conv_serves(at, conv->in_shape[W], fir->in_shape[WEFT_UPFIRDN_F])) return false;
    out->op = weft_op_find("up_conv2d");
    out->in_count = WEFT_UP_CONV_INPUTS;
    for (int i = 0; i < WEFT_UP_CONV_INPUTS; i++) out->in[i] = -1;
    out->in[WEFT_UP_CONV_X] = conv->in[X], out->in[WEFT_UP_CONV_W] = conv->in[W];
    for (int i = WEFT_UPFIRDN_F; i < WEFT_UPFIRDN_INPUTS; i++) out->in[i + 1] = weft_has(fir, i) ? fir->in[i] : -1;
    if (weft_has(conv, WEFT_CONV_S)) out->in[WEFT_UP_CONV_S] = conv->in[WEFT_CONV_S];
    return true;
}

// upfirdn2d -> conv2d: likewise. A scale of the filter's planes is one of what the convolution reads.
static bool filter_conv(weft_graph *g, const weft_node *fir, const weft_node *conv, int slot, weft_fused *out)
{
    enum { SCALE = 1 + WEFT_BIAS_D };
    const weft_upfirdn_attrs *f = fir->attrs;
    const bool scaled = weft_has(fir, SCALE);
    weft_node bare = *fir;
    (void) g;
    if (scaled) bare.in_count = SCALE;
    if (slot != X || weft_upfirdn_ends(&bare) || (scaled && weft_has(conv, WEFT_CONV_S))) return false;
    for (int d = 0; d < 2; d++)
        if (f->up[d] != 1 || f->down[d] != 1) return false;
    weft_down_conv_attrs *at = (weft_down_conv_attrs *) out->attrs;
    at->conv = *(const weft_conv_attrs *) conv->attrs, at->filter = *f;
    if (!weft_down_conv_serves(at, conv->in_shape[W], fir->in_shape[WEFT_UPFIRDN_F])) return false;
    out->op = weft_op_find("down_conv2d");
    out->in_count = WEFT_DOWN_CONV_INPUTS;
    for (int i = 0; i < WEFT_CONV_INPUTS; i++) out->in[i] = weft_has(conv, i) ? conv->in[i] : -1;
    out->in[X] = fir->in[WEFT_UPFIRDN_X], out->in[WEFT_DOWN_CONV_F] = fir->in[WEFT_UPFIRDN_F];
    if (scaled) out->in[WEFT_CONV_S] = fir->in[SCALE];
    return true;
}

static const weft_node *maker(const weft_graph *g, weft_value v, const char *op) // NULL: another row's
{
    const int node = v < 0 ? -1 : g->values[v].node;
    return node >= 0 && !strcmp(g->nodes[node].op->name, op) ? &g->nodes[node] : NULL;
}

// The transpose [.., l, h, d] <-> [.., h, l, d].
static bool exchanges_heads(const weft_node *transpose)
{
    const weft_list *perm = transpose->attrs; // its only attribute
    const int rank = transpose->in_shape[0].rank;
    if (rank < 3 || perm->count != rank) return false;
    for (int d = 0; d < rank; d++)
        if (perm->at[d] != (d == rank - 3 ? rank - 2 : d == rank - 2 ? rank - 3 : d)) return false;
    return true;
}

// Rows [.., l, h d], of which `v`, [.., h, l, d], has the heads apart. -1: it is made otherwise.
static weft_value beside_each_other(weft_graph *g, weft_value v)
{
    const weft_node *transpose = maker(g, v, "transpose");
    if (!transpose || !exchanges_heads(transpose)) return -1;
    const weft_value apart = transpose->in[0];
    const weft_node *reshape = maker(g, apart, "reshape");
    weft_shape rows = g->values[apart].shape;
    rows.rank--;
    rows.dim[rows.rank - 1] *= rows.dim[rows.rank];
    if (reshape && weft_shape_equal(reshape->in_shape[0], rows)) return reshape->in[0];
    weft_list shape = { .count = rows.rank };
    memcpy(shape.at, rows.dim, sizeof shape.at);
    return weft_graph_call(g, "reshape", WEFT_V(apart), &shape);
}

// Whether they are the thirds of the rows of one tensor, which is given; else -1.
static weft_value thirds_of(const weft_graph *g, const weft_value part[3])
{
    const weft_node *split = maker(g, part[0], "split");
    if (!split || split->out_count != 3) return -1;
    for (int i = 0; i < 3; i++)
        if (split->out[i] != part[i] || !weft_shape_equal(split->out_shape[i], split->out_shape[0])) return -1;
    const int last = split->in_shape[0].rank - 1;
    return split->out_shape[0].dim[last] * 3 == split->in_shape[0].dim[last] ? split->in[0] : -1;
}

// sdpa of heads that transposes have put apart, -> the transpose that puts them beside each other again: sdpa of rows that hold all heads.
static bool attention_heads(weft_graph *g, const weft_node *sdpa, const weft_node *transpose, int slot, weft_fused *out)
{
    weft_sdpa_attrs at = *(const weft_sdpa_attrs *) sdpa->attrs;
    weft_value in[] = { -1, -1, -1, weft_has(sdpa, WEFT_SDPA_MASK) ? sdpa->in[WEFT_SDPA_MASK] : -1 };
    (void) slot;
    if (at.heads || !exchanges_heads(transpose)) return false;
    for (int i = WEFT_SDPA_Q; i <= WEFT_SDPA_V; i++) {
        const weft_node *apart = maker(g, sdpa->in[i], "transpose");
        if (!apart || !exchanges_heads(apart)) return false;
    }
    at.heads = (int32_t) sdpa->in_shape[0].dim[sdpa->in_shape[0].rank - 3];
    for (int i = WEFT_SDPA_Q; i <= WEFT_SDPA_V; i++)
        if ((in[i] = beside_each_other(g, sdpa->in[i])) < 0) return false;
    const weft_value whole = thirds_of(g, in);
    if (whole >= 0) in[0] = whole, in[1] = in[2] = -1, at.joint = 1;
    const weft_value y = weft_graph_op(g, sdpa->op, in, in[WEFT_SDPA_MASK] >= 0 ? 4 : at.joint ? 1 : 3, &at);
    if (y < 0) return false;
    weft_list *to = (weft_list *) out->attrs;
    to->count = transpose->out_shape[0].rank;
    memcpy(to->at, transpose->out_shape[0].dim, sizeof to->at);
    out->op = weft_op_find("reshape");
    out->in[0] = y, out->in_count = 1;
    return true;
}

// add of two tensors of one shape -> layer_norm: both may want the sum, which add_layer_norm makes beside.
static bool add_norm(weft_graph *g, const weft_node *add, const weft_node *norm, int slot, weft_fused *out)
{
    (void) g;
    if (slot != 0 || !weft_shape_equal(add->in_shape[0], add->in_shape[1]) || add->out_shape[0].rank == 4) return false; // images lie otherwise
    out->op = weft_op_find("add_layer_norm"), out->in_count = WEFT_ADD_NORM_INPUTS;
    for (int i = 0; i < WEFT_ADD_NORM_R; i++) out->in[i] = weft_has(norm, i) ? norm->in[i] : -1;
    out->in[WEFT_ADD_NORM_X] = add->in[0], out->in[WEFT_ADD_NORM_R] = add->in[1];
    ((weft_add_norm_attrs *) out->attrs)->norm = *(const weft_layer_norm_attrs *) norm->attrs;
    return true;
}

// The sum beside it.
static int sum_beside_norm(const weft_node *norm, const weft_node *add, weft_fused *out)
{
    const bool same = add->in[0] == norm->in[WEFT_ADD_NORM_X] && add->in[1] == norm->in[WEFT_ADD_NORM_R];
    if (!same || ((const weft_add_norm_attrs *) norm->attrs)->sum) return -1;
    begin(norm, WEFT_ADD_NORM_INPUTS, out);
    ((weft_add_norm_attrs *) out->attrs)->sum = 1;
    return 1;
}

// norm_grad of rows, in the shape of what was normalised -> add: what x gave to another as well comes back from both.
static bool norm_grad_residual(weft_graph *g, const weft_node *reshape, const weft_node *add, int slot, weft_fused *out)
{
    const weft_node *grad = maker(g, reshape->in[0], "norm_grad");
    if (!grad || grad->in_shape[WEFT_NORM_GRAD_X].rank != 2 || grad->out_count > 1 || weft_has(grad, WEFT_NORM_GRAD_R) ||
        !weft_shape_equal(add->in_shape[0], add->in_shape[1]) || add->in[0] == add->in[1])
        return false;
    weft_fused one = { 0 };
    weft_list shape = { .count = grad->in_shape[WEFT_NORM_GRAD_X].rank };
    memcpy(shape.at, grad->in_shape[WEFT_NORM_GRAD_X].dim, sizeof shape.at);
    begin(grad, WEFT_NORM_GRAD_INPUTS, &one);
    one.in[WEFT_NORM_GRAD_R] = weft_graph_call(g, "reshape", WEFT_V(add->in[1 - slot]), &shape);
    if (one.in[WEFT_NORM_GRAD_R] < 0) return false;
    begin(reshape, 1, out);
    out->in[0] = weft_graph_op(g, one.op, one.in, one.in_count, one.attrs);
    return out->in[0] >= 0;
}

const weft_fuse_rule weft_fuse_rules[] = {
    { "sdpa + transpose", "sdpa", "transpose", attention_heads },
    { "mul + bias_act", "mul", "bias_act", scale_bias_act, true },
    { "mul + bias_act_grad", "mul", "bias_act_grad", scale_bias_act, true },
    { "conv2d + bias_act", "conv2d", "bias_act", conv_bias_act },
    { "conv_transpose2d + bias_act", "conv_transpose2d", "bias_act", conv_bias_act },
    { "add + bias_act_back", "add", "bias_act_back", add_back },
    { "mul + bias_act_back", "mul", "bias_act_back", scale_back },
    { "upfirdn2d + bias_act", "upfirdn2d", "bias_act", upfirdn_bias_act },
    { "mul + upfirdn2d", "mul", "upfirdn2d", scale_upfirdn },
    { "mul + conv2d", "mul", "conv2d", scale_conv },
    { "mul + conv_transpose2d", "mul", "conv_transpose2d", scale_conv },
    { "mul + sum", "mul", "sum", sum_product },
    { "conv2d + batch_norm", "conv2d", "batch_norm", conv_norm },
    { "conv_transpose2d + batch_norm", "conv_transpose2d", "batch_norm", conv_norm },
    { "conv2d + bias", "conv2d", "add", conv_bias },
    { "conv_transpose2d + bias", "conv_transpose2d", "add", conv_bias },
    { "conv2d + gate", "conv2d", "gate", conv_gate },
    { "conv_transpose2d + gate", "conv_transpose2d", "gate", conv_gate },
    { "conv2d + residual", "conv2d", "add", conv_residual },
    { "conv_transpose2d + residual", "conv_transpose2d", "add", conv_residual },
    { "conv2d + activation", "conv2d", "*", conv_activation },
    { "conv_transpose2d + activation", "conv_transpose2d", "*", conv_activation },
    { 0 }
};

const weft_fuse_rule weft_grad_fuse_rules[] = {
    { "mul + bias_act", "mul", "bias_act", scale_bias_act, true }, // from y alone: what makes x need not keep it
    { "sdpa + transpose", "sdpa", "transpose", attention_heads },
    { 0 }
};

const weft_fuse_rule weft_device_fuse_rules[] = {
    { "add + layer_norm", "add", "layer_norm", add_norm, true },
    { "norm_grad + add", "reshape", "add", norm_grad_residual },
    { "conv_transpose2d + upfirdn2d", "conv_transpose2d", "upfirdn2d", conv_filter },
    { "upfirdn2d + conv2d", "upfirdn2d", "conv2d", filter_conv },
    { 0 }
};

// slice that is one stretch of its input: nothing is copied. Not of images, whose channels lie innermost on devices, nor where a little
// would keep a lot from being forgotten.
static bool slice_part(const weft_graph *g, const weft_node *slice, weft_fused *out)
{
    enum { SHARE = 16, FEW = 1 << 16 };
    int64_t begin;
    const int64_t all = weft_shape_count(slice->in_shape[0]);
    const bool stays = g->values[weft_lower_root(g, slice->in[0])].node < 0;
    if (slice->in_shape[0].rank > 3 || !weft_slice_is_stretch(slice, &begin) || begin % WEFT_PART_ALIGN || begin > INT32_MAX) return false;
    if (!stays && all > FEW && SHARE * weft_shape_count(slice->out_shape[0]) < all) return false;
    weft_part_attrs at = { .begin = (int32_t) begin, .shape.count = slice->out_shape[0].rank };
    memcpy(at.shape.at, slice->out_shape[0].dim, sizeof at.shape.at);
    out->op = weft_op_find("part");
    out->in[0] = slice->in[0], out->in_count = 1;
    memcpy(out->attrs, &at, sizeof at);
    return true;
}

// concat of what lies side by side anyway.
static bool concat_part(const weft_graph *g, const weft_node *concat, weft_fused *out)
{
    const weft_shape y = concat->out_shape[0];
    const weft_value root = weft_lower_root(g, concat->in[0]);
    const int64_t begin = weft_lower_begin(g, concat->in[0]);
    int64_t end = begin;
    int first = 0; // dimension of more than one index
    while (first < y.rank && y.dim[first] == 1) first++;
    if (y.rank > 3 || begin % WEFT_PART_ALIGN || begin > INT32_MAX) return false;
    for (int i = 0; i < concat->in_count; end += weft_shape_count(concat->in_shape[i++])) {
        for (int d = first + 1; d < y.rank; d++)
            if (concat->in_shape[i].dim[d] != y.dim[d]) return false;
        if (weft_lower_root(g, concat->in[i]) != root || weft_lower_begin(g, concat->in[i]) != end) return false;
    }
    weft_part_attrs at = { .begin = (int32_t) begin, .shape.count = y.rank };
    memcpy(at.shape.at, y.dim, sizeof at.shape.at);
    out->op = weft_op_find("part");
    out->in[0] = root, out->in_count = 1;
    memcpy(out->attrs, &at, sizeof at);
    return true;
}

const weft_simple_rule weft_simple_rules[] = {
    { "concat, part", "concat", concat_part },
    { "slice, part", "slice", slice_part },
    { 0 }
};

const weft_beside_rule weft_device_beside_rules[] = {
    { "add_layer_norm, add", "add_layer_norm", "add", sum_beside_norm },
    { 0 }
};

const weft_beside_rule weft_beside_rules[] = {
    { "bias_act_back, sum_product", "bias_act_back", "sum_product", style_beside_back },
    { 0 }
};
