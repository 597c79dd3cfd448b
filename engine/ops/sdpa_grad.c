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

static int outputs(const void *attrs) { return ((const weft_sdpa_attrs *) attrs)->joint ? 1 : 3; }
static int output_of(const weft_node *n, int which) { return weft_sdpa_joint(n) ? 0 : which; }

static weft_result sdpa_grad_infer(weft_node *n)
{
    WEFT_TRY(weft_sdpa_check(n, FIRST));
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, FIRST);
    weft_shape y = n->in_shape[Q];
    char ty[WEFT_SHAPE_TEXT], want[WEFT_SHAPE_TEXT];
    y.dim[y.rank - 1] = z.heads * z.e;
    for (int i = DY; i <= Y; i++)
        if (!weft_shape_equal(n->in_shape[i], y))
            return weft_node_fail(n, "%s is %s, wants %s", i == DY ? "dy" : "y", weft_shape_text(n->in_shape[i], ty), weft_shape_text(y, want));
    for (int i = 0; i < n->out_count; i++) n->out_shape[i] = n->in_shape[Q + i];
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
    const weft_sdpa_rows y = weft_sdpa_y_rows(z, row / z->l);
    const int64_t at = y.at + row % z->l * y.step;
    query q = { .line = weft_sdpa_line_of(n, FIRST, arg->in, row), .dy = (const weft_real *) arg->in[DY] + at };
    double sum = 0;
    q.most = weft_sdpa_most(&q.line);
    for (int64_t s = 0; s < q.line.keys; s++) sum += exp(weft_sdpa_score(&q.line, s) - q.most);
    q.by = sum == 0 ? 0 : 1 / sum;
    q.along = dot((const weft_real *) arg->in[Y] + at, q.dy, z->e);
    return q;
}

static double weight_of(const query *q, int64_t key) { return key < q->line.keys ? exp(weft_sdpa_score(&q->line, key) - q->most) * q->by : 0; }
static double slope_of(const query *q, int64_t key, double weight, const weft_real *v, int64_t v_step, int64_t e)
{
    return weight ? weight * (dot(q->dy, v + key * v_step, e) - q->along) * q->line.scale : 0;
}

static void make_dq(const weft_sdpa_sizes *z, const query *q, const weft_real *v, int64_t v_step, weft_real *dq)
{
    for (int64_t first = 0; first < z->d; first += COLUMNS) {
        const int64_t columns = z->d - first < COLUMNS ? z->d - first : COLUMNS;
        double sum[COLUMNS] = { 0 };
        for (int64_t s = 0; s < q->line.keys; s++) {
            const double slope = slope_of(q, s, weight_of(q, s), v, v_step, z->e);
            for (int64_t c = 0; c < columns; c++) sum[c] += slope * q->line.k[s * q->line.k_step + first + c];
        }
        for (int64_t c = 0; c < columns; c++) dq[first + c] = (weft_real) sum[c];
    }
}

