// SPDX-License-Identifier: MIT
// Separable: rows first, then columns.
#include "edit/scale.h"
#include <math.h>

typedef struct axis { // which pixels make an output pixel, and with what weights
    int *first, *count;
    float *weight;
    int most;
} axis;

static double lanczos(double x)
{
    const double pi = 3.14159265358979323846;
    x = fabs(x);
    if (x < 1e-9) return 1;
    return x < 3 ? 3 * sin(pi * x) * sin(pi * x / 3) / (pi * pi * x * x) : 0;
}

static double triangle(double x) { return fabs(x) < 1 ? 1 - fabs(x) : 0; }

static void free_axis(weft_context *ctx, axis *a)
{
    weft_delete(ctx, a->first);
    weft_delete(ctx, a->count);
    weft_delete(ctx, a->weight);
}

static weft_result make_axis(weft_context *ctx, weft_filter filter, int from, int to, axis *a)
{
    const double step = (double) from / to, wide = step > 1 ? step : 1, reach = (filter == WEFT_FILTER_LANCZOS ? 3 : 1) * wide;
    a->most = (int) (2 * ceil(reach)) + 1;
    a->first = weft_new(ctx, sizeof *a->first * (size_t) to);
    a->count = weft_new(ctx, sizeof *a->count * (size_t) to);
    a->weight = weft_new(ctx, sizeof *a->weight * (size_t) to * (size_t) a->most);
    if (!a->first || !a->count || !a->weight) return WEFT_ERR_MEMORY;
    for (int i = 0; i < to; i++) {
        const double centre = (i + 0.5) * step;
        int begin = (int) floor(centre - reach + 0.5), end = (int) floor(centre + reach + 0.5);
        double sum = 0;
        float *weight = a->weight + (size_t) i * (size_t) a->most;
        if (begin < 0) begin = 0;
        if (end > from) end = from;
        for (int k = begin; k < end && k - begin < a->most; k++) {
            const double x = (k + 0.5 - centre) / wide, v = filter == WEFT_FILTER_LANCZOS ? lanczos(x) : triangle(x);
            weight[k - begin] = (float) v, sum += v;
        }
        a->first[i] = begin, a->count[i] = end - begin < a->most ? end - begin : a->most;
        for (int k = 0; k < a->count[i]; k++) weight[k] = (float) (weight[k] / sum);
    }
    return WEFT_OK;
}

// Lines of pixels `step` apart, `line` apart from each other.
static void scale_lines(const axis *a, const float *from, size_t from_step, size_t from_line, float *to, size_t to_step, size_t to_line, int lines, int length)
{
    for (int l = 0; l < lines; l++)
        for (int i = 0; i < length; i++) {
            const float *weight = a->weight + (size_t) i * (size_t) a->most, *x = from + (size_t) l * from_line + (size_t) a->first[i] * from_step;
            double sum = 0;
            for (int k = 0; k < a->count[i]; k++) sum += (double) weight[k] * x[(size_t) k * from_step];
            to[(size_t) l * to_line + (size_t) i * to_step] = (float) sum;
        }
}

weft_result weft_scale(weft_context *ctx, weft_filter filter, const float *from, int w, int h, float *to, int to_w, int to_h)
{
    axis across = { 0 }, down = { 0 };
    float *rows = weft_new(ctx, sizeof *rows * (size_t) to_w * (size_t) h);
    weft_result r = rows ? make_axis(ctx, filter, w, to_w, &across) : WEFT_ERR_MEMORY;
    if (r == WEFT_OK) r = make_axis(ctx, filter, h, to_h, &down);
    if (r == WEFT_OK) {
        scale_lines(&across, from, 1, (size_t) w, rows, 1, (size_t) to_w, h, to_w);
        scale_lines(&down, rows, (size_t) to_w, 1, to, (size_t) to_w, 1, to_w, to_h);
    }
    free_axis(ctx, &across);
    free_axis(ctx, &down);
    weft_delete(ctx, rows);
    return r;
}
