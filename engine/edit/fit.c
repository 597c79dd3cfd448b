// SPDX-License-Identifier: MIT
#include "edit/fit.h"
#include <math.h>

static size_t area_of(int w, int h) { return (size_t) w * (size_t) h; }

void weft_fit_free(weft_fit *f)
{
    if (!f->ctx) return;
    weft_delete(f->ctx, f->target);
    weft_delete(f->ctx, f->mask);
    weft_delete(f->ctx, f->segments);
    *f = (weft_fit) { 0 };
}

static weft_window choose_part(const weft_image *photo, bool stretch, int width, int height)
{
    const int64_t w = photo->info.width, h = photo->info.height;
    weft_window part = { 0, 0, (int) w, (int) h };
    if (stretch) return part;
    if (w * height > h * width) part.w = (int) (h * width / height);
    else part.h = (int) (w * height / width);
    if (part.w < 1) part.w = 1;
    if (part.h < 1) part.h = 1;
    part.x = (int) (w - part.w) / 2, part.y = (int) (h - part.h) / 2;
    return part;
}

// One colour of a part, -1..1.
static void take_colour(const weft_image *i, weft_window part, int colour, float *to)
{
    const int from = weft_image_colours(i) == 1 ? 0 : colour;
    for (int y = 0; y < part.h; y++)
        for (int x = 0; x < part.w; x++, to++) {
            const int64_t pixel = (int64_t) (part.y + y) * i->info.width + part.x + x;
            *to = (float) (weft_image_sample(i, pixel, from) / (double) weft_image_white(i) * 2 - 1);
        }
}

static float *take_visible(weft_context *ctx, const weft_hole *hole, weft_window part)
{
    float *v = weft_new(ctx, sizeof *v * area_of(part.w, part.h));
    for (int y = 0; v && y < part.h; y++)
        for (int x = 0; x < part.w; x++) v[(size_t) y * (size_t) part.w + (size_t) x] = !hole->at[(int64_t) (part.y + y) * hole->width + part.x + x];
    return v;
}

// With `visible`, [part.h, part.w]: hidden pixels are left out of the means.
static weft_result fit_colours(weft_fit *f, const weft_image *photo, const float *visible)
{
    const size_t inside = area_of(f->part.w, f->part.h), area = area_of(f->width, f->height);
    float *plane = weft_new(f->ctx, sizeof *plane * inside);
    weft_result r = plane ? WEFT_OK : WEFT_ERR_MEMORY;
    for (int k = 0; k < 3 && r == WEFT_OK; k++) {
        float *to = f->target + (size_t) k * area;
        take_colour(photo, f->part, k, plane);
        for (size_t i = 0; visible && i < inside; i++) plane[i] *= visible[i];
        r = weft_scale(f->ctx, visible ? WEFT_FILTER_TRIANGLE : WEFT_FILTER_LANCZOS, plane, f->part.w, f->part.h, to, f->width, f->height);
        for (size_t i = 0; r == WEFT_OK && i < area; i++) {
            if (visible) to[i] = f->mask[i] > 1e-3f ? to[i] / f->mask[i] : 0;
            to[i] = fminf(fmaxf(to[i], -1), 1);
        }
    }
    weft_delete(f->ctx, plane);
    return r;
}

static weft_result fit_masked(weft_fit *f, const weft_invert_job *job)
{
    const size_t area = area_of(f->width, f->height);
    double counts = 0;
    weft_hole hole = { 0 };
    WEFT_TRY(weft_hole_make(job->mask, job->mask_mode, job->photo->info.width, job->photo->info.height, &hole));
    float *visible = take_visible(f->ctx, &hole, f->part);
    f->mask = weft_new(f->ctx, sizeof *f->mask * area);
    weft_result r = visible && f->mask ? weft_scale(f->ctx, WEFT_FILTER_TRIANGLE, visible, f->part.w, f->part.h, f->mask, f->width, f->height) : WEFT_ERR_MEMORY;
    for (size_t i = 0; r == WEFT_OK && i < area; i++) {
        f->mask[i] = f->mask[i] > 1e-3f ? fminf(f->mask[i], 1) : 0;
        counts += f->mask[i];
    }
    if (r == WEFT_OK && counts < 1) r = weft_fail(WEFT_ERR_ARGUMENT, "the mask hides the whole picture: nothing is left to go by");
    if (r == WEFT_OK) r = fit_colours(f, job->photo, visible);
    weft_delete(f->ctx, visible);
    weft_hole_free(&hole);
    return r;
}

