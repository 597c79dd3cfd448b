// SPDX-License-Identifier: MIT
// Gradient of lstm: backpropagation through time. The hidden states of all steps are the row's output, so all gates are computed
// again at once; what flows back goes step by step, in lstm_back, and reaches weights and inputs at once.
#include "ops/grad.h"
#include "ops/lstm.h"

enum { X = WEFT_LSTM_X, W_IH, W_HH, B, H0, C0 };

typedef struct walk { // one direction
    const weft_node *node;
    weft_graph *g;
    weft_lstm_sizes s;
    int64_t dir;
    int time;       // the dimension of x and y that is time
    bool backwards; // the last step of time comes first
    weft_value w_ih, w_hh, before, cells_before; // before: h of the step before, of all steps
    weft_value i, f, c, o, tanh_cell;            // gates and tanh of the cell, of all steps
    weft_value dh, dc, dgates;                   // what reaches h0 and c0; d loss / d gates of all steps
} walk;

static weft_value mul(walk *w, weft_value a, weft_value b) { return weft_grad_mul(w->g, a, b); }

// Every value along an axis, a few at a time.
static weft_value join(walk *w, const weft_value *v, int64_t count, int axis)
{
    enum { FEW = 8 };
    const weft_value *from = v;
    while (count > 1) {
        weft_value *to = weft_arena_new(w->g->arena, sizeof *to * (size_t) count);
        int64_t joined = 0;
        if (!to) return -1;
        for (int64_t first = 0; first < count; first += FEW)
            to[joined++] = weft_grad_call(w->g, "concat", from + first, (int) (count - first < FEW ? count - first : FEW), WEFT_WITH({ "axis", NULL, 1, { axis } }));
        from = to, count = joined;
    }
    return from[0];
}

// The shape of a step, or of `steps`, with `features` numbers per sequence.
static weft_shape steps_of(const walk *w, int64_t steps, int64_t features)
{
    weft_shape s = { 3, { w->s.n, w->s.n, features } };
    s.dim[w->time] = steps;
    return s;
}

static weft_value at_step(walk *w, weft_value v, int64_t t) { return weft_grad_slice(w->g, v, w->time, t, t + 1); }
static weft_value flat(walk *w, weft_value v, int64_t rows, int64_t features) { return weft_grad_reshape(w->g, v, (weft_shape) WEFT_SHAPE(rows, features)); }
static weft_value zeros(walk *w) { return weft_grad_expand(w->g, weft_graph_scalar(w->g, 0), steps_of(w, 1, w->s.h)); }

// This direction's part of an input or cotangent [dirs, ..], in the given shape; -1 where there is none.
static weft_value own(walk *w, weft_value v, weft_shape shape)
{
    return v < 0 ? -1 : weft_grad_reshape(w->g, weft_grad_slice(w->g, v, 0, w->dir, w->dir + 1), shape);
}

static weft_value state(walk *w, int input) // h0 or c0 as a step
{
    return weft_has(w->node, input) ? own(w, w->node->in[input], steps_of(w, 1, w->s.h)) : zeros(w);
}

// `all`, one step later: `first`, then all but the last.
static weft_value delayed(walk *w, weft_value all, weft_value first)
{
    if (w->s.t == 1) return first;
    const weft_value rest = weft_grad_slice(w->g, all, w->time, w->backwards, w->s.t - !w->backwards);
    const weft_value both[2] = { w->backwards ? rest : first, w->backwards ? first : rest };
    return join(w, both, 2, w->time);
}

static int64_t time_of(const walk *w, int64_t step) { return w->backwards ? w->s.t - 1 - step : step; }

static weft_value gate(walk *w, weft_value sums, int which, const char *op)
{
    return weft_grad_unary(w->g, op, weft_grad_slice(w->g, sums, 2, which * w->s.h, (which + 1) * w->s.h));
}

