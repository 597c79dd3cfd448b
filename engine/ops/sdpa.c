// SPDX-License-Identifier: MIT
// Scaled dot-product attention (Vaswani et al. 2017), computed in stretches of keys with a running maximum (Milakov and
// Gimelshein 2018), so that the scores of all pairs are never stored.
#include "ops/divide.h"
#include "ops/sdpa.h"
#include "ops/loop.h"
#include "ops/sdpa_matrix.h"
#include <math.h>
#include <string.h>

enum { Q = WEFT_SDPA_Q, K = WEFT_SDPA_K, V = WEFT_SDPA_V, MASK = WEFT_SDPA_MASK };

weft_sdpa_sizes weft_sdpa_sizes_of(const weft_node *n, int first)
{
    const weft_sdpa_attrs *at = n->attrs;
    const weft_shape q = n->in_shape[first + Q], k = n->in_shape[weft_sdpa_input(n, first, K)], v = n->in_shape[weft_sdpa_input(n, first, V)];
    const int64_t heads = at->heads ? at->heads : 1, parts = heads * (at->joint ? 3 : 1); // that a row is cut into
    weft_sdpa_sizes z = { heads, heads, q.dim[q.rank - 2], k.dim[k.rank - 2], q.dim[q.rank - 1] / parts, v.dim[v.rank - 1] / parts, at->scale };
    for (int d = 0; d < q.rank - 2; d++) z.batch *= q.dim[d];
    if (z.scale == 0) z.scale = 1 / sqrt((double) z.d);
    return z;
}

bool weft_sdpa_joint(const weft_node *n) { return ((const weft_sdpa_attrs *) n->attrs)->joint; }
int weft_sdpa_input(const weft_node *n, int first, int which) { return first + (weft_sdpa_joint(n) && which < MASK ? Q : which); }

weft_sdpa_rows weft_sdpa_rows_of(const weft_node *n, int first, int which, int64_t z)
{
    const weft_sdpa_sizes size = weft_sdpa_sizes_of(n, first);
    const int64_t width = which == V ? size.e : size.d, rows = which == Q ? size.l : size.s, all = width * size.heads, step = all * (weft_sdpa_joint(n) ? 3 : 1);
    return (weft_sdpa_rows) { z / size.heads * rows * step + z % size.heads * width + (weft_sdpa_joint(n) ? which * all : 0), step };
}

weft_sdpa_rows weft_sdpa_y_rows(const weft_sdpa_sizes *size, int64_t z)
{
    const int64_t step = size->e * size->heads;
    return (weft_sdpa_rows) { z / size->heads * size->l * step + z % size->heads * size->e, step };
}

weft_shape weft_sdpa_scores(const weft_node *n, int first)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
    weft_shape s = n->in_shape[first + Q];
    s.rank -= 2;
    if (((const weft_sdpa_attrs *) n->attrs)->heads) s.dim[s.rank++] = z.heads;
    s.dim[s.rank++] = z.l, s.dim[s.rank++] = z.s;
    return s;
}

// That rows are heads side by side.
static weft_result check_heads(weft_node *n, int first)
{
    const weft_sdpa_attrs *at = n->attrs;
    const weft_shape q = n->in_shape[first + Q];
    char text[WEFT_SHAPE_TEXT];
    if (at->joint && (!at->heads || weft_has(n, first + K) || weft_has(n, first + V))) return weft_node_fail(n, "joint wants heads, and neither k nor v");
    if (!at->joint && (!weft_has(n, first + K) || !weft_has(n, first + V))) return weft_node_fail(n, "k and v are wanted unless q holds them (joint)");
    if (!at->heads) return WEFT_OK;
    for (int i = Q; i <= V; i++) {
        const weft_shape x = n->in_shape[weft_sdpa_input(n, first, i)];
        const int64_t parts = at->heads * (at->joint ? 3 : 1);
        if (q.rank < WEFT_MAX_RANK && x.rank >= 2 && x.dim[x.rank - 1] % parts == 0 && x.dim[x.rank - 1]) continue;
        return weft_node_fail(n, "%s does not divide into %lld parts", weft_shape_text(x, text), (long long) parts);
    }
    return WEFT_OK;
}

