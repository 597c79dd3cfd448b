// SPDX-License-Identifier: MIT
// sdpa and its gradient on oneDNN's sgemm, a strip of queries at a time: no more than its scores are ever stored.
#ifdef WEFT_DNNL
#include "cpu/clones.h"
#include "cpu/exp.h"
#include "cpu/fast.h"
#include "ops/divide.h"
#include "ops/sdpa.h"
#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>
#include <string.h>

enum { QUERIES = 64, BACKWARD = 2 }; // of a strip; where q is among the inputs of the gradient

typedef struct job {
    const weft_node *node;
    weft_sdpa_sizes size;
    void *const *out;
    const void *const *in;
    char *scratch;
    size_t slot_bytes;
    int64_t slots; // threads, each with its part of the scratch
    int64_t parts; // of one of the batch, which they share
    _Atomic bool failed;
} job;

static int first_of(const weft_node *n) { return strcmp(n->op->name, "sdpa") ? BACKWARD : 0; }

static size_t strip_bytes(const weft_sdpa_sizes *z)
{
    const int64_t rows = z->l < QUERIES ? z->l : QUERIES;
    return ((size_t) (rows * z->s) * 4 + 63) / 64 * 64;
}

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first_of(n));
    (void) constant;
    *state = (void *) (uintptr_t) n; // nothing to keep
    *scratch = strip_bytes(&z) * 2 * (size_t) weft_pool_threads(ctx->pool);
    return WEFT_OK;
}

// Scores of one query become weights; keys from `seen` on have none.
WEFT_CLONES static void weigh(float *restrict s, int64_t seen, int64_t keys)
{
    enum { WIDTH = 16 };
    float most[WIDTH], sum[WIDTH] = { 0 }, top = -INFINITY, all = 0;
    int64_t i = 0;
    for (int k = 0; k < WIDTH; k++) most[k] = -INFINITY;
    for (; i + WIDTH <= seen; i += WIDTH)
        for (int k = 0; k < WIDTH; k++) most[k] = s[i + k] > most[k] ? s[i + k] : most[k];
    for (; i < seen; i++) top = s[i] > top ? s[i] : top;
    for (int k = 0; k < WIDTH; k++) top = most[k] > top ? most[k] : top;
    if (top == -INFINITY) top = 0; // nothing is seen
    for (i = 0; i + WIDTH <= seen; i += WIDTH)
        for (int k = 0; k < WIDTH; k++) {
            s[i + k] = weft_exp_weight(s[i + k] - top);
            sum[k] += s[i + k];
        }
    for (; i < seen; i++) all += s[i] = weft_exp_weight(s[i] - top);
    for (int k = 0; k < WIDTH; k++) all += sum[k];
    const float by = all == 0 ? 0 : 1 / all;
    for (i = 0; i < seen; i++) s[i] *= by;
    for (; i < keys; i++) s[i] = 0;
}

// What weights receive becomes what the scores' products receive.
WEFT_CLONES static void slope(float *restrict dp, const float *restrict p, float along, float scale, int64_t keys)
{
    for (int64_t i = 0; i < keys; i++) dp[i] = p[i] * (dp[i] - along) * scale;
}