// A segment's brightness, as the photo's part of it; a mask of another size is stretched to the photo first.
static weft_result fit_segment(const weft_fit *f, const weft_image *photo, const weft_image *segment, float *to)
{
    const int colours = weft_image_colours(segment);
    const double sx = (double) segment->info.width / photo->info.width, sy = (double) segment->info.height / photo->info.height;
    float *plane = weft_new(f->ctx, sizeof *plane * area_of(f->part.w, f->part.h)), *at = plane;
    if (!plane) return WEFT_ERR_MEMORY;
    for (int y = 0; y < f->part.h; y++)
        for (int x = 0; x < f->part.w; x++, at++) {
            const int64_t pixel = (int64_t) ((f->part.y + y + 0.5) * sy) * segment->info.width + (int64_t) ((f->part.x + x + 0.5) * sx);
            double sum = 0;
            for (int k = 0; k < colours; k++) sum += weft_image_sample(segment, pixel, k);
            *at = (float) (sum / colours / weft_image_white(segment));
        }
    const weft_result r = weft_scale(f->ctx, WEFT_FILTER_TRIANGLE, plane, f->part.w, f->part.h, to, f->width, f->height);
    weft_delete(f->ctx, plane);
    return r;
}

// Where segments overlap to more than 1 they share it.
static weft_result fit_segments(weft_fit *f, const weft_invert_job *job)
{
    const size_t area = area_of(f->width, f->height), count = (size_t) job->segment_count;
    f->segments = weft_new(f->ctx, sizeof *f->segments * area * count);
    if (!f->segments) return WEFT_ERR_MEMORY;
    for (size_t k = 0; k < count; k++) {
        double sum = 0;
        WEFT_TRY(fit_segment(f, job->photo, job->segments[k], f->segments + k * area));
        for (size_t i = 0; i < area; i++) sum += f->segments[k * area + i];
        if (sum < 1) return weft_fail(WEFT_ERR_ARGUMENT, "segment %zu is empty in the part of the photo that the generator sees", k + 1);
    }
    for (size_t i = 0; i < area; i++) {
        float sum = 0;
        for (size_t k = 0; k < count; k++) sum += f->segments[k * area + i];
        for (size_t k = 0; k < count && sum > 1; k++) f->segments[k * area + i] /= sum;
    }
    return WEFT_OK;
}

weft_result weft_fit_make(weft_context *ctx, const weft_invert_job *job, bool stretch, int width, int height, weft_fit *out)
{
    *out = (weft_fit) { .ctx = ctx, .width = width, .height = height, .part = choose_part(job->photo, stretch, width, height) };
    out->target = weft_new(ctx, sizeof *out->target * 3 * area_of(width, height));
    weft_result r = out->target ? job->mask ? fit_masked(out, job) : fit_colours(out, job->photo, NULL) : WEFT_ERR_MEMORY;
    if (r == WEFT_OK && job->segment_count) r = fit_segments(out, job);
    if (r != WEFT_OK) weft_fit_free(out);
    return r;
}

static uint32_t sample_of(double v, uint32_t white) // v in -1..1
{
    v = (v + 1) / 2;
    return (uint32_t) ((v < 0 ? 0 : v > 1 ? 1 : v) * white + 0.5);
}

weft_result weft_fit_image(weft_context *ctx, const float *planes, int width, int height, weft_image **out)
{
    const int64_t area = (int64_t) width * height;
    WEFT_TRY(weft_image_new(ctx, width, height, 3, 8, out));
    for (int64_t i = 0; i < area; i++)
        for (int k = 0; k < 3; k++) weft_image_put(*out, i, k, sample_of(planes[k * area + i], 255));
    return WEFT_OK;
}

weft_result weft_fit_fill(const weft_fit *f, const weft_invert_job *job, const float *planes, weft_image **out)
{
    const int64_t inside = (int64_t) f->part.w * f->part.h, area = (int64_t) f->width * f->height;
    weft_hole hole = { 0 };
    weft_image *filled = NULL;
    float *large = weft_new(f->ctx, sizeof *large * 3 * (size_t) inside);
    weft_result r = large ? weft_hole_make(job->mask, job->mask_mode, job->photo->info.width, job->photo->info.height, &hole) : WEFT_ERR_MEMORY;
    for (int k = 0; k < 3 && r == WEFT_OK; k++)
        r = weft_scale(f->ctx, WEFT_FILTER_LANCZOS, planes + k * area, f->width, f->height, large + k * inside, f->part.w, f->part.h);
    if (r == WEFT_OK) r = weft_image_duplicate(job->photo, &filled);
    for (int64_t i = 0; r == WEFT_OK && i < inside; i++) {
        const int64_t pixel = (f->part.y + i / f->part.w) * filled->info.width + f->part.x + i % f->part.w;
        double v[3];
        if (!hole.at[pixel]) continue;
        for (int k = 0; k < 3; k++) v[k] = large[k * inside + i];
        if (weft_image_colours(filled) == 1) v[0] = 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2]; // Rec. 601
        for (int k = 0; k < weft_image_colours(filled); k++) weft_image_put(filled, pixel, k, sample_of(v[k], weft_image_white(filled)));
        if (weft_image_has_alpha(filled)) weft_image_put(filled, pixel, weft_image_colours(filled), weft_image_white(filled));
    }
    weft_hole_free(&hole);
    weft_delete(f->ctx, large);
    if (r == WEFT_OK) *out = filled;
    return r;
}
