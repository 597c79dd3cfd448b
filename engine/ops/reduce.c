// SPDX-License-Identifier: MIT
// Reductions over any dimensions.
#include "ops/divide.h"
#include "ops/reduce.h"
#include "ops/loop.h"
#include "ops/grad.h"
#include "params/reduce.h"
#include <math.h>

typedef struct reduce_attrs { weft_list axes; int32_t keep; } reduce_attrs;

static bool gives_index(const weft_node *n) { return n->op->index == WEFT_ARGMAX || n->op->index == WEFT_ARGMIN; }

bool weft_reduce_mask(const weft_node *n, uint32_t *mask)
{
    const reduce_attrs *at = n->attrs;
    const int rank = n->in_shape[0].rank;
    *mask = at->axes.count ? 0 : (1u << rank) - 1;
    for (int k = 0; k < at->axes.count; k++) {
        const int64_t d = at->axes.at[k] < 0 ? at->axes.at[k] + rank : at->axes.at[k];
        if (d < 0 || d >= rank) return false;
        *mask |= 1u << d;
    }
    return true;
}

static weft_result reduce_infer(weft_node *n)
{
    const reduce_attrs *at = n->attrs;
    const weft_shape x = n->in_shape[0];
    uint32_t mask;
    if (!weft_reduce_mask(n, &mask)) return weft_node_fail(n, "x has %d dimensions, and axes names one that is not there", x.rank);
    if (n->op->index == WEFT_SUM_PRODUCT && !weft_shape_equal(n->in_shape[1], x)) return weft_node_fail(n, "the factors must have one shape");
    weft_shape *y = &n->out_shape[0];
    y->rank = 0;
    for (int d = 0; d < x.rank; d++) {
        if (!(mask >> d & 1)) y->dim[y->rank++] = x.dim[d];
        else if (at->keep) y->dim[y->rank++] = 1;
    }
    if (gives_index(n)) n->out_dtype[0] = WEFT_I32;
    return WEFT_OK;
}

static int64_t reduce_items(const weft_node *n) { return weft_shape_count(n->out_shape[0]); }

// --- The truth. ----------------------------------------------------------------------------------------------

typedef struct state { double value, most; int64_t at; } state;

static void take(state *s, int how, double x, int64_t i)
{
    switch (how) {
    case WEFT_MAX: s->value = i ? fmax(s->value, x) : x; break;
    case WEFT_MIN: s->value = i ? fmin(s->value, x) : x; break;
    case WEFT_PROD: s->value = i ? s->value * x : x; break;
    case WEFT_L1: s->value += fabs(x); break;
    case WEFT_L2:
    case WEFT_SUM_SQUARE: s->value += x * x; break;
    case WEFT_LOG_SUM_EXP: s->value += exp(x - s->most); break;
    case WEFT_ARGMAX: if (!i || x > s->value) s->value = x, s->at = i; break;
    case WEFT_ARGMIN: if (!i || x < s->value) s->value = x, s->at = i; break;
    default: s->value += x;
    }
}

// Element i of the reduced dimensions (row order), from where they begin.
static int64_t place(weft_shape part, const int64_t *stride, int64_t i)
{
    int64_t at = 0;
    for (int d = part.rank - 1; d >= 0; i /= part.dim[d], d--) at += i % part.dim[d] * stride[d];
    return at;
}

// Dimensions that lie one within the other as one: long lines.
static void merge(weft_shape *part, int64_t *stride)
{
    int rank = 0;
    for (int d = 0; d < part->rank; d++) {
        const int64_t size = part->dim[d], each = stride[d];
        const bool within = rank && stride[rank - 1] == size * each;
        rank += !within;
        part->dim[rank - 1] = within ? part->dim[rank - 1] * size : size;
        stride[rank - 1] = each;
    }
    part->rank = rank;
}

