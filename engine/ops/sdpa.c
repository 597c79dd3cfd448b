// SPDX-License-Identifier: MIT
// Scaled dot-product attention (Vaswani et al. 2017), computed in stretches of keys with a running maximum (Milakov and
// Gimelshein 2018), so that the scores of all pairs are never stored.
#include "ops/loop.h"
#include "ops/grad.h"
#include "params/sdpa.h"
#include <math.h>

typedef struct sdpa_attrs { float scale; int32_t causal; } sdpa_attrs;
enum { Q, K, V, MASK };

typedef struct sizes { int64_t batch, l, s, d, e; double scale; } sizes;
static sizes sizes_of(const weft_node *n)
{
    const sdpa_attrs *at = n->attrs;
    const weft_shape q = n->in_shape[Q], k = n->in_shape[K], v = n->in_shape[V];
    sizes z = { 1, q.dim[q.rank - 2], k.dim[k.rank - 2], q.dim[q.rank - 1], v.dim[v.rank - 1], at->scale };
    for (int d = 0; d < q.rank - 2; d++) z.batch *= q.dim[d];
    if (z.scale == 0) z.scale = 1 / sqrt((double) z.d);
    return z;
}

static weft_shape scores(const weft_node *n) // the shape of all scores, to which the mask is stretched
{
    weft_shape s = n->in_shape[Q];
    s.dim[s.rank - 1] = n->in_shape[K].dim[n->in_shape[K].rank - 2];
    return s;
}

static weft_result sdpa_infer(weft_node *n)
{
    const weft_shape q = n->in_shape[Q], k = n->in_shape[K], v = n->in_shape[V];
    char tq[WEFT_SHAPE_TEXT], tk[WEFT_SHAPE_TEXT], tv[WEFT_SHAPE_TEXT];
    bool fit = q.rank >= 2 && q.rank == k.rank && q.rank == v.rank;
    for (int d = 0; fit && d < q.rank - 2; d++) fit = q.dim[d] == k.dim[d] && q.dim[d] == v.dim[d];
    if (!fit || q.dim[q.rank - 1] != k.dim[k.rank - 1] || k.dim[k.rank - 2] != v.dim[v.rank - 2])
        return weft_node_fail(n, "q %s, k %s and v %s do not fit", weft_shape_text(q, tq), weft_shape_text(k, tk), weft_shape_text(v, tv));
    if (weft_has(n, MASK)) {
        weft_shape all;
        if (!weft_shape_broadcast(n->in_shape[MASK], scores(n), &all) || !weft_shape_equal(all, scores(n)))
            return weft_node_fail(n, "mask %s does not fit the scores %s", weft_shape_text(n->in_shape[MASK], tq), weft_shape_text(scores(n), tk));
    }
    n->out_shape[0] = q;
    n->out_shape[0].dim[q.rank - 1] = v.dim[v.rank - 1];
    return WEFT_OK;
}

static int64_t sdpa_items(const weft_node *n)
{
    const sizes z = sizes_of(n);
    return z.batch * z.l;
}

typedef struct line { const weft_real *q, *k, *mask; int64_t d, mask_step, keys; double scale; } line; // one query
static double score(const line *r, int64_t s)
{
    double sum = 0;
    for (int64_t i = 0; i < r->d; i++) sum += (double) r->q[i] * r->k[s * r->d + i];
    return sum * r->scale + (r->mask ? r->mask[s * r->mask_step] : 0);
}

enum { TRUTH_COLUMNS = 256 };
static void sdpa_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const sizes z = sizes_of(n);
    const weft_shape all = scores(n);
    int64_t own[WEFT_MAX_RANK], stride[WEFT_MAX_RANK] = { 0 };
    if (weft_has(n, MASK)) weft_shape_strides(n->in_shape[MASK], own), weft_shape_stretch(n->in_shape[MASK], own, all, stride);
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const int64_t b = row / z.l, l = row % z.l;
        line r = { (const weft_real *) arg->in[Q] + row * z.d, (const weft_real *) arg->in[K] + b * z.s * z.d, NULL, z.d, stride[all.rank - 1], z.s, z.scale };
        if (((const sdpa_attrs *) n->attrs)->causal && l + 1 < z.s) r.keys = l + 1;
        if (weft_has(n, MASK)) {
            int64_t at = 0, rest = row;
            for (int d = all.rank - 2; d >= 0; rest /= all.dim[d], d--) at += rest % all.dim[d] * stride[d];
            r.mask = (const weft_real *) arg->in[MASK] + at;
        }
        double most = -INFINITY, sum = 0;
        for (int64_t s = 0; s < r.keys; s++) most = fmax(most, score(&r, s));
        if (most == -INFINITY) most = 0; // all keys are masked: nothing is seen
        const weft_real *v = (const weft_real *) arg->in[V] + b * z.s * z.e;
        weft_real *y = (weft_real *) arg->out[0] + row * z.e;
        for (int64_t first = 0; first < z.e; first += TRUTH_COLUMNS) {
            const int64_t columns = z.e - first < TRUTH_COLUMNS ? z.e - first : TRUTH_COLUMNS;
            double mix[TRUTH_COLUMNS] = { 0 };
            sum = 0;
            for (int64_t s = 0; s < r.keys; s++) {
                const double weight = exp(score(&r, s) - most);
                sum += weight;
                for (int64_t c = 0; c < columns; c++) mix[c] += weight * v[s * z.e + first + c];
            }
            for (int64_t c = 0; c < columns; c++) y[first + c] = (weft_real) (sum > 0 ? mix[c] / sum : 0);
        }
    }
}

