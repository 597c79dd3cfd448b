// SPDX-License-Identifier: MIT
// How far two tensors lie apart, as one number: pointwise losses, where wanted under a mask.
// target and mask stretch to x by NumPy's rule.
#include "ops/grad.h"
#include "ops/loop.h"
#include <math.h>

enum { L1, MSE, SMOOTH_L1, CHARBONNIER };
enum { X, TARGET, MASK };
enum { REDUCE_MEAN, REDUCE_SUM };
typedef struct loss_attrs { int32_t reduction; float by; } loss_attrs;
typedef struct smooth_attrs { int32_t reduction; float beta; } smooth_attrs; // the same with the names of the tables
typedef struct root_attrs { int32_t reduction; float eps; } root_attrs;

static bool stretches(weft_shape s, weft_shape to)
{
    if (s.rank > to.rank) return false;
    for (int d = 0; d < s.rank; d++)
        if (s.dim[d] != 1 && s.dim[d] != to.dim[to.rank - s.rank + d]) return false;
    return true;
}

static weft_result loss_infer(weft_node *n)
{
    char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
    for (int i = TARGET; i <= MASK; i++)
        if (weft_has(n, i) && !stretches(n->in_shape[i], n->in_shape[X]))
            return weft_node_fail(n, "%s %s does not stretch to x %s", i == TARGET ? "target" : "mask", weft_shape_text(n->in_shape[i], a),
                                  weft_shape_text(n->in_shape[X], b));
    n->out_shape[0] = (weft_shape) { 0 };
    return WEFT_OK;
}

// The loop over x with target and mask beside it; where there is no mask, the target stands in for it.
static void loss_loop(const weft_node *n, weft_loop *l)
{
    const weft_shape x = n->in_shape[X];
    int64_t stride[WEFT_LOOP_TENSORS][WEFT_MAX_RANK] = { { 0 } };
    for (int i = 0; i < 3; i++) {
        const weft_shape s = n->in_shape[weft_has(n, i) ? i : TARGET];
        int64_t packed[WEFT_MAX_RANK];
        weft_layout_strides(s, WEFT_ROW, packed);
        for (int d = 0; d < s.rank; d++) stride[i][x.rank - s.rank + d] = s.dim[d] == 1 ? 0 : packed[d];
    }
    for (int d = x.rank - 1, step = 1; d >= 0; d--) stride[X][d] = step, step *= (int) x.dim[d];
    weft_loop_make(l, x, 3, stride);
}

static double distance(int kind, double by, double d)
{
    const double a = fabs(d);
    switch (kind) {
    case L1: return a;
    case MSE: return d * d;
    case SMOOTH_L1: return a < by ? d * d / (2 * by) : a - by / 2;
    default: return sqrt(d * d + by * by);
    }
}

static void loss_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const loss_attrs *at = n->attrs;
    const weft_real *x = arg->in[X], *target = arg->in[TARGET], *mask = weft_has(n, MASK) ? arg->in[MASK] : NULL;
    const double by = n->op->index >= SMOOTH_L1 ? at->by : 0;
    double sum = 0, weight = 0;
    weft_loop l;
    loss_loop(n, &l);
    for (weft_lines w = weft_lines_of(&l, 0, weft_shape_count(n->in_shape[X])); weft_lines_next(&w);)
        for (int64_t i = 0; i < w.count; i++) {
            const double m = mask ? mask[w.at[MASK] + i * w.step[MASK]] : 1;
            sum += m * distance(n->op->index, by, (double) x[w.at[X] + i * w.step[X]] - target[w.at[TARGET] + i * w.step[TARGET]]);
            weight += m;
        }
    ((weft_real *) arg->out[0])[0] = (weft_real) (at->reduction == REDUCE_SUM ? sum : sum / fmax(weight, 1e-6));
}

static weft_value pointwise(const weft_node *n, weft_graph *g, weft_value d)
{
    const double by = ((const loss_attrs *) n->attrs)->by;
    switch (n->op->index) {
    case L1: return weft_grad_unary(g, "abs", d);
    case MSE: return weft_grad_unary(g, "square", d);
    case SMOOTH_L1: { // with m = min(|d|, beta): m (|d| - m / 2) / beta
        const weft_value a = weft_grad_unary(g, "abs", d), m = weft_grad_binary(g, "min", a, weft_graph_scalar(g, by));
        return weft_grad_scale(g, weft_grad_mul(g, m, weft_grad_binary(g, "sub", a, weft_grad_scale(g, m, 0.5))), 1 / by);
    }
    default: return weft_grad_unary(g, "sqrt", weft_grad_shift(g, weft_grad_unary(g, "square", d), by * by));
    }
}

static weft_value total(weft_graph *g, const char *how, weft_value v) { return weft_grad_call(g, how, WEFT_V(v), NULL); }