weft_result weft_sdpa_check(weft_node *n, int first)
{
    WEFT_TRY(check_heads(n, first));
    const weft_shape q = n->in_shape[first + Q], k = n->in_shape[weft_sdpa_input(n, first, K)], v = n->in_shape[weft_sdpa_input(n, first, V)];
    char tq[WEFT_SHAPE_TEXT], tk[WEFT_SHAPE_TEXT], tv[WEFT_SHAPE_TEXT];
    bool fit = q.rank >= 2 && q.rank == k.rank && q.rank == v.rank;
    for (int d = 0; fit && d < q.rank - 2; d++) fit = q.dim[d] == k.dim[d] && q.dim[d] == v.dim[d];
    if (!fit || q.dim[q.rank - 1] != k.dim[k.rank - 1] || k.dim[k.rank - 2] != v.dim[v.rank - 2])
        return weft_node_fail(n, "q %s, k %s and v %s do not fit", weft_shape_text(q, tq), weft_shape_text(k, tk), weft_shape_text(v, tv));
    if (!weft_has(n, first + MASK)) return WEFT_OK;
    const weft_shape mask = n->in_shape[first + MASK], scores = weft_sdpa_scores(n, first);
    weft_shape all;
    if (weft_shape_broadcast(mask, scores, &all) && weft_shape_equal(all, scores)) return WEFT_OK;
    return weft_node_fail(n, "mask %s does not fit the scores %s", weft_shape_text(mask, tq), weft_shape_text(scores, tk));
}

static weft_result sdpa_infer(weft_node *n)
{
    WEFT_TRY(weft_sdpa_check(n, 0));
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, 0);
    n->out_shape[0] = n->in_shape[Q];
    n->out_shape[0].dim[n->in_shape[Q].rank - 1] = z.heads * z.e;
    return WEFT_OK;
}

// --- The truth. ----------------------------------------------------------------------------------------------

int64_t weft_sdpa_mask_row(const weft_node *n, int first, int64_t row, int64_t *step)
{
    const weft_shape all = weft_sdpa_scores(n, first);
    int64_t own[WEFT_MAX_RANK], stride[WEFT_MAX_RANK], at = 0;
    weft_shape_strides(n->in_shape[first + MASK], own);
    weft_shape_stretch(n->in_shape[first + MASK], own, all, stride);
    for (int d = all.rank - 2; d >= 0; row /= all.dim[d], d--) at += row % all.dim[d] * stride[d];
    *step = stride[all.rank - 1];
    return at;
}

weft_sdpa_line weft_sdpa_line_of(const weft_node *n, int first, const void *const *in, int64_t row)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
    const int64_t b = row / z.l, l = row % z.l;
    const weft_sdpa_rows q = weft_sdpa_rows_of(n, first, Q, b), k = weft_sdpa_rows_of(n, first, K, b);
    weft_sdpa_line r = { (const weft_real *) in[first + Q] + q.at + l * q.step, (const weft_real *) in[weft_sdpa_input(n, first, K)] + k.at, NULL, z.d, k.step, 0, z.s, z.scale };
    if (((const weft_sdpa_attrs *) n->attrs)->causal && l + 1 < z.s) r.keys = l + 1;
    if (weft_has(n, first + MASK)) r.mask = (const weft_real *) in[first + MASK] + weft_sdpa_mask_row(n, first, row, &r.mask_step);
    return r;
}

double weft_sdpa_score(const weft_sdpa_line *r, int64_t key)
{
    double sum = 0;
    for (int64_t i = 0; i < r->d; i++) sum += (double) r->q[i] * r->k[key * r->k_step + i];
    return sum * r->scale + (r->mask ? r->mask[key * r->mask_step] : 0);
}

