// SPDX-License-Identifier: MIT
// One layer of long short-term memory (Hochreiter and Schmidhuber 1997), in one or both directions of time.
// x: [n, t, i] (or [t, n, i]), w_ih: [dirs, 4 h, i], w_hh: [dirs, 4 h, h], b: [dirs, 8 h], h0 and c0: [dirs, n, h].
#include "ops/divide.h"
#include "ops/gemm.h"
#include "ops/loop.h"
#include "ops/lstm.h"
#include "ops/tree.h"
#include "params/lstm_step.h"
#include <math.h>

enum { FORWARD = WEFT_LSTM_FORWARD, REVERSE = WEFT_LSTM_REVERSE, BIDIRECTIONAL = WEFT_LSTM_BIDIRECTIONAL };
enum { X = WEFT_LSTM_X, W_IH = WEFT_LSTM_W_IH, W_HH = WEFT_LSTM_W_HH, B = WEFT_LSTM_B, H0 = WEFT_LSTM_H0, C0 = WEFT_LSTM_C0 };
enum { Y = WEFT_LSTM_Y, HN = WEFT_LSTM_HN, CN = WEFT_LSTM_CN };

weft_lstm_sizes weft_lstm_sizes_of(const weft_node *node)
{
    const weft_lstm_attrs *at = node->attrs;
    const int64_t *x = node->in_shape[X].dim;
    weft_lstm_sizes s = {
        .n = x[at->time_first ? 1 : 0], .t = x[at->time_first ? 0 : 1], .in = x[2], .h = node->in_shape[W_HH].dim[2],
        .dirs = at->direction == BIDIRECTIONAL ? 2 : 1,
    };
    s.x_n = at->time_first ? 1 : s.t, s.x_t = at->time_first ? s.n : 1;
    s.y_n = s.x_n * s.dirs * s.h, s.y_t = s.x_t * s.dirs * s.h;
    return s;
}

static weft_result want(const weft_node *n, int i, const char *what, int rank, const int64_t *dim)
{
    weft_shape s = { rank, { 0 } };
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    for (int d = 0; d < rank; d++) s.dim[d] = dim[d];
    if (!weft_has(n, i) || weft_shape_equal(n->in_shape[i], s)) return WEFT_OK;
    return weft_node_fail(n, "%s is %s, not %s", what, weft_shape_text(n->in_shape[i], a), weft_shape_text(s, b));
}

static weft_result lstm_infer(weft_node *n)
{
    const weft_lstm_attrs *at = n->attrs;
    if (n->in_shape[X].rank != 3 || n->in_shape[W_HH].rank != 3) return weft_node_fail(n, "x and w_hh must have 3 dimensions");
    const weft_lstm_sizes s = weft_lstm_sizes_of(n);
    WEFT_TRY(want(n, W_IH, "w_ih", 3, (int64_t[]) { s.dirs, 4 * s.h, s.in }));
    WEFT_TRY(want(n, W_HH, "w_hh", 3, (int64_t[]) { s.dirs, 4 * s.h, s.h }));
    WEFT_TRY(want(n, B, "b", 2, (int64_t[]) { s.dirs, 8 * s.h }));
    WEFT_TRY(want(n, H0, "h0", 3, (int64_t[]) { s.dirs, s.n, s.h }));
    WEFT_TRY(want(n, C0, "c0", 3, (int64_t[]) { s.dirs, s.n, s.h }));
    n->out_shape[Y] = (weft_shape) { 3, { at->time_first ? s.t : s.n, at->time_first ? s.n : s.t, s.dirs * s.h } };
    n->out_shape[HN] = n->out_shape[CN] = (weft_shape) { 3, { s.dirs, s.n, s.h } };
    return WEFT_OK;
}

static int64_t lstm_items(const weft_node *n)
{
    const weft_lstm_sizes s = weft_lstm_sizes_of(n);
    return s.dirs * s.n;
}