static void reduce_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const int how = n->op->index;
    weft_shape kept = { 0 }, reduced = { 0 };
    int64_t stride[WEFT_MAX_RANK], kept_stride[WEFT_MAX_RANK], reduced_stride[WEFT_MAX_RANK];
    uint32_t mask;
    weft_reduce_mask(n, &mask);
    weft_shape_strides(n->in_shape[0], stride);
    for (int d = 0; d < n->in_shape[0].rank; d++) {
        if (mask >> d & 1) reduced_stride[reduced.rank] = stride[d], reduced.dim[reduced.rank++] = n->in_shape[0].dim[d];
        else kept_stride[kept.rank] = stride[d], kept.dim[kept.rank++] = n->in_shape[0].dim[d];
    }
    merge(&reduced, reduced_stride);
    const int64_t count = weft_shape_count(reduced), line = reduced.rank ? reduced.dim[reduced.rank - 1] : 1;
    const int64_t step = reduced.rank ? reduced_stride[reduced.rank - 1] : 0;
    for (int64_t o = arg->begin; o < arg->end; o++) {
        const int64_t first = place(kept, kept_stride, o);
        const weft_real *x = (const weft_real *) arg->in[0] + first, *by = how == WEFT_SUM_PRODUCT ? (const weft_real *) arg->in[1] + first : NULL;
        state s = { 0, -INFINITY, 0 };
        for (int64_t i = 0; how == WEFT_LOG_SUM_EXP && i < count; i++) s.most = fmax(s.most, x[place(reduced, reduced_stride, i)]);
        for (int64_t i = 0; i < count; i += line) {
            const int64_t begin = place(reduced, reduced_stride, i);
            for (int64_t k = 0, at = begin; k < line; k++, at += step) take(&s, how, by ? (double) x[at] * by[at] : x[at], i + k);
        }
        if (how == WEFT_MEAN) s.value /= (double) count;
        if (how == WEFT_L2) s.value = sqrt(s.value);
        if (how == WEFT_LOG_SUM_EXP) s.value = s.most + log(s.value);
        if (gives_index(n)) ((int32_t *) arg->out[0])[o] = (int32_t) s.at;
        else ((weft_real *) arg->out[0])[o] = (weft_real) s.value;
    }
}

// --- Dispatches. ---------------------------------------------------------------------------------------------

// The kept dimensions in the order of y, then the reduced ones in the order of x.
static void fill_dims(const weft_node *n, uint32_t mask, bool keep, struct reduce_params *p, weft_loop *kept, weft_loop *reduced)
{
    const weft_shape x = n->in_shape[0];
    int64_t xs[WEFT_MAX_RANK], ys[WEFT_MAX_RANK], outer[2][WEFT_MAX_RANK], inner[2][WEFT_MAX_RANK], step = 1;
    weft_shape a = { 0 }, b = { 0 };
    weft_layout_strides(x, (weft_layout) n->in_layout[0], xs);
    weft_layout_strides(n->out_shape[0], (weft_layout) n->out_layout[0], ys);
    for (int d = x.rank - 1; d >= 0; d--) // where an element stands among the reduced ones, in row order
        if (mask >> d & 1) inner[1][d] = step, step *= x.dim[d];
    for (int d = 0, k = 0; d < x.rank; d++) {
        if (mask >> d & 1) {
            inner[0][b.rank] = xs[d], inner[1][b.rank] = inner[1][d], b.dim[b.rank++] = x.dim[d];
            k += keep;
        } else outer[0][a.rank] = ys[k++], outer[1][a.rank] = xs[d], a.dim[a.rank++] = x.dim[d];
    }
    weft_loop_make(kept, a, 2, outer);
    weft_loop_make(reduced, b, 2, inner);
    for (int d = 0; d < WEFT_MAX_RANK; d++) p->dim[d] = 1, p->x_stride[d] = p->index_stride[d] = 0;
    for (int d = 0; d < kept->rank; d++) p->dim[d] = (u32) kept->dim[d], p->x_stride[d] = (u32) kept->stride[1][d];
    for (int d = 0; d < reduced->rank; d++) {
        const int k = kept->rank + d;
        p->dim[k] = (u32) reduced->dim[d], p->x_stride[k] = (u32) reduced->stride[0][d], p->index_stride[k] = (u32) reduced->stride[1][d];
    }
}

// How many invocations share an output: neighbours should read neighbouring elements, and each at least two. A processor takes one where there
// are outputs for all its threads: sharing costs it barriers.
static uint32_t lanes_for(const weft_caps *caps, const weft_loop *kept, const weft_loop *reduced, uint32_t count, uint32_t len)
{
    if (len < 32 || (caps->is_software && count >= 256 && len < 65536)) return 1;
    const bool lines = reduced->rank && reduced->stride[0][reduced->rank - 1] == 1;
    const bool columns = kept->rank && kept->stride[1][kept->rank - 1] == 1 && kept->dim[kept->rank - 1] >= 16;
    uint32_t lanes = 64;
    if (columns && !lines) return 4;
    while (lanes * 2 > len) lanes /= 2;
    return lanes;
}