// The mask's steps over the dimensions before the last two, merged where it steps evenly.
static weft_result fill_mask(const weft_node *n, struct sdpa_params *p)
{
    for (int d = 0; d < SDPA_BATCH; d++) p->dim[d] = 1, p->mask_step[d] = 0;
    if (!weft_has(n, MASK)) return WEFT_OK;
    const weft_shape all = scores(n);
    int64_t own[WEFT_MAX_RANK], stride[WEFT_MAX_RANK], dim[WEFT_MAX_RANK], step[WEFT_MAX_RANK];
    int rank = 0;
    weft_shape_strides(n->in_shape[MASK], own);
    weft_shape_stretch(n->in_shape[MASK], own, all, stride);
    p->mask_l = (u32) stride[all.rank - 2], p->mask_s = (u32) stride[all.rank - 1];
    for (int d = 0; d < all.rank - 2; d++) {
        if (all.dim[d] == 1) continue;
        if (rank && step[rank - 1] == stride[d] * all.dim[d]) dim[rank - 1] *= all.dim[d], step[rank - 1] = stride[d];
        else dim[rank] = all.dim[d], step[rank++] = stride[d];
    }
    if (rank > SDPA_BATCH) return weft_node_fail(n, "too many dimensions of the mask stretch in turn"), WEFT_ERR_UNSUPPORTED;
    for (int d = 0; d < rank; d++) p->dim[d] = (u32) dim[d], p->mask_step[d] = (u32) step[d];
    return WEFT_OK;
}

static double sdpa_flops(const weft_node *n)
{
    const sizes z = sizes_of(n);
    return 2.0 * (double) (z.batch * z.l) * (double) z.s * (double) (z.d + z.e);
}

static weft_result sdpa_emit(const weft_node *n, weft_emit *e)
{
    const sizes z = sizes_of(n);
    WEFT_TRY(weft_loop_check(n));
    uint32_t lanes = 4; // invocations side by side along e, four columns each; the others take other queries
    while (lanes < 64 && lanes * 4 < z.e) lanes *= 2;
    struct sdpa_params p = {
        .batch = (u32) z.batch, .l = (u32) z.l, .s = (u32) z.s, .d = (u32) z.d, .e = (u32) z.e, .scale = (f32) z.scale,
        .tiles = (u32) ((z.l + SDPA_QUERIES - 1) / SDPA_QUERIES), .e_tiles = (u32) ((z.e + lanes * 4 - 1) / (lanes * 4)),
    };
    WEFT_TRY(fill_mask(n, &p));
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "sdpa", .spec = { lanes, z.d % 4 == 0, z.e % 4 == 0, (uint32_t) ((const sdpa_attrs *) n->attrs)->causal, weft_has(n, MASK) },
        .spec_count = 5, .params = &p, .params_bytes = sizeof p, .grid = { 64 * p.tiles * p.e_tiles * p.batch }, .flops = sdpa_flops(n),
    });
}

