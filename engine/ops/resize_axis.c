// SPDX-License-Identifier: MIT
#include "ops/resize_axis.h"
#include <math.h>

weft_resize_axis weft_resize_axis_of(const weft_resize_attrs *at, int d, bool scaled, int64_t in, int64_t out)
{
    return (weft_resize_axis) { at, in, out, scaled && at->scale[d] > 0 && !at->size[d] ? 1.0 / at->scale[d] : (double) in / (double) out };
}

// Where output pixel i lies in the input; the centre of pixel k is k.
static double position(const weft_resize_axis *a, int64_t i)
{
    const double stretch = a->out > 1 ? (double) (a->in - 1) / (double) (a->out - 1) : 0;
    switch (a->at->coordinates) {
    case PYTORCH_HALF_PIXEL: return a->out > 1 ? ((double) i + 0.5) * a->ratio - 0.5 : 0;
    case ALIGN_CORNERS: return (double) i * stretch;
    case ASYMMETRIC: return (double) i * a->ratio;
    case HALF_PIXEL_SYMMETRIC: {
        const double whole = (double) a->out * a->ratio / (double) a->in; // how much of the exact output size there is
        return (double) a->in / 2 * (1 - whole) + ((double) i + 0.5) * a->ratio - 0.5;
    }
    case TF_HALF_PIXEL_FOR_NN: return ((double) i + 0.5) * a->ratio;
    default: return ((double) i + 0.5) * a->ratio - 0.5;
    }
}

// In f32 throughout, as the frameworks do it: which pixel is nearest may hang on the last bit.
static float position_f32(const weft_resize_axis *a, int64_t i)
{
    const float ratio = (float) a->ratio, at = (float) i;
    switch (a->at->coordinates) {
    case PYTORCH_HALF_PIXEL: return a->out > 1 ? (at + 0.5f) * ratio - 0.5f : 0;
    case ALIGN_CORNERS: return a->out > 1 ? at * ((float) (a->in - 1) / (float) (a->out - 1)) : 0;
    case ASYMMETRIC: return at * ratio;
    case TF_HALF_PIXEL_FOR_NN: return (at + 0.5f) * ratio;
    case HALF_PIXEL_SYMMETRIC: return (float) position(a, i);
    default: return (at + 0.5f) * ratio - 0.5f;
    }
}

static int64_t nearest(const weft_resize_axis *a, int64_t i)
{
    const float x = position_f32(a, i);
    float k;
    if (a->at->rounding == FLOOR) k = floorf(x);
    else if (a->at->rounding == CEIL) k = ceilf(x);
    else if (a->at->rounding == ROUND_PREFER_CEIL) k = floorf(x + 0.5f);
    else k = ceilf(x - 0.5f);
    return (int64_t) fminf(fmaxf(k, 0), (float) (a->in - 1));
}

static double triangle(double x) { return fmax(0, 1 - fabs(x)); }

static double cubic(double x, double c) // Keys 1981
{
    x = fabs(x);
    if (x <= 1) return ((c + 2) * x - (c + 3)) * x * x + 1;
    return x < 2 ? c * (((x - 5) * x + 8) * x - 4) : 0;
}

static double raw_weight(const weft_resize_axis *a, const weft_resize_taps *t, int64_t k)
{
    const int64_t pixel = t->first + k;
    if (a->at->mode <= NEAREST || a->at->mode == AREA) return 1;
    if (t->clip && (pixel < 0 || pixel >= a->in)) return 0;
    const double x = ((double) pixel - t->centre) / t->width;
    return a->at->mode == BILINEAR ? triangle(x) : cubic(x, a->at->cubic_coeff);
}

weft_resize_taps weft_resize_taps_of(const weft_resize_axis *a, int64_t i)
{
    const weft_resize_attrs *at = a->at;
    weft_resize_taps t = { .width = 1, .sum = 1, .count = 1 };
    if (at->mode == NEAREST) return t.first = nearest(a, i), t;
    if (at->mode == AREA) {
        t.first = i * a->in / a->out;
        t.count = ((i + 1) * a->in + a->out - 1) / a->out - t.first;
        t.sum = (double) t.count;
        return t;
    }
    const double reach = at->mode == BICUBIC ? 2 : 1;
    t.centre = position(a, i);
    t.clip = at->exclude_outside || at->antialias;
    t.first = (int64_t) floor(t.centre) - (int64_t) reach + 1;
    t.count = 2 * (int64_t) reach;
    if (at->antialias) { // the filter is as wide as the pixels it makes
        t.width = fmax(a->ratio, 1);
        t.first = (int64_t) floor(t.centre - reach * t.width) + 1;
        t.count = (int64_t) ceil(t.centre + reach * t.width) - t.first;
        if (t.first < 0) t.count += t.first, t.first = 0;
        if (t.first + t.count > a->in) t.count = a->in - t.first;
    }
    if (!t.clip) return t;
    t.sum = 0;
    for (int64_t k = 0; k < t.count; k++) t.sum += raw_weight(a, &t, k);
    return t;
}

double weft_resize_weight(const weft_resize_axis *a, const weft_resize_taps *t, int64_t k) { return raw_weight(a, t, k) / t->sum; }
int64_t weft_resize_pixel(const weft_resize_axis *a, const weft_resize_taps *t, int64_t k)
{
    const int64_t at = t->first + k;
    return at < 0 ? 0 : at >= a->in ? a->in - 1 : at;
}

weft_resample_axis weft_resize_resample(weft_graph *g, const weft_resize_axis *a, bool transposed)
{
    int64_t count = 0, at = 0;
    for (int64_t i = 0; i < a->out; i++) count += weft_resize_taps_of(a, i).count;
    weft_resample_tap *list = weft_arena_new(g->arena, sizeof *list * (size_t) (count + 1));
    for (int64_t i = 0; list && i < a->out; i++) {
        const weft_resize_taps t = weft_resize_taps_of(a, i);
        for (int64_t k = 0; k < t.count; k++) {
            const int64_t from = weft_resize_pixel(a, &t, k);
            list[at++] = (weft_resample_tap) { transposed ? from : i, transposed ? i : from, weft_resize_weight(a, &t, k) };
        }
    }
    return weft_resample_axis_new(g, list, list ? count : 0, transposed ? a->out : a->in, transposed ? a->in : a->out);
}