weft_result weft_reduce_emit(const weft_node *n, weft_emit *e, enum weft_reduce how, uint32_t mask, bool keep)
{
    WEFT_TRY(weft_loop_check(n));
    weft_loop kept, reduced;
    struct reduce_params p = { .count = (u32) weft_shape_count(n->out_shape[0]) };
    fill_dims(n, mask, keep, &p, &kept, &reduced);
    p.len = (u32) (weft_shape_count(n->in_shape[0]) / p.count);
    p.total = (f32) p.len, p.chunks = 1, p.chunk = p.len;
    const uint32_t lanes = lanes_for(weft_emit_caps(e), &kept, &reduced, p.count, p.len), busy = p.count * lanes;
    const uint32_t enough = weft_emit_caps(e)->is_software ? 16384 : 65536; // invocations; on a large device a few subgroups per core
    if (lanes > 1 && busy < enough && p.len / lanes > 128) { // too few of them with too much to do: two passes
        const u32 most = enough / busy, wanted = p.len / (lanes * 64);
        p.chunks = wanted < most ? wanted : most;
        if (p.chunks < 1) p.chunks = 1;
        p.chunk = (u32) ceil_div(p.len, p.chunks), p.chunks = (u32) ceil_div(p.len, p.chunk);
    }
    const int room = weft_emit_scratch(e, p.chunks > 1 ? 2 * (int64_t) p.chunks * p.count : 1, WEFT_I32);
    if (room < 0) return WEFT_ERR_MEMORY;
    const weft_dispatch first = {
        .kernel = "reduce", .spec = { how, lanes, (uint32_t) kept.rank, (uint32_t) reduced.rank, true, p.chunks == 1 }, .spec_count = 6,
        .params = &p, .params_bytes = sizeof p, .grid = { (p.count * p.chunks + 64 / lanes - 1) / (64 / lanes) * 64 },
        .bind = { WEFT_BIND_OUT(0), WEFT_BIND_IN(0), WEFT_BIND_SCRATCH(room, 1), WEFT_BIND_IN(how == WEFT_SUM_PRODUCT) }, .bind_count = 4,
        .flops = (double) weft_shape_count(n->in_shape[0]),
    };
    WEFT_TRY(weft_emit_dispatch(e, &first));
    if (p.chunks == 1) return WEFT_OK;
    struct reduce_params q = p;
    q.len = q.chunk = p.chunks, q.chunks = 1;
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "reduce", .spec = { how, 64, 0, 0, false, true }, .spec_count = 6, .params = &q, .params_bytes = sizeof q,
        .grid = { q.count * 64 }, .bind = { WEFT_BIND_OUT(0), WEFT_BIND_IN(0), WEFT_BIND_SCRATCH(room, 0), WEFT_BIND_IN(0) }, .bind_count = 4,
    });
}

static weft_result reduce_emit(const weft_node *n, weft_emit *e)
{
    uint32_t mask;
    weft_reduce_mask(n, &mask);
    return weft_reduce_emit(n, e, (enum weft_reduce) n->op->index, mask, ((const reduce_attrs *) n->attrs)->keep);
}

static double reduce_flops(const weft_node *n) { return (double) weft_shape_count(n->in_shape[0]); }