static double dot(const weft_real *a, const weft_real *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double) a[i] * b[i];
    return sum;
}
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static void lstm_cpu(const weft_node *node, const weft_cpu_args *arg)
{
    const weft_lstm_attrs *at = node->attrs;
    const weft_lstm_sizes s = weft_lstm_sizes_of(node);
    for (int64_t item = arg->begin; item < arg->end; item++) {
        const int64_t dir = item / s.n, n = item % s.n, h = s.h;
        const bool backwards = at->direction == REVERSE || dir == 1;
        const weft_real *w_ih = (const weft_real *) arg->in[W_IH] + dir * 4 * h * s.in, *w_hh = (const weft_real *) arg->in[W_HH] + dir * 4 * h * h;
        const weft_real *b = weft_has(node, B) ? (const weft_real *) arg->in[B] + dir * 8 * h : NULL;
        const weft_real *before = weft_has(node, H0) ? (const weft_real *) arg->in[H0] + item * h : NULL; // NULL: zeros
        weft_real *c = (weft_real *) arg->out[CN] + item * h;
        for (int64_t j = 0; j < h; j++) c[j] = weft_has(node, C0) ? ((const weft_real *) arg->in[C0])[item * h + j] : 0;
        for (int64_t step = 0; step < s.t; step++) {
            const int64_t t = backwards ? s.t - 1 - step : step;
            const weft_real *x = (const weft_real *) arg->in[X] + (n * s.x_n + t * s.x_t) * s.in;
            weft_real *y = (weft_real *) arg->out[Y] + n * s.y_n + t * s.y_t + dir * h;
            for (int64_t j = 0; j < h; j++) {
                double gate[4]; // input, forget, cell, output
                for (int k = 0; k < 4; k++) {
                    const int64_t row = k * h + j;
                    gate[k] = dot(x, w_ih + row * s.in, s.in) + (before ? dot(before, w_hh + row * h, h) : 0) + (b ? (double) b[row] + b[4 * h + row] : 0);
                }
                const double cell = sigmoid(gate[1]) * c[j] + sigmoid(gate[0]) * tanh(gate[2]);
                c[j] = (weft_real) cell;
                y[j] = (weft_real) (sigmoid(gate[3]) * tanh(cell));
            }
            before = y;
        }
        for (int64_t j = 0; j < h; j++) ((weft_real *) arg->out[HN])[item * h + j] = before[j];
    }
}

static int lstm_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    (void) n;
    return weft_tree_ways(e, "lstm_step_subgroup", "lstm_step", list);
}

// All of x through w_ih at once; then a dispatch per step of time for what depends on the step before.
static weft_result lstm_emit(const weft_node *n, weft_emit *e)
{
    const weft_lstm_attrs *at = n->attrs;
    const weft_lstm_sizes s = weft_lstm_sizes_of(n);
    WEFT_TRY(weft_loop_check(n));
    if (s.dirs * s.n * s.t * 4 * s.h > INT32_MAX) return weft_node_fail(n, "the gates of all steps are more than 2^31 numbers"), WEFT_ERR_UNSUPPORTED;
    const int gates = weft_emit_scratch(e, s.dirs * s.n * s.t * 4 * s.h, WEFT_F32);
    const int cells = weft_emit_scratch(e, s.dirs * s.n * s.h, WEFT_I32); // four bytes whatever the storage: the cells are f32
    if (gates < 0 || cells < 0) return WEFT_ERR_MEMORY;
    const weft_gemm g = {
        .m = s.n * s.t, .n = 4 * s.h, .k = s.in, .trans_b = true, .batch = { 1, { s.dirs } }, .a_step = { 0 }, .b_step = { 1 }, .b_count = s.dirs,
        .y = WEFT_BIND_SCRATCH(gates, 1), .a = WEFT_BIND_IN(X), .b = WEFT_BIND_IN(W_IH), .bias = WEFT_BIND_IN(X),
    };
    WEFT_TRY(weft_gemm_emit(&g, e, NULL));
    const uint32_t rows = s.n > 2 ? 4 : s.n > 1 ? 2 : 1;
    for (int64_t step = 0; step < s.t; step++) {
        const struct lstm_step_params p = {
            .n = (u32) s.n, .h = (u32) s.h, .dirs = (u32) s.dirs, .steps = (u32) s.t, .step = (u32) step, .row_tiles = (u32) ceil_div(s.n, rows),
            .gates_n = (u32) s.x_n, .gates_t = (u32) s.x_t,
        };
        WEFT_TRY(weft_emit_dispatch(e, &(weft_dispatch) {
            .kernel = weft_emit_way(e)->kernel, .params = &p, .params_bytes = sizeof p, .group = { 32 }, .grid = { 32 * p.h * p.row_tiles * p.dirs },
            .spec = { rows, s.h % 4 == 0, at->direction == REVERSE, weft_has(n, B), weft_has(n, H0), weft_has(n, C0), weft_emit_packed(e, W_HH) }, .spec_count = 7,
            .bind = { WEFT_BIND_OUT(Y), WEFT_BIND_OUT(HN), WEFT_BIND_OUT(CN), WEFT_BIND_SCRATCH(gates, 0),
                      WEFT_BIND_IN(W_HH), WEFT_BIND_IN(B), WEFT_BIND_IN(H0), WEFT_BIND_IN(C0), WEFT_BIND_SCRATCH(cells, 1) },
            .bind_count = 9, .flops = 8.0 * (double) (s.dirs * s.n * s.h * s.h),
        }));
    }
    return WEFT_OK;
}

