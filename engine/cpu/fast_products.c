// SPDX-License-Identifier: MIT
// Products of a few rows: what is done to x once, then sums that vectorise along k or, transposed, over columns.
#include "cpu/clones.h"
#include "cpu/fast.h"
#include "ops/products.h"
#include <string.h>

enum { LANES = 16, BLOCK = 256 };

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    const weft_products_attrs *at = n->attrs;
    (void) ctx, (void) constant;
    *scratch = 0;
    for (int i = 0; i < at->count; i++) *scratch += (size_t) (at->rows * weft_product_k(n, i)) * sizeof(float);
    *state = (void *) (uintptr_t) n; // nothing to keep
    return WEFT_OK;
}

WEFT_CLONES static float dot(const float *restrict a, const float *restrict b, int64_t count)
{
    float lane[LANES] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += a[i + l] * b[i + l];
    for (; i < count; i++) sum += a[i] * b[i];
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sum;
}

WEFT_CLONES static void add_rows(float *restrict sum, const float *restrict x, const float *restrict w, int64_t k, int64_t stride, int64_t count)
{
    for (int64_t r = 0; r < k; r++) {
        const float by = x[r], *restrict row = w + r * stride;
        for (int64_t c = 0; c < count; c++) sum[c] += by * row[c];
    }
}

static float apply(const weft_product_step *s, float v, const float *other)
{
    if (s->act.act) v = (float) weft_activate(s->act.act, v, s->act.a, s->act.b);
    return s->back.act ? v * (float) weft_activate_slope(s->back.act, *other, *other, s->back.a, s->back.b) : v;
}

typedef struct job { const weft_node *n; void *const *out; const void *const *in; const float *x; } job; // x: of all products, as it goes into the sums

static void end_columns(const job *j, int i, int64_t row, int64_t begin, int64_t count, const float *sum)
{
    const weft_products_attrs *at = j->n->attrs;
    const weft_product_line *line = (const weft_product_line *) j->in[WEFT_PRODUCTS_TABLE] + i;
    const float *const *in = (const float *const *) j->in + weft_products_input(i, 0);
    const float *b = weft_products_has(j->n, weft_products_input(i, WEFT_PRODUCT_B)) ? in[WEFT_PRODUCT_B] + line->b_at + begin : NULL;
    const float *m = at->behind.back.act ? in[WEFT_PRODUCT_M] + line->m_at + row * line->m_step + begin : NULL;
    const float *r = weft_products_has(j->n, weft_products_input(i, WEFT_PRODUCT_R)) ? in[WEFT_PRODUCT_R] + line->r_at + row * line->r_step + begin : NULL;
    float *y = (float *) j->out[0] + line->y_at + row * line->y_step + begin;
    for (int64_t c = 0; c < count; c++) {
        const float v = apply(&at->behind, line->gain * sum[c] + line->shift + (b ? line->bias_gain * b[c] : 0), m ? m + c : NULL);
        y[c] = v + (r ? r[c] : 0);
    }
}

static void columns_of(const job *j, int i, const float *x, int64_t begin, int64_t end)
{
    const weft_products_attrs *at = j->n->attrs;
    const int64_t k = weft_product_k(j->n, i), width = weft_product_width(j->n, i);
    const float *w = j->in[i];
    float sum[BLOCK];
    for (; begin < end; begin += BLOCK) {
        const int64_t count = end - begin < BLOCK ? end - begin : BLOCK;
        for (int64_t row = 0; row < at->rows; row++) {
            memset(sum, 0, sizeof sum);
            if (at->transposed) add_rows(sum, x + row * k, w + begin, k, width, count);
            for (int64_t c = 0; c < count && !at->transposed; c++) sum[c] = dot(x + row * k, w + (begin + c) * k, k);
            end_columns(j, i, row, begin, count, sum);
        }
    }
}

static void columns(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    const weft_products_attrs *at = j->n->attrs;
    const float *x = j->x;
    int64_t first = 0;
    for (int i = 0; i < at->count && first < end; i++) {
        const int64_t width = weft_product_width(j->n, i), from = begin > first ? begin - first : 0, to = end - first < width ? end - first : width;
        if (from < to) columns_of(j, i, x, from, to);
        first += width;
        x += at->rows * weft_product_k(j->n, i);
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    enum { WORTH = 40000 }; // multiplications that outweigh waking a thread
    const weft_products_attrs *at = n->attrs;
    float *x = scratch;
    int64_t all = 0, work = 1;
    (void) state;
    for (int i = 0; i < at->count; i++) {
        const weft_product_line *line = (const weft_product_line *) in[WEFT_PRODUCTS_TABLE] + i;
        const float *const *operand = (const float *const *) in + weft_products_input(i, 0);
        for (int64_t row = 0; row < at->rows; row++)
            for (int64_t k = 0; k < line->k; k++)
                *x++ = apply(&at->before, operand[WEFT_PRODUCT_X][line->x_at + row * line->x_step + k],
                             at->before.back.act ? &operand[WEFT_PRODUCT_P][line->p_at + row * line->p_step + k] : NULL);
        all += line->width;
        work += (int64_t) line->k * line->width * at->rows;
    }
    weft_parallel(ctx->pool, all, WORTH / (work / all + 1) + 1, columns, &(job) { n, out, in, scratch });
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_products = { "products", prepare, run };