// Equal largest or smallest elements share what comes back (PyTorch's amax and amin). A product's gradient is that of the
// others, also where x is 0; the norms' is 0 where x is 0.
static weft_result reduce_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    uint32_t mask;
    weft_reduce_mask(n, &mask);
    weft_shape kept = n->in_shape[0];
    for (int k = 0; k < kept.rank; k++)
        if (mask >> k & 1) kept.dim[k] = 1;
    if (!want[0]) return WEFT_OK;
    const weft_value x = n->in[0], y = weft_grad_reshape(g, n->out[0], kept), d = weft_grad_reshape(g, dy[0], kept);
    const weft_value zero = weft_graph_scalar(g, 0), one = weft_graph_scalar(g, 1);
    switch (n->op->index) {
    case WEFT_SUM: dx[0] = weft_grad_expand(g, d, n->in_shape[0]); break;
    case WEFT_MEAN:
        dx[0] = weft_grad_expand(g, weft_grad_scale(g, d, (double) weft_shape_count(kept) / (double) weft_shape_count(n->in_shape[0])), n->in_shape[0]);
        break;
    case WEFT_MAX:
    case WEFT_MIN: {
        const weft_value among = weft_grad_binary(g, "equal", x, y);
        dx[0] = weft_grad_mul(g, among, weft_grad_binary(g, "div", d, weft_grad_reduce(g, "sum", among, mask)));
        break;
    }
    case WEFT_PROD: {
        const weft_value is_zero = weft_grad_binary(g, "equal", x, zero), others = weft_grad_where(g, is_zero, one, x);
        const weft_value all = weft_grad_reduce(g, "prod", others, mask), zeros = weft_grad_reduce(g, "sum", is_zero, mask);
        const weft_value there = weft_grad_mul(g, all, weft_grad_binary(g, "equal", zeros, one)); // at the only zero
        const weft_value elsewhere = weft_grad_where(g, zeros, zero, weft_grad_binary(g, "div", all, others));
        dx[0] = weft_grad_mul(g, d, weft_grad_where(g, is_zero, there, elsewhere));
        break;
    }
    case WEFT_L1: dx[0] = weft_grad_mul(g, d, weft_grad_unary(g, "sign", x)); break;
    case WEFT_L2: dx[0] = weft_grad_mul(g, x, weft_grad_binary(g, "div", d, weft_grad_where(g, y, y, one))); break;
    case WEFT_SUM_SQUARE: dx[0] = weft_grad_mul(g, x, weft_grad_scale(g, d, 2)); break;
    case WEFT_LOG_SUM_EXP: dx[0] = weft_grad_mul(g, d, weft_grad_unary(g, "exp", weft_grad_binary(g, "sub", x, y))); break;
    }
    return WEFT_OK;
}

static weft_result sum_product_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    uint32_t mask;
    weft_reduce_mask(n, &mask);
    weft_shape kept = n->in_shape[0];
    for (int k = 0; k < kept.rank; k++)
        if (mask >> k & 1) kept.dim[k] = 1;
    const weft_value d = weft_grad_reshape(g, dy[0], kept);
    for (int i = 0; i < 2; i++)
        if (want[i]) dx[i] = weft_grad_mul(g, n->in[1 - i], d);
    return WEFT_OK;
}

// --- The rows. -----------------------------------------------------------------------------------------------

static const weft_attr reduce_table[] = {
    WEFT_ATTR(reduce_attrs, axes, LIST, .min = -WEFT_MAX_RANK, .max = WEFT_MAX_RANK - 1, .doc = "dimensions, from the end if negative; none: all"),
    WEFT_ATTR(reduce_attrs, keep, INT, .min = 0, .max = 1, .doc = "1: y keeps them with size 1"),
    { 0 }
};
#define AT(keep_, count_, ...) &(const reduce_attrs) { { count_, { __VA_ARGS__ } }, keep_ }
static const weft_case reduce_cases[] = {
    { .in = { WEFT_SHAPE(3, 5, 7, 11) }, .attrs = AT(0, 1, 1), .low = -1.1, .high = 1.3 },
    { .in = { WEFT_SHAPE(2, 17, 9, 9) }, .attrs = AT(1, 2, 2, 3), .low = 0.5, .high = 1.3 },
    { .in = { WEFT_SHAPE(2, 3, 1, 131) }, .attrs = AT(0, 1, -1), .low = 0.9, .high = 1.1 },
    { .in = { WEFT_SHAPE(2, 3, 5, 2, 3) }, .attrs = AT(1, 3, 0, 2, 4), .low = 0.5, .high = 1.3 },
    { .in = { WEFT_SHAPE(65) }, .attrs = AT(0, 0, 0), .low = 0.9, .high = 1.1 },
    { .in = { WEFT_SHAPE(2, 10007) }, .attrs = AT(0, 1, 1), .low = 0.999, .high = 1.001 }, // long enough for two passes
    { .in = { WEFT_SHAPE(1, 40, 5, 5) }, .attrs = AT(1, 1, 1), .low = 0.9, .high = 1.1 },   // some invocations an output
    { .in = { WEFT_SHAPE(2, 40, 13, 12) }, .attrs = AT(1, 1, 1), .low = 0.9, .high = 1.1 }, // many outputs
    { 0 }
};
static const weft_case index_cases[] = { // few different values: the first of equals is the answer
    { .in = { WEFT_SHAPE(3, 5, 7, 11) }, .attrs = AT(0, 1, 1), .masks = 1 },
    { .in = { WEFT_SHAPE(3, 5, 7, 11) }, .attrs = AT(1, 1, 3) },
    { .in = { WEFT_SHAPE(2, 16, 9, 9) }, .attrs = AT(0, 2, 2, 3), .masks = 1 },
    { .in = { WEFT_SHAPE(2, 3, 131) }, .attrs = AT(0, 1, -1) },
    { .in = { WEFT_SHAPE(10007) }, .attrs = AT(0, 0, 0) },
    { 0 }
};
#define ROW(name_, doc_, index_, cases_)                                                                                           \
    static const weft_op row_##name_ = {                                                                                        \
        .name = #name_, .doc = doc_, .out_names = "y", .in_names = "x", .flags = WEFT_OP_STRIDED, .index = index_,                 \
        .attr_bytes = sizeof(reduce_attrs), .attrs = reduce_table, .infer = reduce_infer, .items = reduce_items,                   \
        .cpu = reduce_cpu, .emit = reduce_emit, .flops = reduce_flops, .grad = reduce_grad, .cases = cases_,                       \
    }