double weft_sdpa_most(const weft_sdpa_line *r)
{
    double most = -INFINITY;
    for (int64_t s = 0; s < r->keys; s++) most = fmax(most, weft_sdpa_score(r, s));
    return most == -INFINITY ? 0 : most;
}

static int64_t sdpa_items(const weft_node *n)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, 0);
    return z.batch * z.l;
}

enum { TRUTH_COLUMNS = 256 };
static void sdpa_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, 0);
    for (int64_t row = arg->begin; row < arg->end; row++) {
        const weft_sdpa_line r = weft_sdpa_line_of(n, 0, arg->in, row);
        const double most = weft_sdpa_most(&r);
        const weft_sdpa_rows to = weft_sdpa_y_rows(&z, row / z.l), from = weft_sdpa_rows_of(n, 0, V, row / z.l);
        const weft_real *v = (const weft_real *) arg->in[weft_sdpa_input(n, 0, V)] + from.at;
        weft_real *y = (weft_real *) arg->out[0] + to.at + row % z.l * to.step;
        for (int64_t first = 0; first < z.e; first += TRUTH_COLUMNS) {
            const int64_t columns = z.e - first < TRUTH_COLUMNS ? z.e - first : TRUTH_COLUMNS;
            double mix[TRUTH_COLUMNS] = { 0 }, sum = 0;
            for (int64_t s = 0; s < r.keys; s++) {
                const double weight = exp(weft_sdpa_score(&r, s) - most);
                sum += weight;
                for (int64_t c = 0; c < columns; c++) mix[c] += weight * v[s * from.step + first + c];
            }
            for (int64_t c = 0; c < columns; c++) y[first + c] = (weft_real) (sum == 0 ? 0 : mix[c] / sum);
        }
    }
}

// --- Devices. ------------------------------------------------------------------------------------------------

// The mask's steps over the dimensions before the last two, merged where it steps evenly.
static weft_result fill_mask(const weft_node *n, int first, bool keys, struct sdpa_params *p)
{
    for (int d = 0; d < SDPA_BATCH; d++) p->dim[d] = 1, p->mask_step[d] = 0;
    if (!weft_has(n, first + MASK)) return WEFT_OK;
    const weft_shape all = weft_sdpa_scores(n, first);
    int64_t own[WEFT_MAX_RANK], stride[WEFT_MAX_RANK], dim[WEFT_MAX_RANK], step[WEFT_MAX_RANK];
    int rank = 0;
    weft_shape_strides(n->in_shape[first + MASK], own);
    weft_shape_stretch(n->in_shape[first + MASK], own, all, stride);
    p->mask_own = (u32) stride[all.rank - (keys ? 1 : 2)], p->mask_other = (u32) stride[all.rank - (keys ? 2 : 1)];
    for (int d = 0; d < all.rank - 2; d++) {
        if (all.dim[d] == 1) continue;
        if (rank && step[rank - 1] == stride[d] * all.dim[d]) dim[rank - 1] *= all.dim[d], step[rank - 1] = stride[d];
        else dim[rank] = all.dim[d], step[rank++] = stride[d];
    }
    if (rank > SDPA_BATCH) return weft_node_fail(n, "too many dimensions of the mask stretch in turn"), WEFT_ERR_UNSUPPORTED;
    for (int d = 0; d < rank; d++) p->dim[d] = (u32) dim[d], p->mask_step[d] = (u32) step[d];
    return WEFT_OK;
}

static uint32_t lanes_for(int64_t columns, uint32_t least, uint32_t most) // invocations with four columns each
{
    uint32_t lanes = least;
    while (lanes < most && lanes * 4 < columns) lanes *= 2;
    return lanes;
}