WEFT_CLONES static float dot(const float *restrict a, const float *restrict b, int64_t count)
{
    float sum = 0;
    for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

typedef struct rows { const float *at; int64_t step; } rows; // of a matrix

static void product(job *j, char trans_a, char trans_b, int64_t m, int64_t n, int64_t k, float by, rows a, rows b, float add, float *y, int64_t y_step)
{
    if (dnnl_sgemm(trans_a, trans_b, m, n, k, by, a.at, a.step, b.at, b.step, add, y, y_step) != dnnl_success) j->failed = true;
}

// Of one of the batch, from row `first` on: q, k or v, and y or dy.
static rows input(const job *j, int which, int64_t z, int64_t first)
{
    const int at = first_of(j->node);
    const weft_sdpa_rows r = weft_sdpa_rows_of(j->node, at, which, z);
    return (rows) { (const float *) j->in[weft_sdpa_input(j->node, at, which)] + r.at + first * r.step, r.step };
}

static rows of_y(const job *j, const void *y, int64_t z, int64_t first)
{
    const weft_sdpa_rows r = weft_sdpa_y_rows(&j->size, z);
    return (rows) { (const float *) y + r.at + first * r.step, r.step };
}

// The weights of `count` queries from `first` on of one of the batch, for the keys that any of them may see: how many is given back.
static int64_t strip(job *j, int64_t z, int64_t first, int64_t count, float *s)
{
    const int at = first_of(j->node);
    const weft_sdpa_sizes *size = &j->size;
    const bool causal = ((const weft_sdpa_attrs *) j->node->attrs)->causal, mask = weft_has(j->node, at + WEFT_SDPA_MASK);
    const int64_t keys = causal && first + count < size->s ? first + count : size->s;
    product(j, 'N', 'T', count, keys, size->d, (float) size->scale, input(j, WEFT_SDPA_Q, z, first), input(j, WEFT_SDPA_K, z, 0), 0, s, keys);
    for (int64_t i = 0; i < count; i++) {
        if (mask) {
            int64_t step;
            const float *m = (const float *) j->in[at + WEFT_SDPA_MASK] + weft_sdpa_mask_row(j->node, at, z * size->l + first + i, &step);
            for (int64_t k = 0; k < keys; k++) s[i * keys + k] += m[k * step];
        }
        weigh(s + i * keys, causal && first + i + 1 < keys ? first + i + 1 : keys, keys);
    }
    return keys;
}

static void forward(job *j, int64_t z, int64_t first, float *s)
{
    const weft_sdpa_sizes *size = &j->size;
    const int64_t count = size->l - first < QUERIES ? size->l - first : QUERIES, keys = strip(j, z, first, count, s);
    const weft_sdpa_rows y = weft_sdpa_y_rows(size, z);
    product(j, 'N', 'N', count, size->e, keys, 1, (rows) { s, keys }, input(j, WEFT_SDPA_V, z, 0), 0, (float *) j->out[0] + y.at + first * y.step, y.step);
}

static void backward(job *j, int64_t z, float *p)
{
    const weft_sdpa_sizes *size = &j->size;
    const int64_t l = size->l, s = size->s, d = size->d, e = size->e;
    float *to[3], *ds = (float *) ((char *) p + strip_bytes(size));
    int64_t step[3];
    for (int i = WEFT_SDPA_Q; i <= WEFT_SDPA_V; i++) {
        const weft_sdpa_rows r = weft_sdpa_rows_of(j->node, BACKWARD, i, z);
        to[i] = (float *) j->out[weft_sdpa_joint(j->node) ? 0 : i] + r.at, step[i] = r.step;
    }
    float *dq = to[WEFT_SDPA_Q], *dk = to[WEFT_SDPA_K], *dv = to[WEFT_SDPA_V];
    const int64_t dq_step = step[WEFT_SDPA_Q], dk_step = step[WEFT_SDPA_K], dv_step = step[WEFT_SDPA_V];
    for (int64_t i = 0; i < s; i++) { // what no query sees stays 0
        memset(dk + i * dk_step, 0, (size_t) d * 4);
        memset(dv + i * dv_step, 0, (size_t) e * 4);
    }
    for (int64_t first = 0; first < l; first += QUERIES) {
        const int64_t count = l - first < QUERIES ? l - first : QUERIES, keys = strip(j, z, first, count, p);
        const rows dy = of_y(j, j->in[0], z, first), y = of_y(j, j->in[1], z, first), weights = { p, keys }, slopes = { ds, keys };
        product(j, 'N', 'T', count, keys, e, 1, dy, input(j, WEFT_SDPA_V, z, 0), 0, ds, keys);
        for (int64_t i = 0; i < count; i++) slope(ds + i * keys, p + i * keys, dot(y.at + i * y.step, dy.at + i * dy.step, e), (float) size->scale, keys);
        product(j, 'N', 'N', count, d, keys, 1, slopes, input(j, WEFT_SDPA_K, z, 0), 0, dq + first * dq_step, dq_step);
        product(j, 'T', 'N', keys, d, count, 1, slopes, input(j, WEFT_SDPA_Q, z, first), 1, dk, dk_step);
        product(j, 'T', 'N', keys, e, count, 1, weights, dy, 1, dv, dv_step);
    }
}

static void some(void *user, int64_t begin, int64_t end)
{
    job *j = user;
    for (int64_t slot = begin; slot < end; slot++)
        for (int64_t i = slot; i < j->parts * j->size.batch; i += j->slots) {
            float *room = (float *) (j->scratch + (size_t) slot * j->slot_bytes);
            if (first_of(j->node)) backward(j, i, room);
            else forward(j, i / j->parts, i % j->parts * QUERIES, room);
        }
}

// Strips of queries on threads of their own; on the way back each of the batch, whose strips add to the same sums. Where there are too few, one
// after another with the threads in the products.
static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    job j = { .node = n, .size = weft_sdpa_sizes_of(n, first_of(n)), .out = out, .in = in, .scratch = scratch, .slots = weft_pool_threads(ctx->pool) };
    (void) state;
    j.slot_bytes = 2 * strip_bytes(&j.size);
    j.parts = first_of(n) ? 1 : ceil_div(j.size.l, QUERIES);
    if (j.parts * j.size.batch < j.slots) j.slots = 1;
    weft_parallel(ctx->pool, j.slots, 1, some, &j);
    return j.failed ? weft_fail_memory(0) : WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_sdpa = { "sdpa", prepare, run };
const weft_cpu_fast weft_cpu_fast_sdpa_grad = { "sdpa_grad", prepare, run };
#endif // WEFT_DNNL
typedef int weft_cpu_fast_sdpa_not_empty; // ISO C wants a declaration