// Through the probabilities, which are computed again: those of keys far below (masked ones) are 0, and a query that sees nothing
// has none.
enum { LOWEST = -60000 }; // which half precision holds too
static weft_value probabilities(const weft_node *n, weft_graph *g)
{
    const sizes z = sizes_of(n);
    weft_value s = weft_grad_call(g, "matmul", WEFT_V(n->in[Q], n->in[K]), WEFT_WITH({ "trans_b", NULL, 1, { 1 } }));
    s = weft_grad_scale(g, s, z.scale);
    if (weft_has(n, MASK)) s = weft_grad_add(g, s, n->in[MASK]);
    if (((const sdpa_attrs *) n->attrs)->causal) {
        float *later = weft_arena_new(g->arena, sizeof *later * (size_t) (z.l * z.s));
        if (!later) return -1;
        for (int64_t i = 0; i < z.l * z.s; i++) later[i] = i % z.s > i / z.s ? LOWEST : 0;
        s = weft_grad_add(g, s, weft_graph_numbers(g, (weft_shape) WEFT_SHAPE(z.l, z.s), later));
    }
    if (!weft_has(n, MASK)) return weft_grad_unary(g, "softmax", s);
    s = weft_grad_binary(g, "max", s, weft_graph_scalar(g, LOWEST));
    const weft_value most = weft_grad_reduce(g, "reduce_max", s, 1u << (n->in_shape[Q].rank - 1));
    return weft_grad_mul(g, weft_grad_unary(g, "softmax", s), weft_grad_binary(g, "greater", most, weft_graph_scalar(g, LOWEST / 2)));
}

static weft_result sdpa_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx)
{
    const double scale = sizes_of(n).scale;
    const weft_value p = probabilities(n, g), dp = weft_grad_call(g, "matmul", WEFT_V(dy[0], n->in[V]), WEFT_WITH({ "trans_b", NULL, 1, { 1 } }));
    const uint32_t keys = 1u << (n->in_shape[Q].rank - 1);
    const weft_value mean = weft_grad_reduce(g, "sum", weft_grad_mul(g, dp, p), keys);
    const weft_value ds = weft_grad_mul(g, p, weft_grad_binary(g, "sub", dp, mean)); // of the scores
    if (want[Q]) dx[Q] = weft_grad_scale(g, weft_grad_binary(g, "matmul", ds, n->in[K]), scale);
    if (want[K]) dx[K] = weft_grad_scale(g, weft_grad_call(g, "matmul", WEFT_V(ds, n->in[Q]), WEFT_WITH({ "trans_a", NULL, 1, { 1 } })), scale);
    if (want[V]) dx[V] = weft_grad_call(g, "matmul", WEFT_V(p, dy[0]), WEFT_WITH({ "trans_a", NULL, 1, { 1 } }));
    if (weft_has(n, MASK) && want[MASK]) dx[MASK] = weft_grad_unstretch(g, ds, n->in_shape[MASK]);
    return WEFT_OK;
}

#define AT(...) &(const sdpa_attrs) { __VA_ARGS__ }
const weft_op weft_op_sdpa = {
    .name = "sdpa",
    .doc = "y[.., i, :] = sum over j of softmax_j(scale q[.., i] . k[.., j] + mask[.., i, j]) v[.., j, :]. q [.., l, d], k [.., s, d], "
           "v [.., s, e]; the mask is added, stretched to [.., l, s]; causal: j <= i only. A query that sees nothing gives 0. Vaswani et al. 2017.",
    .out_names = "y", .in_names = "q k v mask?",
    .attr_bytes = sizeof(sdpa_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(sdpa_attrs, scale, FLOAT, .doc = "of the products; 0: 1 / sqrt(d)"),
        WEFT_ATTR(sdpa_attrs, causal, INT, .min = 0, .max = 1, .doc = "1: a query sees no later key"),
        { 0 }
    },
    .infer = sdpa_infer, .items = sdpa_items, .cpu = sdpa_cpu, .emit = sdpa_emit, .flops = sdpa_flops, .grad = sdpa_grad,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(5, 4), WEFT_SHAPE(7, 4), WEFT_SHAPE(7, 3) } },
        { .in = { WEFT_SHAPE(2, 33, 16), WEFT_SHAPE(2, 65, 16), WEFT_SHAPE(2, 65, 32) }, .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(2, 3, 17, 8), WEFT_SHAPE(2, 3, 31, 8), WEFT_SHAPE(2, 3, 31, 20), WEFT_SHAPE(2, 1, 17, 31) }, .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(2, 2, 40, 5), WEFT_SHAPE(2, 2, 40, 5), WEFT_SHAPE(2, 2, 40, 6) }, .attrs = AT(.causal = 1), .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(1, 3, 8), WEFT_SHAPE(1, 40, 8), WEFT_SHAPE(1, 40, 300) }, .attrs = AT(.scale = 3), .low = -3, .high = 3 },
        { .in = { WEFT_SHAPE(3, 9, 4), WEFT_SHAPE(3, 9, 4), WEFT_SHAPE(3, 9, 4), WEFT_SHAPE(9) }, .attrs = AT(.scale = 1), .low = -2, .high = 2 },
        { 0 }
    },
};