int weft_sdpa_ways(const weft_node *n, int first, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
    const uint8_t narrow = (uint8_t) lanes_for(z.d > z.e ? z.d : z.e, 8, 64);
    // A processor wants the own rows' numbers to be those of all invocations together; a GPU wants full workgroups.
    const bool software = weft_emit_caps(e)->is_software, few = weft_emit_caps(e)->few_registers; // 16 rows are up to 64 sums
    const weft_way flat = { n->op->name, { narrow, 8, narrow } }, full = { n->op->name, { 64, few ? 8 : 16, 32 } };
    int count = 0;
    if (weft_sdpa_can_store(n, first, e)) list[count++] = (weft_way) { "sdpa_stored", { 0 } };
    list[count++] = software ? flat : full, list[count++] = software ? full : flat;
    return count;
}

weft_result weft_sdpa_fill(const weft_node *n, int first, bool keys, struct sdpa_params *p)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
    *p = (struct sdpa_params) {
        .batch = (u32) z.batch, .own = (u32) (keys ? z.s : z.l), .other = (u32) (keys ? z.l : z.s), .d = (u32) z.d, .e = (u32) z.e, .scale = (f32) z.scale,
        .heads = (u32) z.heads,
    };
    for (int i = Q; i <= V; i++) {
        const weft_sdpa_rows rows = weft_sdpa_rows_of(n, first, i, 0);
        p->at[i] = (u32) rows.at, p->step[i] = (u32) rows.step;
    }
    return fill_mask(n, first, keys, p);
}

weft_result weft_sdpa_dispatch(const weft_node *n, int first, const uint8_t *cut, bool keys, int64_t columns, weft_dispatch *d, struct sdpa_params *p)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
    const uint32_t group = cut[0], own = cut[1], other = cut[2], lanes = lanes_for(columns, group / own > 4 ? group / own : 4, group < 64 ? group : 64);
    WEFT_TRY(weft_sdpa_fill(n, first, keys, p));
    p->tiles = (u32) ceil_div(p->own, own), p->column_tiles = columns ? (u32) ceil_div(columns, lanes * 4) : 1;
    const uint32_t spec[] = { group, own, other, lanes, z.d % 4 == 0, z.e % 4 == 0, (uint32_t) ((const weft_sdpa_attrs *) n->attrs)->causal,
                              weft_has(n, first + MASK), keys };
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) d->spec[d->spec_count++] = spec[i];
    d->params = p, d->params_bytes = sizeof *p;
    d->group[0] = group, d->grid[0] = group * p->tiles * p->column_tiles * p->batch;
    return WEFT_OK;
}

static double sdpa_flops(const weft_node *n)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, 0);
    return 2.0 * (double) (z.batch * z.l) * (double) z.s * (double) (z.d + z.e);
}

// Matrix units first, unless most of their rows would be empty; on a processor they are slow.
static int sdpa_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    const weft_caps *caps = weft_emit_caps(e);
    const bool first = !caps->is_software && weft_sdpa_sizes_of(n, 0).l * 2 > caps->matrix[0];
    int count = 0;
    if (first) weft_sdpa_matrix_ways(n, e, list, &count);
    count += weft_sdpa_ways(n, 0, e, list + count);
    if (!first) weft_sdpa_matrix_ways(n, e, list, &count);
    weft_sdpa_matrix2_ways(n, e, list, &count); // for trials
    return count;
}

static weft_result sdpa_emit(const weft_node *n, weft_emit *e)
{
    struct sdpa_params p;
    weft_dispatch d = { .kernel = weft_emit_way(e)->kernel, .flops = sdpa_flops(n) };
    WEFT_TRY(weft_loop_check(n));
    if (!strcmp(d.kernel, "sdpa_stored")) return weft_sdpa_stored(n, e);
    if (!strcmp(d.kernel, "sdpa_matrix") || !strcmp(d.kernel, "sdpa_matrix2")) {
        WEFT_TRY(weft_sdpa_fill(n, 0, false, &p));
        weft_sdpa_matrix_dispatch(n, e, &d, &p);
        return weft_emit_dispatch(e, &d);
    }
    WEFT_TRY(weft_sdpa_dispatch(n, 0, weft_emit_way(e)->cut, false, weft_sdpa_sizes_of(n, 0).e, &d, &p));
    d.spec_count--; // no keys of its own
    return weft_emit_dispatch(e, &d);
}

