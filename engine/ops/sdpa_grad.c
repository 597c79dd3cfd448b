// SPDX-License-Identifier: MIT
// Gradient of sdpa by q, k and v. As in the forward row no score is stored: weights are made again from the largest score and the sum of
// each query's weights, once per query for dq and once per key for dk and dv (Dao 2023, FlashAttention-2). With p the weights,
// ds = p (dy . v - dy . y) is what the scores receive.
#include "ops/sdpa.h"
#include "ops/grad.h"
#include "ops/loop.h"
#include "ops/sdpa_matrix.h"
#include <math.h>
#include <string.h>

enum { DY, Y, FIRST, Q = FIRST + WEFT_SDPA_Q, K = FIRST + WEFT_SDPA_K, V = FIRST + WEFT_SDPA_V, MASK = FIRST + WEFT_SDPA_MASK };
enum { DQ, DK, DV };

static weft_result sdpa_grad_infer(weft_node *n)
{
    WEFT_TRY(weft_sdpa_check(n, FIRST));
    weft_shape y = n->in_shape[Q];
    char ty[WEFT_SHAPE_TEXT], want[WEFT_SHAPE_TEXT];
    y.dim[y.rank - 1] = n->in_shape[V].dim[n->in_shape[V].rank - 1];
    for (int i = DY; i <= Y; i++)
        if (!weft_shape_equal(n->in_shape[i], y))
            return weft_node_fail(n, "%s is %s, wants %s", i == DY ? "dy" : "y", weft_shape_text(n->in_shape[i], ty), weft_shape_text(y, want));
    for (int i = 0; i < 3; i++) n->out_shape[i] = n->in_shape[Q + i];
    return WEFT_OK;
}

// --- The truth: one of the batch per item, some queries at a time. --------------------------------------------------

static int64_t sdpa_grad_items(const weft_node *n) { return weft_sdpa_sizes_of(n, FIRST).batch; }

enum { QUERIES = 32, COLUMNS = 128 };
typedef struct query { weft_sdpa_line line; const weft_real *dy; double most, by, along; } query; // by: 1 / sum of weights; along: y . dy

static double dot(const weft_real *a, const weft_real *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double) a[i] * b[i];
    return sum;
}

static query query_of(const weft_node *n, const weft_sdpa_sizes *z, const weft_cpu_args *arg, int64_t row)
{
    query q = { .line = weft_sdpa_line_of(n, FIRST, arg->in, row), .dy = (const weft_real *) arg->in[DY] + row * z->e };
    double sum = 0;
    q.most = weft_sdpa_most(&q.line);
    for (int64_t s = 0; s < q.line.keys; s++) sum += exp(weft_sdpa_score(&q.line, s) - q.most);
    q.by = sum == 0 ? 0 : 1 / sum;
    q.along = dot((const weft_real *) arg->in[Y] + row * z->e, q.dy, z->e);
    return q;
}

static double weight_of(const query *q, int64_t key) { return key < q->line.keys ? exp(weft_sdpa_score(&q->line, key) - q->most) * q->by : 0; }
static double slope_of(const query *q, int64_t key, double weight, const weft_real *v, int64_t e)
{
    return weight ? weight * (dot(q->dy, v + key * e, e) - q->along) * q->line.scale : 0;
}

static void make_dq(const weft_sdpa_sizes *z, const query *q, const weft_real *v, weft_real *dq)
{
    for (int64_t first = 0; first < z->d; first += COLUMNS) {
        const int64_t columns = z->d - first < COLUMNS ? z->d - first : COLUMNS;
        double sum[COLUMNS] = { 0 };
        for (int64_t s = 0; s < q->line.keys; s++) {
            const double slope = slope_of(q, s, weight_of(q, s), v, z->e);
            for (int64_t c = 0; c < columns; c++) sum[c] += slope * q->line.k[s * z->d + first + c];
        }
        for (int64_t c = 0; c < columns; c++) dq[first + c] = (weft_real) sum[c];
    }
}

