// SPDX-License-Identifier: MIT
// Attention and its gradient as products with all scores between them, in scratch of bounded size: for processors, on whose
// drivers products in registers are several times faster than the tiles of sdpa.comp, which no memory is worth there.
#include "ops/copy.h"
#include "ops/gemm.h"
#include "ops/sdpa.h"
#include "ops/lines.h"
#include "ops/softmax.h"
#include "params/sdpa_slope.h"

enum { BOUND = 1 << 23 }; // scores

bool weft_sdpa_can_store(const weft_node *n, int first, const weft_emit *e)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
    // In half precision the scores would be rounded on their way: 3e-3 of the result.
    return weft_emit_caps(e)->is_software && !weft_emit_half(e) && !((const weft_sdpa_attrs *) n->attrs)->causal && !weft_has(n, first + WEFT_SDPA_MASK) &&
           z.batch * z.l * z.s <= BOUND;
}

typedef struct job {
    weft_emit *e;
    weft_sdpa_sizes z;
} job;

// y = a b of every one of the batch, m x n with sums of k; t: which of a and b lie the other way round.
enum { T_NONE, T_A, T_B };
static weft_result product(const job *j, int t, int64_t m, int64_t n, int64_t k, weft_bind y, weft_bind a, weft_bind b)
{
    const weft_gemm g = {
        .m = m, .n = n, .k = k, .trans_a = t == T_A, .trans_b = t == T_B, .batch = { 1, { j->z.batch } }, .a_step = { 1 }, .b_step = { 1 },
        .b_count = j->z.batch, .y = y, .a = a, .b = b, .bias = a,
    };
    return weft_gemm_emit(&g, j->e, NULL);
}

#define IN(i) (weft_bind) WEFT_BIND_IN(i)
#define READ(s) (weft_bind) WEFT_BIND_SCRATCH(s, 0)
#define WRITE(s) (weft_bind) WEFT_BIND_SCRATCH(s, 1)

// Scores, then weights.
static weft_result weigh(const job *j, weft_bind q, weft_bind k, int scores, int weights)
{
    const weft_sdpa_sizes *z = &j->z;
    WEFT_TRY(product(j, T_B, z->l, z->s, z->d, WRITE(scores), q, k));
    return weft_softmax_lines(j->e, z->batch * z->l, z->s, z->scale, WRITE(weights), READ(scores));
}

static weft_result make(const weft_node *n, int first, weft_emit *e, job *j, int *scores, int *weights)
{
    *j = (job) { e, weft_sdpa_sizes_of(n, first) };
    *scores = weft_emit_scratch(e, j->z.batch * j->z.l * j->z.s, WEFT_F32), *weights = weft_emit_scratch(e, j->z.batch * j->z.l * j->z.s, WEFT_F32);
    return *scores < 0 || *weights < 0 ? WEFT_ERR_MEMORY : WEFT_OK;
}

// Products want every head's rows one after the other. Where they are not, they are copied there, and results from there.
typedef struct place { int64_t count, width; weft_sdpa_rows rows; } place; // rows of one of the batch, as they are

static bool is_packed(const job *j, const place *p) { return j->z.heads == 1 && p->rows.step == p->width; }

static weft_box box_of(const job *j, const place *p, bool out)
{
    const weft_sdpa_sizes *z = &j->z;
    const int64_t apart[] = { z->heads * p->count * p->width, p->count * p->width, p->width, 1 }, beside[] = { p->count * p->rows.step, p->width, p->rows.step, 1 };
    weft_box box = { .shape = WEFT_SHAPE(z->batch / z->heads, z->heads, p->count, p->width) };
    for (int d = 0; d < 4; d++) box.y_stride[d] = out ? beside[d] : apart[d], box.x_stride[d] = out ? apart[d] : beside[d];
    if (out) box.y_offset = p->rows.at;
    else box.x_offset = p->rows.at;
    return box;
}

static weft_result bring(const job *j, const place *p, weft_bind from, weft_bind *x)
{
    *x = from;
    if (is_packed(j, p)) return WEFT_OK;
    const int room = weft_emit_scratch(j->e, j->z.batch * p->count * p->width, WEFT_F32);
    const weft_box box = box_of(j, p, false);
    if (room < 0) return WEFT_ERR_MEMORY;
    *x = READ(room);
    return weft_copy_emit_box(j->e, &box, WRITE(room), from);
}

// y of a product; put takes it where it belongs.
static weft_result room_for(const job *j, const place *p, weft_bind to, weft_bind *y)
{
    *y = to;
    if (is_packed(j, p)) return WEFT_OK;
    const int room = weft_emit_scratch(j->e, j->z.batch * p->count * p->width, WEFT_F32);
    if (room >= 0) *y = WRITE(room);
    return room < 0 ? WEFT_ERR_MEMORY : WEFT_OK;
}