#define AT(...) &(const weft_sdpa_attrs) { __VA_ARGS__ }
const weft_op weft_op_sdpa = {
    .name = "sdpa",
    .doc = "y[.., i, :] = sum over j of softmax_j(scale q[.., i] . k[.., j] + mask[.., i, j]) v[.., j, :]. q [.., l, d], k [.., s, d], "
           "v [.., s, e]; the mask is added, stretched to [.., l, s]; causal: j <= i only. A query that sees nothing gives 0. Vaswani et al. 2017. "
           "With `heads` h they are side by side in rows: q [.., l, h d], k [.., s, h d], v [.., s, h e], y [.., l, h e], scores [.., h, l, s]; "
           "joint: q [.., l, 3 h d] has queries, keys and values one after the other in its rows.",
    .out_names = "y", .in_names = "q k? v? mask?",
    .attr_bytes = sizeof(weft_sdpa_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_sdpa_attrs, scale, FLOAT, .doc = "of the products; 0: 1 / sqrt(d)"),
        WEFT_ATTR(weft_sdpa_attrs, causal, INT, .min = 0, .max = 1, .doc = "1: a query sees no later key"),
        WEFT_ATTR(weft_sdpa_attrs, heads, INT, .min = 0, .max = 65536, .doc = "side by side in a row; 0: rows are one head's, heads are a dimension before"),
        WEFT_ATTR(weft_sdpa_attrs, joint, INT, .min = 0, .max = 1, .doc = "1: k and v are left out, and in q's rows"),
        { 0 }
    },
    .infer = sdpa_infer, .items = sdpa_items, .cpu = sdpa_cpu, .ways = sdpa_ways, .emit = sdpa_emit, .flops = sdpa_flops,
    .grad = weft_sdpa_grad_rule,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(5, 4), WEFT_SHAPE(7, 4), WEFT_SHAPE(7, 3) } },
        { .in = { WEFT_SHAPE(2, 33, 16), WEFT_SHAPE(2, 65, 16), WEFT_SHAPE(2, 65, 32) }, .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(2, 3, 17, 8), WEFT_SHAPE(2, 3, 31, 8), WEFT_SHAPE(2, 3, 31, 20), WEFT_SHAPE(2, 1, 17, 31) }, .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(2, 2, 40, 5), WEFT_SHAPE(2, 2, 40, 5), WEFT_SHAPE(2, 2, 40, 6) }, .attrs = AT(.causal = 1), .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(1, 3, 8), WEFT_SHAPE(1, 40, 8), WEFT_SHAPE(1, 40, 300) }, .attrs = AT(.scale = 3), .low = -3, .high = 3 },
        { .in = { WEFT_SHAPE(3, 9, 4), WEFT_SHAPE(3, 9, 4), WEFT_SHAPE(3, 9, 4), WEFT_SHAPE(9) }, .attrs = AT(.scale = 1), .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(2, 17, 24), WEFT_SHAPE(2, 35, 24), WEFT_SHAPE(2, 35, 15), WEFT_SHAPE(3, 17, 35) }, .attrs = AT(.heads = 3), .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(2, 37, 96) }, .attrs = AT(.heads = 4, .joint = 1), .low = -2, .high = 2 },
        { .in = { WEFT_SHAPE(40, 45) }, .attrs = AT(.heads = 3, .joint = 1, .causal = 1), .low = -2, .high = 2 },
        { 0 }
    },
};