static void sdpa_grad_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, FIRST);
    for (int64_t b = arg->begin; b < arg->end; b++) {
        const weft_real *v = (const weft_real *) arg->in[V] + b * z.s * z.e;
        weft_real *dk = (weft_real *) arg->out[DK] + b * z.s * z.d, *dv = (weft_real *) arg->out[DV] + b * z.s * z.e;
        for (int64_t i = 0; i < z.s * z.d; i++) dk[i] = 0;
        for (int64_t i = 0; i < z.s * z.e; i++) dv[i] = 0;
        for (int64_t first = 0; first < z.l; first += QUERIES) {
            const int64_t count = z.l - first < QUERIES ? z.l - first : QUERIES;
            query some[QUERIES];
            for (int64_t i = 0; i < count; i++) {
                some[i] = query_of(n, &z, arg, b * z.l + first + i);
                make_dq(&z, &some[i], v, (weft_real *) arg->out[DQ] + (b * z.l + first + i) * z.d);
            }
            for (int64_t s = 0; s < z.s; s++) {
                double weight[QUERIES], slope[QUERIES];
                for (int64_t i = 0; i < count; i++) weight[i] = weight_of(&some[i], s), slope[i] = slope_of(&some[i], s, weight[i], v, z.e);
                for (int64_t c = 0; c < z.d; c++) {
                    double sum = 0;
                    for (int64_t i = 0; i < count; i++) sum += slope[i] * some[i].line.q[c];
                    dk[s * z.d + c] += (weft_real) sum;
                }
                for (int64_t c = 0; c < z.e; c++) {
                    double sum = 0;
                    for (int64_t i = 0; i < count; i++) sum += weight[i] * some[i].dy[c];
                    dv[s * z.e + c] += (weft_real) sum;
                }
            }
        }
    }
}

// --- Devices: what is the same for all keys of a query, then dq, then dk and dv. -----------------------------------

static double products(const weft_node *n, double of_d, double of_e) // with all keys of all queries
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, FIRST);
    return 2.0 * (double) (z.batch * z.l) * (double) z.s * (of_d * (double) z.d + of_e * (double) z.e);
}
static double sdpa_grad_flops(const weft_node *n) { return products(n, 3, 2); } // of scores, their slopes, dq, dk and dv

static int sdpa_grad_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_caps *caps = weft_emit_caps(e);
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, FIRST);
    const bool first = !caps->is_software && z.l * 2 > caps->matrix[0] && z.s * 2 > caps->matrix[0]; // not if most rows were empty
    int count = 0;
    if (first) weft_sdpa_grad_matrix_ways(n, FIRST, e, list, &count);
    count += weft_sdpa_ways(n, FIRST, e, list + count);
    if (!first) weft_sdpa_grad_matrix_ways(n, FIRST, e, list, &count);
    return count;
}

// One of the two whose own rows are queries, or keys.
static weft_result emit_half(const weft_node *n, weft_emit *e, bool keys, weft_dispatch *d)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, FIRST);
    const weft_way *way = weft_emit_way(e);
    struct sdpa_params p;
    d->kernel = way->kernel, d->bind_count = 8;
    if (!strcmp(way->kernel, "sdpa_grad_matrix")) WEFT_TRY(weft_sdpa_grad_matrix_dispatch(n, FIRST, e, keys, d, &p));
    else WEFT_TRY(weft_sdpa_dispatch(n, FIRST, way->cut, keys, keys && z.e > z.d ? z.e : z.d, d, &p));
    return weft_emit_dispatch(e, d);
}