static weft_result loss_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const bool mean = ((const loss_attrs *) n->attrs)->reduction == REDUCE_MEAN;
    const weft_value e = pointwise(n, g, weft_grad_binary(g, "sub", n->in[X], n->in[TARGET]));
    if (!weft_has(n, MASK)) {
        out[0] = total(g, mean ? "mean" : "sum", e);
        return weft_graph_status(g);
    }
    out[0] = total(g, "sum", weft_grad_mul(g, e, n->in[MASK]));
    if (mean) { // an empty mask gives 0
        const double each = (double) weft_shape_count(n->in_shape[X]) / (double) weft_shape_count(n->in_shape[MASK]);
        const weft_value weight = weft_grad_scale(g, total(g, "sum", n->in[MASK]), each);
        out[0] = weft_grad_binary(g, "div", out[0], weft_grad_binary(g, "max", weight, weft_graph_scalar(g, 1e-6)));
    }
    return weft_graph_status(g);
}

static double loss_flops(const weft_node *n) { return 4.0 * (double) weft_shape_count(n->in_shape[X]); }

#define REDUCTION(struct_) WEFT_ATTR(struct_, reduction, ENUM, .choices = "mean|sum", .doc = "over all elements; a mean under a mask is sum(mask e) / max(sum(mask), 1e-6)")
#define AT(...) &(const loss_attrs) { __VA_ARGS__ }
// A mask of noughts and ones; one with weights between them; none; a target that stretches; one image's mask for all.
#define CASES(by_)                                                                                                                  \
    (const weft_case[]) {                                                                                                           \
        { .in = { WEFT_SHAPE(2, 3, 5, 7), WEFT_SHAPE(2, 3, 5, 7) }, .attrs = AT(REDUCE_MEAN, by_) },                                \
        { .in = { WEFT_SHAPE(2, 3, 9, 7), WEFT_SHAPE(2, 3, 9, 7), WEFT_SHAPE(1, 1, 9, 7) }, .masks = 4, .attrs = AT(REDUCE_MEAN, by_) }, \
        { .in = { WEFT_SHAPE(1, 4, 6, 5), WEFT_SHAPE(4, 1, 1), WEFT_SHAPE(1, 4, 6, 5) }, .low = 0.1, .high = 1.7, .attrs = AT(REDUCE_MEAN, by_) }, \
        { .in = { WEFT_SHAPE(1, 13), WEFT_SHAPE(1, 13), WEFT_SHAPE(1, 13) }, .low = 0.1, .high = 1.1, .attrs = AT(REDUCE_SUM, by_) }, \
        { .in = { WEFT_SHAPE(3, 67), WEFT_SHAPE(67) }, .attrs = AT(REDUCE_SUM, by_) },                                              \
        { 0 }                                                                                                                       \
    }
#define FUNCTIONS .out_names = "y", .in_names = "x target mask?", .attr_bytes = sizeof(loss_attrs), .infer = loss_infer, .cpu = loss_cpu, \
        .expand = loss_expand, .flops = loss_flops

static const weft_op l1_loss = {
    .name = "l1_loss", .doc = "y = mean or sum of mask |x - target|.", FUNCTIONS, .index = L1, .cases = CASES(0),
    .attrs = (const weft_attr[]) { REDUCTION(loss_attrs), { 0 } },
};
static const weft_op mse_loss = {
    .name = "mse_loss", .doc = "y = mean or sum of mask (x - target)^2.", FUNCTIONS, .index = MSE, .cases = CASES(0),
    .attrs = (const weft_attr[]) { REDUCTION(loss_attrs), { 0 } },
};
static const weft_op smooth_l1_loss = {
    .name = "smooth_l1_loss", .doc = "y = mean or sum of mask e; with d = |x - target|: e = d^2 / (2 beta) if d < beta else d - beta / 2. Girshick 2015.",
    FUNCTIONS, .index = SMOOTH_L1, .cases = CASES(0.4f),
    .attrs = (const weft_attr[]) { REDUCTION(smooth_attrs), WEFT_ATTR(smooth_attrs, beta, FLOAT, .def = 1, .min = 1e-6, .max = 1e6, .doc = "where the parabola ends"), { 0 } },
};
static const weft_op charbonnier_loss = {
    .name = "charbonnier_loss", .doc = "y = mean or sum of mask sqrt((x - target)^2 + eps^2). Charbonnier et al. 1994.",
    FUNCTIONS, .index = CHARBONNIER, .cases = CASES(0.1f),
    .attrs = (const weft_attr[]) { REDUCTION(root_attrs), WEFT_ATTR(root_attrs, eps, FLOAT, .def = 1e-3, .min = 1e-6, .max = 1e6, .doc = "below this it is flat"), { 0 } },
};

const weft_op *const weft_family_loss[] = { &l1_loss, &mse_loss, &smooth_l1_loss, &charbonnier_loss, NULL };
