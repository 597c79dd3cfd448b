// SPDX-License-Identifier: MIT
// Attention and its gradient as products with all scores between them, in scratch of bounded size: for processors, on whose
// drivers products in registers are several times faster than the tiles of sdpa.comp, which no memory is worth there.
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
#define OUT(i) (weft_bind) WEFT_BIND_OUT(i)
#define READ(s) (weft_bind) WEFT_BIND_SCRATCH(s, 0)
#define WRITE(s) (weft_bind) WEFT_BIND_SCRATCH(s, 1)

// Scores, then weights.
static weft_result weigh(const job *j, int first, int scores, int weights)
{
    const weft_sdpa_sizes *z = &j->z;
    WEFT_TRY(product(j, T_B, z->l, z->s, z->d, WRITE(scores), IN(first + WEFT_SDPA_Q), IN(first + WEFT_SDPA_K)));
    return weft_softmax_lines(j->e, z->batch * z->l, z->s, z->scale, WRITE(weights), READ(scores));
}

static weft_result make(const weft_node *n, int first, weft_emit *e, job *j, int *scores, int *weights)
{
    *j = (job) { e, weft_sdpa_sizes_of(n, first) };
    *scores = weft_emit_scratch(e, j->z.batch * j->z.l * j->z.s, WEFT_F32), *weights = weft_emit_scratch(e, j->z.batch * j->z.l * j->z.s, WEFT_F32);
    return *scores < 0 || *weights < 0 ? WEFT_ERR_MEMORY : WEFT_OK;
}

weft_result weft_sdpa_stored(const weft_node *n, weft_emit *e)
{
    job j;
    int s, w;
    WEFT_TRY(make(n, 0, e, &j, &s, &w));
    WEFT_TRY(weigh(&j, 0, s, w));
    return product(&j, T_NONE, j.z.l, j.z.e, j.z.s, OUT(0), READ(w), IN(WEFT_SDPA_V));
}

enum { DY, Y, FIRST };

// What the weights receive becomes what the products of queries and keys receive.
static weft_result slope(const job *j, int slopes, int weights)
{
    const weft_sdpa_sizes *z = &j->z;
    weft_way ways[WEFT_LINE_WAYS];
    const struct sdpa_slope_params p = { (u32) (z->batch * z->l), (u32) z->s, (u32) z->e, (f32) z->scale };
    weft_dispatch d = {
        .params = &p, .params_bytes = sizeof p, .flops = 3.0 * (double) (z->batch * z->l * z->s), .bind_count = 4,
        .bind = { WRITE(slopes), READ(weights), IN(Y), IN(DY) },
    };
    weft_line_ways(j->e, &(weft_line_set) { p.lines, p.len, false }, (const char *const[]) { "sdpa_slope", "sdpa_slope" }, ways);
    ways[0].cut[2] = 0; // the loops are of different lengths
    weft_line_dispatch(&ways[0], p.lines, &d);
    return weft_emit_dispatch(j->e, &d);
}

weft_result weft_sdpa_grad_stored(const weft_node *n, weft_emit *e)
{
    job j;
    int s, w;
    WEFT_TRY(make(n, FIRST, e, &j, &s, &w));
    const weft_sdpa_sizes *z = &j.z;
    WEFT_TRY(weigh(&j, FIRST, s, w));
    WEFT_TRY(product(&j, T_A, z->s, z->e, z->l, OUT(WEFT_SDPA_V), READ(w), IN(DY)));
    WEFT_TRY(product(&j, T_B, z->l, z->s, z->e, WRITE(s), IN(DY), IN(FIRST + WEFT_SDPA_V)));
    WEFT_TRY(slope(&j, s, w));
    WEFT_TRY(product(&j, T_NONE, z->l, z->d, z->s, OUT(WEFT_SDPA_Q), READ(s), IN(FIRST + WEFT_SDPA_K)));
    return product(&j, T_A, z->s, z->d, z->l, OUT(WEFT_SDPA_K), READ(s), IN(FIRST + WEFT_SDPA_Q));
}
