// SPDX-License-Identifier: MIT
// The recurrent half of lstm's gradient, one direction: from what the outputs receive to what the sums of the gates receive, step by step.
#include "ops/divide.h"
#include "ops/lstm.h"
#include "ops/loop.h"
#include "params/lstm_back.h"
#include <math.h>

enum { SUMS, W, C0, DY, DH, DC, INPUTS };
enum { DSUMS, DH0, DC0 };

typedef struct sizes { int64_t n, t, h, row_n, row_t; } sizes; // row_..: from one sequence and time to the next
static sizes sizes_of(const weft_node *node)
{
    const weft_lstm_back_attrs *at = node->attrs;
    const int64_t *x = node->in_shape[SUMS].dim;
    sizes s = { at->time_first ? x[1] : x[0], at->time_first ? x[0] : x[1], node->in_shape[W].dim[1], 0, 0 };
    s.row_n = at->time_first ? 1 : s.t, s.row_t = at->time_first ? s.n : 1;
    return s;
}

static weft_result back_infer(weft_node *n)
{
    static const char *const names[INPUTS] = { "sums", "w", "c0", "dy", "dh", "dc" };
    if (n->in_shape[SUMS].rank != 3 || n->in_shape[W].rank != 2) return weft_node_fail(n, "sums must have 3 dimensions and w 2");
    const sizes s = sizes_of(n);
    weft_shape y = n->in_shape[SUMS];
    const weft_shape state = WEFT_SHAPE(s.n, s.h);
    y.dim[2] = s.h;
    if (n->in_shape[SUMS].dim[2] != 4 * s.h || n->in_shape[W].dim[0] != 4 * s.h) return weft_node_fail(n, "sums and w do not fit");
    for (int i = C0; i < INPUTS; i++)
        if (weft_has(n, i) && !weft_shape_equal(n->in_shape[i], i == DY ? y : state)) return weft_node_fail(n, "%s does not fit", names[i]);
    n->out_shape[DSUMS] = n->in_shape[SUMS];
    n->out_shape[DH0] = n->out_shape[DC0] = state;
    return WEFT_OK;
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static int64_t row_of(const weft_node *node, const sizes *s, int64_t n, int64_t step)
{
    return n * s->row_n + (((const weft_lstm_back_attrs *) node->attrs)->backwards ? s->t - 1 - step : step) * s->row_t;
}

// What h receives through the sums of the next step.
static void through(const sizes *s, const weft_real *dsums, const weft_real *w, weft_real *back)
{
    enum { COLUMNS = 64 };
    for (int64_t first = 0; first < s->h; first += COLUMNS) {
        const int64_t count = s->h - first < COLUMNS ? s->h - first : COLUMNS;
        double sum[COLUMNS] = { 0 };
        for (int64_t k = 0; k < 4 * s->h; k++)
            for (int64_t j = 0; j < count; j++) sum[j] += (double) dsums[k] * w[k * s->h + first + j];
        for (int64_t j = 0; j < count; j++) back[first + j] = (weft_real) sum[j];
    }
}

static int64_t back_items(const weft_node *n) { return sizes_of(n).n; }

// Cells lie where dsums will, until a step needs them no more; what h and c receive lies in the outputs of their first values.
static void back_cpu(const weft_node *node, const weft_cpu_args *arg)
{
    const sizes s = sizes_of(node);
    const int64_t h = s.h;
    for (int64_t n = arg->begin; n < arg->end; n++) {
        weft_real *back = (weft_real *) arg->out[DH0] + n * h, *came = (weft_real *) arg->out[DC0] + n * h, *all = arg->out[DSUMS];
        const weft_real *c0 = weft_has(node, C0) ? (const weft_real *) arg->in[C0] + n * h : NULL;
        for (int64_t step = 0; step < s.t; step++) {
            const weft_real *x = (const weft_real *) arg->in[SUMS] + row_of(node, &s, n, step) * 4 * h;
            const weft_real *before = step ? all + row_of(node, &s, n, step - 1) * 4 * h : c0;
            weft_real *c = all + row_of(node, &s, n, step) * 4 * h;
            for (int64_t j = 0; j < h; j++) c[j] = (weft_real) (sigmoid(x[h + j]) * (before ? before[j] : 0) + sigmoid(x[j]) * tanh(x[2 * h + j]));
        }
        for (int64_t j = 0; j < h; j++) {
            back[j] = weft_has(node, DH) ? ((const weft_real *) arg->in[DH])[n * h + j] : 0;
            came[j] = weft_has(node, DC) ? ((const weft_real *) arg->in[DC])[n * h + j] : 0;
        }
        for (int64_t step = s.t - 1; step >= 0; step--) {
            const int64_t row = row_of(node, &s, n, step);
            const weft_real *x = (const weft_real *) arg->in[SUMS] + row * 4 * h;
            const weft_real *before = step ? all + row_of(node, &s, n, step - 1) * 4 * h : c0;
            weft_real *d = all + row * 4 * h;
            for (int64_t j = 0; j < h; j++) {
                const double i = sigmoid(x[j]), f = sigmoid(x[h + j]), g = tanh(x[2 * h + j]), o = sigmoid(x[3 * h + j]), c = tanh(d[j]);
                const double y = back[j] + (weft_has(node, DY) ? ((const weft_real *) arg->in[DY])[row * h + j] : 0);
                const double dc = came[j] + y * o * (1 - c * c);
                d[j] = (weft_real) (dc * g * i * (1 - i));
                d[h + j] = (weft_real) (dc * (before ? before[j] : 0) * f * (1 - f));
                d[2 * h + j] = (weft_real) (dc * i * (1 - g * g));
                d[3 * h + j] = (weft_real) (y * c * o * (1 - o));
                came[j] = (weft_real) (dc * f);
            }
            through(&s, d, arg->in[W], back);
        }
    }
}

static double back_flops(const weft_node *n)
{
    const sizes s = sizes_of(n);
    return 8.0 * (double) (s.n * s.t) * (double) (s.h * s.h);
}

static weft_result back_emit(const weft_node *n, weft_emit *e)
{
    enum { UNITS = 32, PARTS = 4 }; // of a workgroup of lstm_back
    const sizes s = sizes_of(n);
    WEFT_TRY(weft_loop_check(n));
    const int cells = weft_emit_scratch(e, (s.t + 1) * s.n * s.h, WEFT_I32); // four bytes whatever the storage: the cells are f32
    if (cells < 0) return WEFT_ERR_MEMORY;
    struct lstm_back_params p = {
        .n = (u32) s.n, .h = (u32) s.h, .tiles = (u32) ceil_div(s.h, UNITS), .steps = (u32) s.t, .gates_n = (u32) s.row_n, .gates_t = (u32) s.row_t,
        .backwards = (u32) ((const weft_lstm_back_attrs *) n->attrs)->backwards,
    };
    WEFT_TRY(weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "lstm_cells", .spec = { weft_has(n, C0) }, .spec_count = 1, .params = &p, .params_bytes = sizeof p, .grid = { p.n * p.h },
        .bind = { WEFT_BIND_SCRATCH(cells, 1), WEFT_BIND_IN(SUMS), WEFT_BIND_IN(weft_has(n, C0) ? C0 : SUMS) }, .bind_count = 3,
        .flops = 12.0 * (double) (s.n * s.t * s.h),
    }));
    for (int64_t turn = 0; turn <= s.t; turn++) { // the last step first; then h before the first
        p.step = (u32) (turn < s.t ? s.t - 1 - turn : s.t);
        weft_dispatch d = {
            .kernel = "lstm_back", .spec = { weft_has(n, C0), weft_has(n, DY), weft_has(n, DH), weft_has(n, DC), weft_emit_packed(e, W) }, .spec_count = 5,
            .params = &p, .params_bytes = sizeof p, .group = { UNITS * PARTS }, .grid = { UNITS * PARTS * p.tiles * p.n },
            .bind = { WEFT_BIND_OUT(DSUMS), WEFT_BIND_OUT(DH0), WEFT_BIND_OUT(DC0) }, .bind_count = 3, .flops = 8.0 * (double) (s.n * s.h) * (double) s.h,
        };
        for (int i = 0; i < INPUTS; i++) d.bind[d.bind_count++] = (weft_bind) WEFT_BIND_IN(weft_has(n, i) ? i : SUMS);
        d.bind[d.bind_count++] = (weft_bind) WEFT_BIND_SCRATCH(cells, 1);
        WEFT_TRY(weft_emit_dispatch(e, &d));
    }
    return WEFT_OK;
}

