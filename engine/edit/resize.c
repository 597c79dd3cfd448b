// SPDX-License-Identifier: MIT
// Resizing pictures along each axis by itself: the mean of the area that a pixel covers when shrinking, bilinear when growing.
#include "edit/image.h"
#include <math.h>

typedef struct taps { int first, count; const double *weight; } taps; // of one output position
typedef struct axis { taps *at; double *weights; } axis;

static void free_axis(weft_context *ctx, axis *a)
{
    weft_delete(ctx, a->at);
    weft_delete(ctx, a->weights);
}

static void shrink(taps *t, double *w, int to, int from, int total) // output pixel `to` of `total`
{
    const double scale = (double) from / total, low = to * scale, high = (to + 1) * scale;
    t->first = (int) low;
    t->count = 0;
    for (int i = t->first; i < from && i < high; i++) w[t->count++] = (fmin(i + 1, high) - fmax(i, low)) / scale;
}

static void grow(taps *t, double *w, int to, int from, int total)
{
    double at = (to + 0.5) * from / total - 0.5;
    at = fmax(0, fmin(from - 1, at));
    t->first = (int) at < from - 1 ? (int) at : from > 1 ? from - 2 : 0;
    t->count = from > 1 ? 2 : 1;
    w[0] = from > 1 ? 1 - (at - t->first) : 1;
    if (from > 1) w[1] = at - t->first;
}

static weft_result make_axis(weft_context *ctx, int from, int total, axis *out)
{
    const size_t most = total < from ? (size_t) from / (size_t) total + 3 : 2;
    *out = (axis) { weft_new(ctx, sizeof(taps) * (size_t) total), weft_new(ctx, sizeof(double) * most * (size_t) total) };
    if (!out->at || !out->weights) return free_axis(ctx, out), WEFT_ERR_MEMORY;
    for (int i = 0; i < total; i++) {
        double *w = out->weights + (size_t) i * most;
        (total < from ? shrink : grow)(&out->at[i], w, i, from, total);
        out->at[i].weight = w;
    }
    return WEFT_OK;
}

// One line of sums over the rows of a tap list: channels, colours times alpha where there is alpha.
static void sum_rows(const weft_image *image, const taps *t, double *line)
{
    const int n = image->info.channels, w = image->info.width;
    const bool alpha = weft_image_has_alpha(image);
    for (int64_t i = 0; i < (int64_t) w * n; i++) line[i] = 0;
    for (int k = 0; k < t->count; k++)
        for (int x = 0; x < w; x++) {
            const int64_t pixel = (int64_t) (t->first + k) * w + x;
            const double weight = t->weight[k], a = alpha ? weight * weft_image_sample(image, pixel, n - 1) : weight;
            for (int c = 0; c < n - alpha; c++) line[x * n + c] += a * weft_image_sample(image, pixel, c);
            if (alpha) line[x * n + n - 1] += a;
        }
}

static void put_row(weft_image *to, const taps *columns, const double *line, int y)
{
    const int n = to->info.channels;
    const bool alpha = weft_image_has_alpha(to);
    for (int x = 0; x < to->info.width; x++) {
        double sum[4] = { 0 };
        for (int k = 0; k < columns[x].count; k++)
            for (int c = 0; c < n; c++) sum[c] += columns[x].weight[k] * line[(columns[x].first + k) * n + c];
        for (int c = 0; alpha && c < n - 1; c++) sum[c] = sum[n - 1] > 0 ? sum[c] / sum[n - 1] : 0;
        for (int c = 0; c < n; c++) weft_image_put(to, (int64_t) y * to->info.width + x, c, (uint32_t) fmin(weft_image_white(to), sum[c] + 0.5));
    }
}

static weft_result resize(const weft_image *from, const axis *rows, const axis *columns, weft_image *to)
{
    double *line = weft_new(from->ctx, sizeof *line * (size_t) from->info.width * (size_t) from->info.channels);
    if (!line) return WEFT_ERR_MEMORY;
    for (int y = 0; y < to->info.height; y++) {
        sum_rows(from, &rows->at[y], line);
        put_row(to, columns->at, line, y);
    }
    weft_delete(from->ctx, line);
    to->colour = from->colour;
    return weft_image_set_icc(to, from->info.icc, from->info.icc_bytes);
}

weft_result weft_image_scale(const weft_image *from, int width, int height, weft_image **out)
{
    weft_image *to = NULL;
    axis rows = { 0 }, columns = { 0 };
    weft_result r = weft_image_new(from->ctx, width, height, from->info.channels, from->info.bits, &to);
    if (r == WEFT_OK) r = make_axis(from->ctx, from->info.height, height, &rows);
    if (r == WEFT_OK) {
        r = make_axis(from->ctx, from->info.width, width, &columns);
        if (r == WEFT_OK) r = resize(from, &rows, &columns, to), free_axis(from->ctx, &columns);
        free_axis(from->ctx, &rows);
    }
    if (r != WEFT_OK) return weft_image_free(to), r;
    *out = to;
    return WEFT_OK;
}