static void sdpa_grad_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, FIRST);
    for (int64_t b = arg->begin; b < arg->end; b++) {
        const weft_sdpa_rows rows[] = { weft_sdpa_rows_of(n, FIRST, DQ, b), weft_sdpa_rows_of(n, FIRST, DK, b), weft_sdpa_rows_of(n, FIRST, DV, b) };
        const weft_real *v = (const weft_real *) arg->in[weft_sdpa_input(n, FIRST, WEFT_SDPA_V)] + rows[DV].at;
        weft_real *dq = (weft_real *) arg->out[DQ] + rows[DQ].at, *dk = (weft_real *) arg->out[output_of(n, DK)] + rows[DK].at;
        weft_real *dv = (weft_real *) arg->out[output_of(n, DV)] + rows[DV].at;
        for (int64_t s = 0; s < z.s; s++) {
            for (int64_t c = 0; c < z.d; c++) dk[s * rows[DK].step + c] = 0;
            for (int64_t c = 0; c < z.e; c++) dv[s * rows[DV].step + c] = 0;
        }
        for (int64_t first = 0; first < z.l; first += QUERIES) {
            const int64_t count = z.l - first < QUERIES ? z.l - first : QUERIES;
            query some[QUERIES];
            for (int64_t i = 0; i < count; i++) {
                some[i] = query_of(n, &z, arg, b * z.l + first + i);
                make_dq(&z, &some[i], v, rows[DV].step, dq + (first + i) * rows[DQ].step);
            }
            for (int64_t s = 0; s < z.s; s++) {
                double weight[QUERIES], slope[QUERIES];
                for (int64_t i = 0; i < count; i++) weight[i] = weight_of(&some[i], s), slope[i] = slope_of(&some[i], s, weight[i], v, rows[DV].step, z.e);
                for (int64_t c = 0; c < z.d; c++) {
                    double sum = 0;
                    for (int64_t i = 0; i < count; i++) sum += slope[i] * some[i].line.q[c];
                    dk[s * rows[DK].step + c] += (weft_real) sum;
                }
                for (int64_t c = 0; c < z.e; c++) {
                    double sum = 0;
                    for (int64_t i = 0; i < count; i++) sum += weight[i] * some[i].dy[c];
                    dv[s * rows[DV].step + c] += (weft_real) sum;
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
    const weft_bind mask = WEFT_BIND_IN(weft_has(n, MASK) ? MASK : Q), q = WEFT_BIND_IN(Q), k = WEFT_BIND_IN(weft_sdpa_input(n, FIRST, WEFT_SDPA_K));
    const weft_bind v = WEFT_BIND_IN(weft_sdpa_input(n, FIRST, WEFT_SDPA_V)), dk = WEFT_BIND_OUT(output_of(n, DK)), dv = WEFT_BIND_OUT(output_of(n, DV));
    weft_dispatch about = {
        .kernel = "sdpa_rows", .flops = products(n, 1, 0), .bind_count = 6,
        .bind = { WEFT_BIND_SCRATCH(rows, 1), q, k, WEFT_BIND_IN(Y), WEFT_BIND_IN(DY), mask },
    };
    weft_sdpa_ways(n, FIRST, e, plain);
    const bool matrix = !strcmp(weft_emit_way(e)->kernel, "sdpa_grad_matrix");
    WEFT_TRY(weft_sdpa_dispatch(n, FIRST, matrix ? plain->cut : weft_emit_way(e)->cut, false, 0, &about, &p));
    about.spec_count--; // own rows are queries anyway
    WEFT_TRY(weft_emit_dispatch(e, &about));
    weft_dispatch by_q = {
        .flops = products(n, 2, 1),
        .bind = { WEFT_BIND_OUT(DQ), WEFT_BIND_OUT(DQ), q, WEFT_BIND_IN(DY), k, v, mask, WEFT_BIND_SCRATCH(rows, 0) },
    };
    WEFT_TRY(emit_half(n, e, false, &by_q));
    weft_dispatch by_kv = {
        .flops = products(n, 2, 2),
        .bind = { dk, dv, k, v, q, WEFT_BIND_IN(DY), mask, WEFT_BIND_SCRATCH(rows, 0) },
    };
    return emit_half(n, e, true, &by_kv);
}

// --- In other rows, which store the weights: for gradients by the mask and of gradients. -----------------------------

static int rank_of(const weft_graph *g, weft_value v) { return v < 0 ? 3 : g->values[v].shape.rank; } // v < 0: the graph has failed

enum { LOWEST = -60000 }; // of scores that count; half precision holds it too
static weft_value weights(const weft_node *n, weft_graph *g, int first, const weft_value *in)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
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
    const weft_value most = weft_grad_reduce(g, "reduce_max", s, 1u << (rank_of(g, s) - 1));
    return weft_grad_mul(g, weft_grad_unary(g, "softmax", s), weft_grad_binary(g, "greater", most, weft_graph_scalar(g, LOWEST / 2)));
}

// Heads as a dimension before the rows, out of rows in which they lie side by side, and back.
static void exchange(int rank, int *perm)
{
    for (int d = 0; d < rank; d++) perm[d] = d;
    perm[rank - 3] = rank - 2, perm[rank - 2] = rank - 3;
}

static weft_value apart(weft_graph *g, weft_value v, int64_t heads)
{
    int perm[WEFT_MAX_RANK];
    if (v < 0) return -1;
    weft_shape s = g->values[v].shape;
    s.dim[s.rank] = s.dim[s.rank - 1] / heads, s.dim[s.rank - 1] = heads, s.rank++;
    exchange(s.rank, perm);
    return weft_grad_permute(g, weft_grad_reshape(g, v, s), perm);
}

static weft_value beside(weft_graph *g, weft_value v)
{
    int perm[WEFT_MAX_RANK];
    if (v < 0) return -1;
    exchange(rank_of(g, v), perm);
    v = weft_grad_permute(g, v, perm);
    if (v < 0) return -1;
    weft_shape s = g->values[v].shape;
    s.dim[s.rank - 2] *= s.dim[s.rank - 1], s.rank--;
    return weft_grad_reshape(g, v, s);
}

static weft_result compose_apart(const weft_node *n, weft_graph *g, int first, const weft_value *in, weft_value dy, weft_value y, const bool want[4], weft_value dx[4])
{
    const weft_value p = weights(n, g, first, in);
    const double scale = weft_sdpa_sizes_of(n, first).scale;
    const weft_value dp = weft_grad_call(g, "matmul", WEFT_V(dy, in[WEFT_SDPA_V]), WEFT_WITH({ "trans_b", NULL, 1, { 1 } }));
    const weft_value along = weft_grad_reduce(g, "sum", weft_grad_mul(g, dy, y), 1u << (rank_of(g, dy) - 1));
    const weft_value ds = weft_grad_mul(g, p, weft_grad_binary(g, "sub", dp, along)); // of the scores
    if (want[0]) dx[0] = weft_grad_scale(g, weft_grad_binary(g, "matmul", ds, in[WEFT_SDPA_K]), scale);
    if (want[1]) dx[1] = weft_grad_scale(g, weft_grad_call(g, "matmul", WEFT_V(ds, in[WEFT_SDPA_Q]), WEFT_WITH({ "trans_a", NULL, 1, { 1 } })), scale);
    if (want[2]) dx[2] = weft_grad_call(g, "matmul", WEFT_V(p, dy), WEFT_WITH({ "trans_a", NULL, 1, { 1 } }));
    if (want[3]) dx[3] = weft_grad_unstretch(g, ds, n->in_shape[first + WEFT_SDPA_MASK]);
    return weft_graph_status(g);
}

static weft_result compose(const weft_node *n, weft_graph *g, int first, weft_value dy, weft_value y, const bool want[4], weft_value dx[4])
{
    const bool joint = weft_sdpa_joint(n), all[4] = { true, true, true, want[3] };
    const int64_t heads = weft_sdpa_sizes_of(n, first).heads;
    weft_value in[4] = { -1, -1, -1, weft_has(n, first + WEFT_SDPA_MASK) ? n->in[first + WEFT_SDPA_MASK] : -1 };
    const weft_shape q = n->in_shape[first];
    const int axis = q.rank - 1;
    for (int i = 0; i < 3; i++) in[i] = joint ? weft_grad_slice(g, n->in[first], axis, i * q.dim[axis] / 3, (i + 1) * q.dim[axis] / 3) : n->in[first + i];
    if (!((const weft_sdpa_attrs *) n->attrs)->heads) return compose_apart(n, g, first, in, dy, y, want, dx);
    for (int i = 0; i < 3; i++) in[i] = apart(g, in[i], heads);
    weft_value each[4] = { -1, -1, -1, -1 };
    WEFT_TRY(compose_apart(n, g, first, in, apart(g, dy, heads), apart(g, y, heads), joint ? all : want, each));
    for (int i = 0; i < 3; i++) each[i] = beside(g, each[i]);
    if (joint) dx[0] = weft_grad_call(g, "concat", each, 3, WEFT_WITH({ "axis", NULL, 1, { axis } }));
    for (int i = joint ? 3 : 0; i < 4; i++)
        if (want[i]) dx[i] = each[i];
    return weft_graph_status(g);
}

static weft_result sdpa_grad_unfuse(const weft_node *n, weft_graph *g, weft_value *out)
{
    return compose(n, g, FIRST, n->in[DY], n->in[Y], (const bool[]) { true, !weft_sdpa_joint(n), !weft_sdpa_joint(n), false }, out);
}

weft_result weft_sdpa_grad_rule(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const bool mask = weft_has(n, WEFT_SDPA_MASK);
    if (mask && want[WEFT_SDPA_MASK]) return compose(n, g, 0, dy[0], n->out[0], want, dx);
    const bool joint = weft_sdpa_joint(n);
    const weft_value in[] = { dy[0], n->out[0], n->in[WEFT_SDPA_Q], joint ? -1 : n->in[WEFT_SDPA_K], joint ? -1 : n->in[WEFT_SDPA_V],
                              mask ? n->in[WEFT_SDPA_MASK] : -1 };
    const weft_value all = weft_graph_call(g, "sdpa_grad", in, mask ? 6 : joint ? 3 : 5, n->attrs);
    for (int i = 0; i < (joint ? 1 : 3) && all >= 0; i++)
        if (want[i]) dx[i] = all + i;
    return weft_graph_status(g);
}

#define AT(...) &(const weft_sdpa_attrs) { __VA_ARGS__ }
const weft_op weft_op_sdpa_grad = {
    .name = "sdpa_grad",
    .doc = "What q, k and v of y = sdpa(q, k, v, mask) receive when y receives dy. With weights p = softmax(scale q k^T + mask) and "
           "ds = p (dy v^T - dy . y): dq = scale ds k, dk = scale ds^T q, dv = p^T dy. Dao 2023, FlashAttention-2.",
    .out_names = "dq dk dv", .in_names = "dy y q k? v? mask?", .outputs = outputs,
    .attr_bytes = sizeof(weft_sdpa_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_sdpa_attrs, scale, FLOAT, .doc = "of the products; 0: 1 / sqrt(d)"),
        WEFT_ATTR(weft_sdpa_attrs, causal, INT, .min = 0, .max = 1, .doc = "1: a query sees no later key"),
        WEFT_ATTR(weft_sdpa_attrs, heads, INT, .min = 0, .max = 65536, .doc = "side by side in a row; 0: rows are one head's, heads are a dimension before"),
        WEFT_ATTR(weft_sdpa_attrs, joint, INT, .min = 0, .max = 1, .doc = "1: k and v are left out, and in q's rows, and dk and dv in dq's"),
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
        { .in = { WEFT_SHAPE(2, 17, 15), WEFT_SHAPE(2, 17, 15), WEFT_SHAPE(2, 17, 24), WEFT_SHAPE(2, 35, 24), WEFT_SHAPE(2, 35, 15), WEFT_SHAPE(3, 17, 35) },
          .attrs = AT(.heads = 3), .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(2, 37, 32), WEFT_SHAPE(2, 37, 32), WEFT_SHAPE(2, 37, 96) }, .attrs = AT(.heads = 4, .joint = 1), .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(40, 15), WEFT_SHAPE(40, 15), WEFT_SHAPE(40, 45) }, .attrs = AT(.heads = 3, .joint = 1, .causal = 1) },
        { 0 }
    },
    .tolerance = 2e-5,
};