#define AT(...) &(const weft_lstm_back_attrs) { __VA_ARGS__ }
const weft_op weft_op_lstm_back = {
    .name = "lstm_back",
    .doc = "What the sums of the gates of one direction of lstm, [n, t, 4 h], receive, and h and c before the first step, when its y receives "
           "dy [n, t, h] and the last h and c receive dh and dc [n, h]. w: [4 h, h], by which h enters the sums.",
    .out_names = "dsums dh0 dc0", .in_names = "sums w c0? dy? dh? dc?", .half_inputs = 1 << W,
    .attr_bytes = sizeof(weft_lstm_back_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_lstm_back_attrs, backwards, INT, .min = 0, .max = 1, .doc = "1: the last time is the first step"),
        WEFT_ATTR(weft_lstm_back_attrs, time_first, INT, .min = 0, .max = 1, .doc = "1: sums are [t, n, 4 h]"),
        { 0 }
    },
    .infer = back_infer, .items = back_items, .cpu = back_cpu, .emit = back_emit, .flops = back_flops, .unfuse = weft_lstm_back_unfuse,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 5, 28), WEFT_SHAPE(28, 7), WEFT_SHAPE(1, 7), WEFT_SHAPE(1, 5, 7) }, .absent = 1 << C0, .in_count = 4 },
        { .in = { WEFT_SHAPE(4, 3, 132), WEFT_SHAPE(132, 33), WEFT_SHAPE(3, 33), WEFT_SHAPE(4, 3, 33), WEFT_SHAPE(3, 33), WEFT_SHAPE(3, 33) }, .attrs = AT(1, 1) },
        { .in = { WEFT_SHAPE(2, 1, 64), WEFT_SHAPE(64, 16), WEFT_SHAPE(2, 16), WEFT_SHAPE(2, 1, 16), WEFT_SHAPE(2, 16), WEFT_SHAPE(2, 16) },
          .absent = 1 << DY, .in_count = 6 },
        { 0 }
    },
    .tolerance = 2e-5,
};