// The sums of all gates of all steps.
static weft_value sums_of(walk *w)
{
    weft_graph *g = w->g;
    const int64_t h = w->s.h;
    weft_value b = -1;
    w->w_ih = own(w, w->node->in[W_IH], (weft_shape) WEFT_SHAPE(4 * h, w->s.in));
    w->w_hh = own(w, w->node->in[W_HH], (weft_shape) WEFT_SHAPE(4 * h, h));
    if (weft_has(w->node, B)) {
        const weft_value both = own(w, w->node->in[B], (weft_shape) WEFT_SHAPE(8 * h));
        b = weft_grad_add(g, weft_grad_slice(g, both, 0, 0, 4 * h), weft_grad_slice(g, both, 0, 4 * h, 8 * h));
    }
    w->before = delayed(w, weft_grad_slice(g, w->node->out[WEFT_LSTM_Y], 2, w->dir * h, (w->dir + 1) * h), state(w, H0));
    const weft_value from_x = weft_graph_call(g, "linear", (const weft_value[]) { w->node->in[X], w->w_ih, b }, b < 0 ? 2 : 3, NULL);
    return weft_grad_add(g, from_x, weft_grad_binary(g, "linear", w->before, w->w_hh));
}

// --- lstm_back in other rows: for gradients of gradients. ------------------------------------------------------------

static weft_result forwards(walk *w, weft_value sums, weft_value first)
{
    weft_graph *g = w->g;
    const int64_t t = w->s.t;
    weft_value *cells = weft_arena_new(g->arena, sizeof *cells * (size_t) t);
    if (!cells) return WEFT_ERR_MEMORY;
    w->i = gate(w, sums, 0, "sigmoid"), w->f = gate(w, sums, 1, "sigmoid"), w->c = gate(w, sums, 2, "tanh"), w->o = gate(w, sums, 3, "sigmoid");

    const weft_value fresh = mul(w, w->i, w->c);
    weft_value cell = first;
    for (int64_t step = 0; step < t; step++) {
        const int64_t at = time_of(w, step);
        cell = cells[at] = weft_grad_add(g, mul(w, at_step(w, w->f, at), cell), at_step(w, fresh, at));
    }
    const weft_value all = join(w, cells, t, w->time);
    w->cells_before = delayed(w, all, first);
    w->tanh_cell = weft_grad_unary(g, "tanh", all);
    return weft_graph_status(g);
}

// v (1 - v), and 1 - v^2.
static weft_value sigmoid_slope(walk *w, weft_value v) { return weft_grad_binary(w->g, "sub", v, weft_grad_unary(w->g, "square", v)); }
static weft_value tanh_slope(walk *w, weft_value v)
{
    return weft_grad_call(w->g, "affine", WEFT_V(weft_grad_unary(w->g, "square", v)), WEFT_WITH({ "a", NULL, 1, { -1 } }, { "b", NULL, 1, { 1 } }));
}

static weft_result backwards(walk *w, weft_value dys, weft_value dh, weft_value dc)
{
    weft_graph *g = w->g;
    const int64_t h = w->s.h, n = w->s.n, t = w->s.t;
    weft_value *parts = weft_arena_new(g->arena, sizeof *parts * (size_t) t);
    if (!parts) return WEFT_ERR_MEMORY;
    // d gates / d cell of the first three, d output gate / d h; d cell / d h
    const weft_value slopes[4] = {
        mul(w, w->c, sigmoid_slope(w, w->i)), mul(w, w->cells_before, sigmoid_slope(w, w->f)), mul(w, w->i, tanh_slope(w, w->c)),
        mul(w, w->tanh_cell, sigmoid_slope(w, w->o)),
    };
    const weft_value slope = join(w, slopes, 4, 2), into_cell = mul(w, w->o, tanh_slope(w, w->tanh_cell));
    for (int64_t step = t - 1; step >= 0; step--) {
        const int64_t at = time_of(w, step);
        if (dys >= 0) dh = dh < 0 ? at_step(w, dys, at) : weft_grad_add(g, dh, at_step(w, dys, at));
        if (dh < 0) dh = zeros(w);
        const weft_value through = mul(w, dh, at_step(w, into_cell, at));
        dc = dc < 0 ? through : weft_grad_add(g, dc, through);
        parts[at] = mul(w, join(w, (const weft_value[]) { dc, dc, dc, dh }, 4, 2), at_step(w, slope, at));
        dh = weft_grad_reshape(g, weft_grad_binary(g, "matmul", flat(w, parts[at], n, 4 * h), w->w_hh), steps_of(w, 1, h));
        dc = mul(w, dc, at_step(w, w->f, at));
    }
    w->dh = dh, w->dc = dc;
    w->dgates = flat(w, join(w, parts, t, w->time), n * t, 4 * h);
    return weft_graph_status(g);
}