static weft_result sdpa_grad_emit(const weft_node *n, weft_emit *e)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, FIRST);
    weft_way plain[WEFT_MAX_WAYS]; // the queries' numbers have no products on matrix units
    struct sdpa_params p;
    WEFT_TRY(weft_loop_check(n));
    if (!strcmp(weft_emit_way(e)->kernel, "sdpa_stored")) return weft_sdpa_grad_stored(n, e);
    const int rows = weft_emit_scratch(e, 4 * z.batch * z.l, WEFT_I32); // four numbers per query, f32 whatever the storage
    if (rows < 0) return WEFT_ERR_MEMORY;
    const weft_bind mask = WEFT_BIND_IN(weft_has(n, MASK) ? MASK : Q);
    weft_dispatch about = {
        .kernel = "sdpa_rows", .flops = products(n, 1, 0), .bind_count = 6,
        .bind = { WEFT_BIND_SCRATCH(rows, 1), WEFT_BIND_IN(Q), WEFT_BIND_IN(K), WEFT_BIND_IN(Y), WEFT_BIND_IN(DY), mask },
    };
    weft_sdpa_ways(n, FIRST, e, plain);
    const bool matrix = !strcmp(weft_emit_way(e)->kernel, "sdpa_grad_matrix");
    WEFT_TRY(weft_sdpa_dispatch(n, FIRST, matrix ? plain->cut : weft_emit_way(e)->cut, false, 0, &about, &p));
    about.spec_count--; // own rows are queries anyway
    WEFT_TRY(weft_emit_dispatch(e, &about));
    weft_dispatch by_q = {
        .flops = products(n, 2, 1),
        .bind = { WEFT_BIND_OUT(DQ), WEFT_BIND_OUT(DQ), WEFT_BIND_IN(Q), WEFT_BIND_IN(DY), WEFT_BIND_IN(K), WEFT_BIND_IN(V), mask, WEFT_BIND_SCRATCH(rows, 0) },
    };
    WEFT_TRY(emit_half(n, e, false, &by_q));
    weft_dispatch by_kv = {
        .flops = products(n, 2, 2),
        .bind = { WEFT_BIND_OUT(DK), WEFT_BIND_OUT(DV), WEFT_BIND_IN(K), WEFT_BIND_IN(V), WEFT_BIND_IN(Q), WEFT_BIND_IN(DY), mask, WEFT_BIND_SCRATCH(rows, 0) },
    };
    return emit_half(n, e, true, &by_kv);
}

// --- In other rows, which store the weights: for gradients by the mask and of gradients. -----------------------------

enum { LOWEST = -60000 }; // of scores that count; half precision holds it too
static weft_value weights(const weft_node *n, weft_graph *g, int first)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
    const weft_value *in = n->in + first;
    const bool mask = weft_has(n, first + WEFT_SDPA_MASK);
    weft_value s = weft_grad_call(g, "matmul", WEFT_V(in[WEFT_SDPA_Q], in[WEFT_SDPA_K]), WEFT_WITH({ "trans_b", NULL, 1, { 1 } }));
    s = weft_grad_scale(g, s, z.scale);
    if (mask) s = weft_grad_add(g, s, in[WEFT_SDPA_MASK]);
    if (((const weft_sdpa_attrs *) n->attrs)->causal) {
        float *later = weft_arena_new(g->arena, sizeof *later * (size_t) (z.l * z.s));
        if (!later) return -1;
        for (int64_t i = 0; i < z.l * z.s; i++) later[i] = i % z.s > i / z.s ? LOWEST : 0;
        s = weft_grad_add(g, s, weft_graph_numbers(g, (weft_shape) WEFT_SHAPE(z.l, z.s), later));
    }
    if (!mask) return weft_grad_unary(g, "softmax", s);
    // Keys far below weigh nothing, and a query that sees nothing has no weights.
    s = weft_grad_binary(g, "max", s, weft_graph_scalar(g, LOWEST));
    const weft_value most = weft_grad_reduce(g, "reduce_max", s, 1u << (n->in_shape[first].rank - 1));
    return weft_grad_mul(g, weft_grad_unary(g, "softmax", s), weft_grad_binary(g, "greater", most, weft_graph_scalar(g, LOWEST / 2)));
}

static weft_result compose(const weft_node *n, weft_graph *g, int first, weft_value dy, weft_value y, const bool want[4], weft_value dx[4])
{
    const weft_value *in = n->in + first, p = weights(n, g, first);
    const double scale = weft_sdpa_sizes_of(n, first).scale;
    const weft_value dp = weft_grad_call(g, "matmul", WEFT_V(dy, in[WEFT_SDPA_V]), WEFT_WITH({ "trans_b", NULL, 1, { 1 } }));
    const weft_value along = weft_grad_reduce(g, "sum", weft_grad_mul(g, dy, y), 1u << (n->in_shape[first].rank - 1));
    const weft_value ds = weft_grad_mul(g, p, weft_grad_binary(g, "sub", dp, along)); // of the scores
    if (want[0]) dx[0] = weft_grad_scale(g, weft_grad_binary(g, "matmul", ds, in[WEFT_SDPA_K]), scale);
    if (want[1]) dx[1] = weft_grad_scale(g, weft_grad_call(g, "matmul", WEFT_V(ds, in[WEFT_SDPA_Q]), WEFT_WITH({ "trans_a", NULL, 1, { 1 } })), scale);
    if (want[2]) dx[2] = weft_grad_call(g, "matmul", WEFT_V(p, dy), WEFT_WITH({ "trans_a", NULL, 1, { 1 } }));
    if (want[3]) dx[3] = weft_grad_unstretch(g, ds, n->in_shape[first + WEFT_SDPA_MASK]);
    return weft_graph_status(g);
}

