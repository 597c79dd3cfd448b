// SPDX-License-Identifier: MIT
// How far two pictures are apart: l1, l2, PSNR, and SSIM (Wang, Bovik, Sheikh and Simoncelli, 2004).
#include "edit/metrics.h"
#include "base/threads.h"
#include <math.h>

enum { REACH = 5, TAPS = 2 * REACH + 1, MOMENTS = 5, BAND = 64 };
#define SIGMA 1.5
#define C1 (0.01 * 0.01)
#define C2 (0.03 * 0.03)

struct sums { double l1, l2, ssim; int64_t pixels, ssim_pixels; };
struct compare {
    const weft_image *a, *b;
    const weft_hole *hole; // NULL: none
    int colours;
    double tap[TAPS];
    struct sums *all, *inside; // per row: added up in order afterwards, so threads do not change the result
    double *scratch;           // per row of the band: MOMENTS x width
    int64_t band;              // its first row
};

static double value(const weft_image *i, int64_t pixel, int colour)
{
    return weft_image_sample(i, pixel, weft_image_colours(i) == 1 ? 0 : colour) / (double) weft_image_white(i);
}

// Moments of the column through x, y: means of a, b, aa, bb, ab under the vertical window.
static void column(const struct compare *c, int64_t x, int64_t y, int colour, double *moment)
{
    const int64_t w = c->a->info.width, h = c->a->info.height;
    for (int m = 0; m < MOMENTS; m++) moment[m] = 0;
    for (int t = 0; t < TAPS; t++) {
        const int64_t pixel = weft_mirror(y + t - REACH, h) * w + x;
        const double a = value(c->a, pixel, colour), b = value(c->b, pixel, colour), k = c->tap[t];
        moment[0] += k * a, moment[1] += k * b, moment[2] += k * a * a, moment[3] += k * b * b, moment[4] += k * a * b;
    }
}

static double ssim_at(const struct compare *c, const double *columns, int64_t x)
{
    double m[MOMENTS] = { 0 };
    for (int t = 0; t < TAPS; t++)
        for (int i = 0; i < MOMENTS; i++) m[i] += c->tap[t] * columns[weft_mirror(x + t - REACH, c->a->info.width) * MOMENTS + i];
    const double aa = m[2] - m[0] * m[0], bb = m[3] - m[1] * m[1], ab = m[4] - m[0] * m[1];
    return (2 * m[0] * m[1] + C1) * (2 * ab + C2) / ((m[0] * m[0] + m[1] * m[1] + C1) * (aa + bb + C2));
}

static void add(struct sums *s, double difference, double ssim, bool with_ssim)
{
    s->l1 += fabs(difference), s->l2 += difference * difference, s->pixels++;
    if (with_ssim) s->ssim += ssim, s->ssim_pixels++;
}

static void compare_rows(void *user, int64_t begin, int64_t end)
{
    const struct compare *c = user;
    const int64_t w = c->a->info.width, h = c->a->info.height;
    const bool small = w < TAPS || h < TAPS; // no window fits: every pixel counts
    for (int64_t y = begin + c->band; y < end + c->band; y++)
        for (int k = 0; k < c->colours; k++) {
            double *columns = c->scratch + (y - c->band) * w * MOMENTS;
            for (int64_t x = 0; x < w; x++) column(c, x, y, k, columns + x * MOMENTS);
            for (int64_t x = 0; x < w; x++) {
                const int64_t pixel = y * w + x;
                const double d = value(c->a, pixel, k) - value(c->b, pixel, k), s = ssim_at(c, columns, x);
                const bool whole = x >= REACH && y >= REACH && x < w - REACH && y < h - REACH;
                add(&c->all[y], d, s, small || whole);
                if (c->hole && c->hole->at[pixel]) add(&c->inside[y], d, s, true);
            }
        }
}

static weft_metrics result(const struct sums *rows, int64_t count, int colours)
{
    struct sums s = { 0 };
    for (int64_t y = 0; y < count; y++) {
        s.l1 += rows[y].l1, s.l2 += rows[y].l2, s.ssim += rows[y].ssim;
        s.pixels += rows[y].pixels, s.ssim_pixels += rows[y].ssim_pixels;
    }
    const double mse = s.l2 / (double) s.pixels;
    return (weft_metrics) {
        .pixels = s.pixels / colours,
        .l1_percent = 100 * s.l1 / (double) s.pixels,
        .l2_percent = 100 * mse,
        .psnr_db = mse > 0 ? -10 * log10(mse) : INFINITY,
        .ssim = s.ssim / (double) s.ssim_pixels,
    };
}

weft_result weft_metrics_compute(const weft_image *a, const weft_image *b, const weft_hole *hole, weft_metrics *all, weft_metrics *inside)
{
    const int64_t w = a->info.width, h = a->info.height;
    struct compare c = { .a = a, .b = b, .hole = hole };
    double total = 0;
    if (b->info.width != w || b->info.height != h)
        return weft_fail(WEFT_ERR_ARGUMENT, "the pictures differ in size: %d x %d and %d x %d", a->info.width, a->info.height, b->info.width, b->info.height);
    if (inside && (!hole || !hole->count)) return weft_fail(WEFT_ERR_ARGUMENT, "the mask has no hole to measure");
    c.colours = weft_image_colours(a) > weft_image_colours(b) ? weft_image_colours(a) : weft_image_colours(b);
    for (int t = 0; t < TAPS; t++) total += c.tap[t] = exp(-(t - REACH) * (t - REACH) / (2 * SIGMA * SIGMA));
    for (int t = 0; t < TAPS; t++) c.tap[t] /= total;
    c.all = weft_new(a->ctx, 2 * sizeof *c.all * (size_t) h);
    c.inside = c.all ? c.all + h : NULL;
    c.scratch = c.all ? weft_new(a->ctx, sizeof *c.scratch * MOMENTS * (size_t) w * BAND) : NULL;
    for (; c.scratch && c.band < h; c.band += BAND)
        weft_parallel(a->ctx->pool, c.band + BAND < h ? BAND : h - c.band, 1, compare_rows, &c);
    if (c.scratch && all) *all = result(c.all, h, c.colours);
    if (c.scratch && inside) *inside = result(c.inside, h, c.colours);
    const bool done = c.scratch;
    weft_delete(a->ctx, c.scratch);
    weft_delete(a->ctx, c.all);
    return done ? WEFT_OK : WEFT_ERR_MEMORY;
}