static double lstm_flops(const weft_node *n)
{
    const weft_lstm_sizes s = weft_lstm_sizes_of(n);
    return 8.0 * (double) (s.dirs * s.n * s.t * s.h) * (double) (s.in + s.h);
}

const weft_op weft_op_lstm = {
    .name = "lstm",
    .doc = "Per step: i, f, g, o = the four parts of w_ih x_t + w_hh h + b (b: that of w_ih, then that of w_hh); c = sigmoid(f) c + sigmoid(i) "
           "tanh(g); h = sigmoid(o) tanh(c). y [n, t, dirs h] holds h of every step, the directions side by side; hn and cn [dirs, n, h] are the "
           "last. Several layers are several nodes. Hochreiter and Schmidhuber 1997; gates in PyTorch's order.",
    .out_names = "y hn cn", .in_names = "x w_ih w_hh b? h0? c0?", .half_inputs = 1 << W_IH | 1 << W_HH,
    .attr_bytes = sizeof(weft_lstm_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_lstm_attrs, direction, ENUM, .choices = "forward|reverse|bidirectional", .doc = "of time"),
        WEFT_ATTR(weft_lstm_attrs, time_first, INT, .min = 0, .max = 1, .doc = "1: x is [t, n, i] and y [t, n, dirs h]"),
        { 0 }
    },
    .infer = lstm_infer, .items = lstm_items, .cpu = lstm_cpu, .ways = lstm_ways, .emit = lstm_emit, .flops = lstm_flops, .grad = weft_lstm_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 5, 3), WEFT_SHAPE(1, 28, 3), WEFT_SHAPE(1, 28, 7) } },
        { .in = { WEFT_SHAPE(2, 7, 12), WEFT_SHAPE(2, 160, 12), WEFT_SHAPE(2, 160, 40), WEFT_SHAPE(2, 320) }, .attrs = &(const weft_lstm_attrs) { BIDIRECTIONAL, 0 } },
        { .in = { WEFT_SHAPE(4, 3, 36), WEFT_SHAPE(1, 132, 36), WEFT_SHAPE(1, 132, 33), WEFT_SHAPE(1, 264), WEFT_SHAPE(1, 3, 33), WEFT_SHAPE(1, 3, 33) },
          .attrs = &(const weft_lstm_attrs) { REVERSE, 1 } },
        { .in = { WEFT_SHAPE(5, 2, 4), WEFT_SHAPE(2, 64, 4), WEFT_SHAPE(2, 64, 16), WEFT_SHAPE(2, 128), WEFT_SHAPE(2, 5, 16), WEFT_SHAPE(2, 5, 16) },
          .attrs = &(const weft_lstm_attrs) { BIDIRECTIONAL, 0 }, .in_count = 6, .absent = 1 << B },
        { 0 }
    },
    .tolerance = 2e-5,
};