ROW(sum, "y = sum of x over the axes.", WEFT_SUM, reduce_cases);
ROW(mean, "y = mean of x over the axes.", WEFT_MEAN, reduce_cases);
ROW(reduce_max, "y = largest x over the axes.", WEFT_MAX, reduce_cases);
ROW(reduce_min, "y = smallest x over the axes.", WEFT_MIN, reduce_cases);
ROW(prod, "y = product of x over the axes.", WEFT_PROD, reduce_cases);
ROW(l1_norm, "y = sum of |x| over the axes.", WEFT_L1, reduce_cases);
ROW(l2_norm, "y = square root of the sum of x^2 over the axes.", WEFT_L2, reduce_cases);
ROW(sum_square, "y = sum of x^2 over the axes.", WEFT_SUM_SQUARE, reduce_cases);
ROW(log_sum_exp, "y = log(sum over the axes of exp(x)).", WEFT_LOG_SUM_EXP, reduce_cases);
ROW(argmax, "y = where x is largest along the axes, counted in row order, the first of equals. I32.", WEFT_ARGMAX, index_cases);
ROW(argmin, "y = where x is smallest along the axes, counted in row order, the first of equals. I32.", WEFT_ARGMIN, index_cases);

// The kernel reads both factors at one place, so they lie the same way.
static const weft_op row_sum_product = {
    .name = "sum_product", .doc = "y = sum of a b over the axes, a and b having one shape.", .out_names = "y", .in_names = "a b", .flags = WEFT_OP_IMAGE,
    .index = WEFT_SUM_PRODUCT, .attr_bytes = sizeof(reduce_attrs), .attrs = reduce_table, .infer = reduce_infer, .items = reduce_items,
    .cpu = reduce_cpu, .emit = reduce_emit, .flops = reduce_flops, .grad = sum_product_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(3, 5, 7, 11), WEFT_SHAPE(3, 5, 7, 11) }, .attrs = AT(0, 2, 2, 3), .low = -1.1, .high = 1.3 },
        { .in = { WEFT_SHAPE(2, 17, 9, 9), WEFT_SHAPE(2, 17, 9, 9) }, .attrs = AT(1, 2, 2, 3), .low = 0.5, .high = 1.3 },
        { .in = { WEFT_SHAPE(2, 3, 5, 2, 3), WEFT_SHAPE(2, 3, 5, 2, 3) }, .attrs = AT(1, 3, 0, 2, 4), .low = 0.5, .high = 1.3 },
        { .in = { WEFT_SHAPE(65), WEFT_SHAPE(65) }, .attrs = AT(0, 0, 0), .low = 0.9, .high = 1.1 },
        { .in = { WEFT_SHAPE(1, 2, 96, 107), WEFT_SHAPE(1, 2, 96, 107) }, .attrs = AT(1, 2, 2, 3), .low = -1, .high = 1.1 }, // long enough for two passes
        { 0 }
    },
};

const weft_op *const weft_family_reduce[] = {
    &row_sum, &row_mean, &row_reduce_max, &row_reduce_min, &row_prod, &row_l1_norm, &row_l2_norm, &row_sum_square,
    &row_log_sum_exp, &row_argmax, &row_argmin, &row_sum_product, NULL
};