static weft_result sdpa_grad_unfuse(const weft_node *n, weft_graph *g, weft_value *out)
{
    return compose(n, g, FIRST, n->in[DY], n->in[Y], (const bool[]) { true, true, true, false }, out);
}

weft_result weft_sdpa_grad_rule(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const bool mask = weft_has(n, WEFT_SDPA_MASK);
    if (mask && want[WEFT_SDPA_MASK]) return compose(n, g, 0, dy[0], n->out[0], want, dx);
    const weft_value in[] = { dy[0], n->out[0], n->in[WEFT_SDPA_Q], n->in[WEFT_SDPA_K], n->in[WEFT_SDPA_V], mask ? n->in[WEFT_SDPA_MASK] : -1 };
    const weft_value all = weft_graph_call(g, "sdpa_grad", in, mask ? 6 : 5, n->attrs);
    for (int i = 0; i < 3 && all >= 0; i++)
        if (want[i]) dx[i] = all + i;
    return weft_graph_status(g);
}

#define AT(...) &(const weft_sdpa_attrs) { __VA_ARGS__ }
const weft_op weft_op_sdpa_grad = {
    .name = "sdpa_grad",
    .doc = "What q, k and v of y = sdpa(q, k, v, mask) receive when y receives dy. With weights p = softmax(scale q k^T + mask) and "
           "ds = p (dy v^T - dy . y): dq = scale ds k, dk = scale ds^T q, dv = p^T dy. Dao 2023, FlashAttention-2.",
    .out_names = "dq dk dv", .in_names = "dy y q k v mask?",
    .attr_bytes = sizeof(weft_sdpa_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_sdpa_attrs, scale, FLOAT, .doc = "of the products; 0: 1 / sqrt(d)"),
        WEFT_ATTR(weft_sdpa_attrs, causal, INT, .min = 0, .max = 1, .doc = "1: a query sees no later key"),
        { 0 }
    },
    .infer = sdpa_grad_infer, .items = sdpa_grad_items, .cpu = sdpa_grad_cpu, .ways = sdpa_grad_ways, .emit = sdpa_grad_emit,
    .flops = sdpa_grad_flops, .unfuse = sdpa_grad_unfuse,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(5, 3), WEFT_SHAPE(5, 3), WEFT_SHAPE(5, 4), WEFT_SHAPE(7, 4), WEFT_SHAPE(7, 3) } },
        { .in = { WEFT_SHAPE(2, 33, 32), WEFT_SHAPE(2, 33, 32), WEFT_SHAPE(2, 33, 16), WEFT_SHAPE(2, 65, 16), WEFT_SHAPE(2, 65, 32) } },
        { .in = { WEFT_SHAPE(2, 3, 17, 20), WEFT_SHAPE(2, 3, 17, 20), WEFT_SHAPE(2, 3, 17, 8), WEFT_SHAPE(2, 3, 31, 8), WEFT_SHAPE(2, 3, 31, 20),
                  WEFT_SHAPE(2, 1, 17, 31) }, .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(2, 2, 40, 6), WEFT_SHAPE(2, 2, 40, 6), WEFT_SHAPE(2, 2, 40, 5), WEFT_SHAPE(2, 2, 33, 5), WEFT_SHAPE(2, 2, 33, 6) },
          .attrs = AT(.causal = 1), .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(9, 300), WEFT_SHAPE(9, 300), WEFT_SHAPE(9, 260), WEFT_SHAPE(37, 260), WEFT_SHAPE(37, 300) }, .attrs = AT(.scale = 0.1f) },
        { 0 }
    },
    .tolerance = 2e-5,
};