weft_result weft_lstm_back_unfuse(const weft_node *n, weft_graph *g, weft_value *out)
{
    enum { SUMS, W, FIRST, DY, DH, DC };
    const weft_lstm_back_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[SUMS].dim;
    walk w = { .node = n, .g = g, .time = at->time_first ? 0 : 1, .backwards = at->backwards, .w_hh = n->in[W] };
    w.s.n = x[1 - w.time], w.s.t = x[w.time], w.s.h = n->in_shape[W].dim[1];
    weft_value start[DC + 1];
    for (int i = FIRST; i <= DC; i++) {
        start[i] = weft_has(n, i) ? n->in[i] : -1;
        if (start[i] >= 0 && i != DY) start[i] = weft_grad_reshape(g, start[i], steps_of(&w, 1, w.s.h));
    }
    WEFT_TRY(forwards(&w, n->in[SUMS], start[FIRST] < 0 ? zeros(&w) : start[FIRST]));
    WEFT_TRY(backwards(&w, start[DY], start[DH], start[DC]));
    out[0] = weft_grad_reshape(g, w.dgates, n->in_shape[SUMS]);
    out[1] = flat(&w, w.dh, w.s.n, w.s.h), out[2] = flat(&w, w.dc, w.s.n, w.s.h);
    return weft_graph_status(g);
}

// --- The rule. -------------------------------------------------------------------------------------------------------

static weft_result back(walk *w, const weft_value *dy)
{
    weft_graph *g = w->g;
    const int64_t h = w->s.h;
    const weft_shape state = WEFT_SHAPE(w->s.n, h);
    const weft_lstm_back_attrs at = { w->backwards, w->time == 0 };
    const weft_value in[] = {
        sums_of(w), w->w_hh, weft_has(w->node, C0) ? own(w, w->node->in[C0], state) : -1,
        dy[WEFT_LSTM_Y] < 0 ? -1 : weft_grad_slice(g, dy[WEFT_LSTM_Y], 2, w->dir * h, (w->dir + 1) * h), own(w, dy[WEFT_LSTM_HN], state),
        own(w, dy[WEFT_LSTM_CN], state),
    };
    const weft_value all = weft_graph_call(g, "lstm_back", in, 6, &at);
    if (all < 0) return weft_graph_status(g);
    w->dgates = flat(w, all, w->s.n * w->s.t, 4 * h), w->dh = all + 1, w->dc = all + 2;
    return weft_graph_status(g);
}

static weft_value product(walk *w, weft_value with, int64_t features) // dgates^T with
{
    return weft_grad_call(w->g, "matmul", WEFT_V(w->dgates, flat(w, with, w->s.n * w->s.t, features)), WEFT_WITH({ "trans_a", NULL, 1, { 1 } }));
}

// What one direction adds: its part [1, ..] of inputs that have one per direction; all of x.
static weft_value part_of(walk *w, int input)
{
    weft_shape s = w->node->in_shape[input];
    weft_value v = w->dh;
    if (input == X) return weft_grad_reshape(w->g, weft_grad_binary(w->g, "matmul", w->dgates, w->w_ih), s);
    if (input == W_IH) v = product(w, w->node->in[X], w->s.in);
    if (input == W_HH) v = product(w, w->before, w->s.h);
    if (input == C0) v = w->dc;
    if (input == B) {
        v = weft_grad_reduce(w->g, "sum", w->dgates, 1u << 0);
        v = join(w, (const weft_value[]) { v, v }, 2, 1);
    }
    s.dim[0] = 1;
    return weft_grad_reshape(w->g, v, s);
}

weft_result weft_lstm_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const weft_lstm_attrs *at = n->attrs;
    weft_value part[C0 + 1][2];
    const weft_lstm_sizes s = weft_lstm_sizes_of(n);
    walk w = { n, g, s, 0, at->time_first ? 0 : 1, false, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
    for (; w.dir < s.dirs; w.dir++) {
        w.backwards = at->direction == WEFT_LSTM_REVERSE || w.dir == 1;
        WEFT_TRY(back(&w, dy));
        for (int i = X; i < n->in_count; i++)
            if (want[i]) part[i][w.dir] = part_of(&w, i);
    }
    for (int i = X; i < n->in_count; i++) {
        if (!want[i]) continue;
        if (i == X && s.dirs == 2) dx[i] = weft_grad_add(g, part[i][0], part[i][1]);
        else dx[i] = join(&w, part[i], i == X ? 1 : s.dirs, 0);
    }
    return WEFT_OK;
}