static weft_result put(const job *j, const place *p, weft_bind to, weft_bind y)
{
    if (is_packed(j, p)) return WEFT_OK;
    const weft_box box = box_of(j, p, true);
    y.writes = 0;
    return weft_copy_emit_box(j->e, &box, to, y);
}

static place place_of(const weft_node *n, int first, const weft_sdpa_sizes *z, int which)
{
    return (place) { which == WEFT_SDPA_Q ? z->l : z->s, which == WEFT_SDPA_V ? z->e : z->d, weft_sdpa_rows_of(n, first, which, 0) };
}

static place y_place(const weft_sdpa_sizes *z) { return (place) { z->l, z->e, weft_sdpa_y_rows(z, 0) }; }

static weft_result bring_all(const weft_node *n, int first, const job *j, place place_[3], weft_bind qkv[3])
{
    for (int i = WEFT_SDPA_Q; i <= WEFT_SDPA_V; i++) {
        place_[i] = place_of(n, first, &j->z, i);
        WEFT_TRY(bring(j, &place_[i], IN(weft_sdpa_input(n, first, i)), &qkv[i]));
    }
    return WEFT_OK;
}

weft_result weft_sdpa_stored(const weft_node *n, weft_emit *e)
{
    job j;
    int s, w;
    place places[3];
    weft_bind qkv[3], y;
    WEFT_TRY(make(n, 0, e, &j, &s, &w));
    const place to = y_place(&j.z);
    WEFT_TRY(bring_all(n, 0, &j, places, qkv));
    WEFT_TRY(weigh(&j, qkv[WEFT_SDPA_Q], qkv[WEFT_SDPA_K], s, w));
    if (!is_packed(&j, &to) && j.z.d == j.z.e) y = qkv[WEFT_SDPA_Q], y.writes = 1; // which nothing reads any more
    else WEFT_TRY(room_for(&j, &to, (weft_bind) WEFT_BIND_OUT(0), &y));
    WEFT_TRY(product(&j, T_NONE, j.z.l, j.z.e, j.z.s, y, READ(w), qkv[WEFT_SDPA_V]));
    return put(&j, &to, (weft_bind) WEFT_BIND_OUT(0), y);
}

enum { DY, Y, FIRST };

// What the weights receive becomes what the products of queries and keys receive.
static weft_result slope(const job *j, int slopes, int weights, weft_bind y, weft_bind dy)
{
    const weft_sdpa_sizes *z = &j->z;
    weft_way ways[WEFT_LINE_WAYS];
    const struct sdpa_slope_params p = { (u32) (z->batch * z->l), (u32) z->s, (u32) z->e, (f32) z->scale };
    weft_dispatch d = {
        .params = &p, .params_bytes = sizeof p, .flops = 3.0 * (double) (z->batch * z->l * z->s), .bind_count = 4,
        .bind = { WRITE(slopes), READ(weights), y, dy },
    };
    weft_line_ways(j->e, &(weft_line_set) { p.lines, p.len, false }, (const char *const[]) { "sdpa_slope", "sdpa_slope" }, ways);
    ways[0].cut[2] = 0; // the loops are of different lengths
    weft_line_dispatch(&ways[0], p.lines, &d);
    return weft_emit_dispatch(j->e, &d);
}

weft_result weft_sdpa_grad_stored(const weft_node *n, weft_emit *e)
{
    enum { Q = WEFT_SDPA_Q, K = WEFT_SDPA_K, V = WEFT_SDPA_V };
    job j;
    int s, w;
    place to[3];
    weft_bind qkv[3], y, dy, out[3], room[3];
    WEFT_TRY(make(n, FIRST, e, &j, &s, &w));
    const weft_sdpa_sizes *z = &j.z;
    const place from = y_place(z);
    WEFT_TRY(bring_all(n, FIRST, &j, to, qkv));
    WEFT_TRY(bring(&j, &from, IN(Y), &y));
    WEFT_TRY(bring(&j, &from, IN(DY), &dy));
    for (int i = Q; i <= V; i++) {
        out[i] = (weft_bind) WEFT_BIND_OUT(weft_sdpa_joint(n) ? 0 : i);
        WEFT_TRY(room_for(&j, &to[i], out[i], &room[i]));
    }
    WEFT_TRY(weigh(&j, qkv[Q], qkv[K], s, w));
    WEFT_TRY(product(&j, T_A, z->s, z->e, z->l, room[V], READ(w), dy));
    WEFT_TRY(put(&j, &to[V], out[V], room[V]));
    WEFT_TRY(product(&j, T_B, z->l, z->s, z->e, WRITE(s), dy, qkv[V]));
    WEFT_TRY(slope(&j, s, w, y, dy));
    WEFT_TRY(product(&j, T_NONE, z->l, z->d, z->s, room[Q], READ(s), qkv[K]));
    WEFT_TRY(put(&j, &to[Q], out[Q], room[Q]));
    WEFT_TRY(product(&j, T_A, z->s, z->d, z->l, room[K], READ(s), qkv[Q]));
    return put(&j, &to[K], out[K], room[K]);
}
