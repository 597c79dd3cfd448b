// SPDX-License-Identifier: MIT
// Principal components from a covariance that is summed up as rows come, about the first row, so that little cancels.
#include "edit/eigen.h"
#include "base/threads.h"
#include <math.h>
#include <string.h>
#include <weft/latent.h>

enum { BLOCK = 16, WIDTH_MOST = 1 << 15 };

struct weft_pca {
    weft_context *ctx;
    int width;
    uint64_t rows;
    double *origin, *sum; // [width]: the first row; what the rows are apart from it, summed
    double *square;       // [width, width]: of products of that; the lower half
    double *block;        // [BLOCK, width]
    int filled;           // rows of the block
};

weft_result weft_pca_create(weft_context *ctx, int width, weft_pca **out)
{
    if (!ctx || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_pca_create: an argument is NULL");
    if (width < 1 || width > WIDTH_MOST) return weft_fail(WEFT_ERR_ARGUMENT, "weft_pca_create: rows of %d numbers, not 1 to %d", width, WIDTH_MOST);
    const size_t n = (size_t) width;
    weft_pca *p = weft_new(ctx, sizeof *p);
    if (!p) return WEFT_ERR_MEMORY;
    *p = (weft_pca) { .ctx = ctx, .width = width, .origin = weft_new(ctx, 8 * n), .sum = weft_new(ctx, 8 * n) };
    p->square = weft_new(ctx, 8 * n * n);
    p->block = weft_new(ctx, 8 * n * BLOCK);
    if (!p->origin || !p->sum || !p->square || !p->block) return weft_pca_destroy(&p), weft_fail_memory(8 * n * n);
    *out = p;
    return WEFT_OK;
}

void weft_pca_destroy(weft_pca **p)
{
    if (!p || !*p) return;
    weft_context *ctx = (*p)->ctx;
    weft_delete(ctx, (*p)->origin);
    weft_delete(ctx, (*p)->sum);
    weft_delete(ctx, (*p)->square);
    weft_delete(ctx, (*p)->block);
    weft_delete(ctx, *p);
    *p = NULL;
}

static void add_products(void *user, int64_t begin, int64_t end) // rows begin ... end of the square
{
    const weft_pca *p = user;
    const int64_t n = p->width;
    for (int64_t a = begin; a < end; a++) {
        double *s = p->square + a * n;
        for (int k = 0; k < p->filled; k++) {
            const double *x = p->block + k * n, xa = x[a];
            for (int64_t b = 0; b <= a; b++) s[b] += xa * x[b];
        }
    }
}

static void flush(weft_pca *p)
{
    if (p->filled) weft_parallel(p->ctx->pool, p->width, 32, add_products, p);
    p->filled = 0;
}

weft_result weft_pca_add(weft_pca *p, const float *rows, size_t count)
{
    const size_t n = p ? (size_t) p->width : 0;
    if (!p || !rows) return weft_fail(WEFT_ERR_ARGUMENT, "weft_pca_add: an argument is NULL");
    for (size_t i = 0; i < count * n; i++)
        if (!isfinite(rows[i])) return weft_fail(WEFT_ERR_NUMERIC, "weft_pca_add: row %zu holds NaN or infinity", i / n);
    for (size_t k = 0; k < count; k++, rows += n) {
        if (!p->rows++)
            for (size_t i = 0; i < n; i++) p->origin[i] = rows[i];
        double *x = p->block + (size_t) p->filled * n;
        for (size_t i = 0; i < n; i++) x[i] = rows[i] - p->origin[i], p->sum[i] += x[i];
        if (++p->filled == BLOCK) flush(p);
    }
    return WEFT_OK;
}

static void fill_covariance(const weft_pca *p, double *c)
{
    const size_t n = (size_t) p->width;
    const double rows = (double) p->rows;
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b <= a; b++) c[a * n + b] = c[b * n + a] = p->square[a * n + b] / rows - p->sum[a] / rows * (p->sum[b] / rows);
}

static void put_direction(const double *v, size_t n, float *out)
{
    size_t most = 0;
    for (size_t i = 1; i < n; i++)
        if (fabs(v[i]) > fabs(v[most])) most = i;
    for (size_t i = 0; i < n; i++) out[i] = (float) (v[most] < 0 ? -v[i] : v[i]);
}

weft_result weft_pca_solve(weft_pca *p, int count, float *mean, float *directions, float *stdev, double *share)
{
    if (!p) return weft_fail(WEFT_ERR_ARGUMENT, "weft_pca_solve: an argument is NULL");
    if (p->rows < 2) return weft_fail(WEFT_ERR_ARGUMENT, "principal components want two rows or more, not %llu", (unsigned long long) p->rows);
    if (count < 1 || count > p->width) return weft_fail(WEFT_ERR_ARGUMENT, "%d directions of rows of %d numbers", count, p->width);
    const size_t n = (size_t) p->width;
    double *c = weft_new(p->ctx, 8 * n * n), *vectors = c ? weft_new(p->ctx, 8 * n * n) : NULL, *values = vectors ? weft_new(p->ctx, 8 * n) : NULL;
    double all = 0, kept = 0;
    weft_result r = values ? WEFT_OK : WEFT_ERR_MEMORY;
    flush(p);
    if (r == WEFT_OK) {
        fill_covariance(p, c);
        r = weft_eigen(p->ctx, p->width, c, values, vectors);
    }
    for (size_t i = 0; r == WEFT_OK && i < n; i++) {
        const double v = fmax(values[i], 0); // rounding may leave less than nothing
        all += v;
        if (mean) mean[i] = (float) (p->origin[i] + p->sum[i] / (double) p->rows);
        if (i >= (size_t) count) continue;
        kept += v;
        if (stdev) stdev[i] = (float) sqrt(v);
        if (directions) put_direction(vectors + i * n, n, directions + i * n);
    }
    if (r == WEFT_OK && share) *share = all > 0 ? kept / all : 1;
    weft_delete(p->ctx, c);
    weft_delete(p->ctx, vectors);
    weft_delete(p->ctx, values);
    return r;
}
