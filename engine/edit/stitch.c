// SPDX-License-Identifier: MIT
// An edited region back into its photo. Poisson blending solves for what is added to the edit, which is smooth: with f = edit + u,
// eq. 7 of Perez et al. has on its right the photo minus the edit along the border, and nothing inside.
#include "edit/stitch.h"
#include "edit/feather.h"
#include "edit/image.h"
#include "edit/poisson.h"
#include <math.h>
#include <string.h>

struct job {
    const weft_image *photo, *edit; // the edit has the region's size by now
    const weft_stitch_params *params;
    weft_hole hole;                 // of the photo's size, empty outside the region
    weft_image *out;
};

// Colour `c` of the edit where the photo has pixel (x, y), on the photo's scale. Beyond the region its border goes on.
static double edit_at(const struct job *j, int x, int y, int c)
{
    const weft_region r = j->params->region;
    const int u = x < r.x ? 0 : x >= r.x + r.width ? r.width - 1 : x - r.x, v = y < r.y ? 0 : y >= r.y + r.height ? r.height - 1 : y - r.y;
    const int64_t pixel = (int64_t) v * r.width + u;
    const double scale = (double) weft_image_white(j->photo) / weft_image_white(j->edit);
    if (weft_image_colours(j->edit) == 1) return scale * weft_image_sample(j->edit, pixel, 0);
    if (weft_image_colours(j->photo) == 3) return scale * weft_image_sample(j->edit, pixel, c);
    return scale * (0.299 * weft_image_sample(j->edit, pixel, 0) + 0.587 * weft_image_sample(j->edit, pixel, 1) + 0.114 * weft_image_sample(j->edit, pixel, 2));
}

static void put(const struct job *j, int64_t pixel, int c, double value)
{
    const double white = weft_image_white(j->out);
    weft_image_put(j->out, pixel, c, (uint32_t) fmax(0, fmin(white, floor(value + 0.5))));
}

// --- Alpha. ----------------------------------------------------------------------------------------------------

// How much of the edit a pixel of the mask shows, 0 to 1, before the ramp.
static double softness(const weft_image *mask, weft_mask_mode mode, int64_t pixel)
{
    const int colours = weft_image_colours(mask);
    double sum = 0;
    if (mode == WEFT_MASK_ALPHA) return 1 - (double) weft_image_sample(mask, pixel, mask->info.channels - 1) / weft_image_white(mask);
    for (int k = 0; k < colours; k++) sum += weft_image_sample(mask, pixel, k);
    sum /= colours * (double) weft_image_white(mask);
    return mode == WEFT_MASK_KEEP ? 1 - sum : sum;
}

static void blend_alpha(const struct job *j, const weft_image *mask, const float *ramp)
{
    const int colours = weft_image_colours(j->photo), w = j->photo->info.width;
    for (int64_t i = 0; i < (int64_t) w * j->photo->info.height; i++) {
        const double a = j->hole.at[i] ? softness(mask, j->params->mask_mode, i) * ramp[i] : 0;
        for (int c = 0; a > 0 && c < colours; c++)
            put(j, i, c, weft_image_sample(j->photo, i, c) * (1 - a) + a * edit_at(j, (int) (i % w), (int) (i / w), c));
    }
}

// Alpha takes every grey of the mask: a hole is what shows the edit at all.
static void soften(struct job *j, const weft_image *mask)
{
    const weft_region r = j->params->region;
    j->hole.count = 0;
    for (int y = 0; y < j->hole.height; y++)
        for (int x = 0; x < j->hole.width; x++) {
            const int64_t i = (int64_t) y * j->hole.width + x;
            const bool in = x >= r.x && y >= r.y && x < r.x + r.width && y < r.y + r.height;
            j->hole.at[i] = in && softness(mask, j->params->mask_mode, i) > 0;
            j->hole.count += j->hole.at[i];
        }
}

static weft_result run_alpha(struct job *j, const weft_image *mask)
{
    const weft_image_info *p = &j->photo->info;
    weft_context *ctx = j->photo->ctx;
    weft_image *sized = NULL;
    weft_result r = WEFT_OK;
    float *ramp = weft_new(ctx, sizeof *ramp * (size_t) p->width * (size_t) p->height);
    if (!ramp) return WEFT_ERR_MEMORY;
    if (mask->info.width != p->width || mask->info.height != p->height) r = weft_image_scale(mask, p->width, p->height, &sized);
    if (r == WEFT_OK) {
        soften(j, sized ? sized : mask);
        r = weft_feather(&j->hole, j->params->feather, ramp);
    }
    if (r == WEFT_OK) blend_alpha(j, sized ? sized : mask, ramp);
    weft_image_free(sized);
    weft_delete(ctx, ramp);
    return r;
}

// --- Poisson. --------------------------------------------------------------------------------------------------

static double side(const struct job *j, const weft_poisson *p, int i, int c) // b of unknown i
{
    static const int dx[] = { -1, 0, 1, 0 }, dy[] = { 0, -1, 0, 1 };
    const int w = j->photo->info.width, h = j->photo->info.height, x = p->pixel[i] % w, y = p->pixel[i] / w;
    const double own = edit_at(j, x, y, c), photo = weft_image_sample(j->photo, p->pixel[i], c);
    double b = 0;
    for (int k = 0; k < 4; k++) {
        const int u = x + dx[k], v = y + dy[k];
        if (u < 0 || v < 0 || u >= w || v >= h) continue;
        const int64_t q = (int64_t) v * w + u;
        const double other = edit_at(j, u, v, c), beside = weft_image_sample(j->photo, q, c);
        if (!j->hole.at[q]) b += beside - other;
        if (j->params->blend == WEFT_BLEND_MIXED && fabs(photo - beside) > fabs(own - other)) b += photo - beside - (own - other);
    }
    return b;
}

static weft_result run_poisson(struct job *j, int *iterations)
{
    weft_context *ctx = j->photo->ctx;
    const int w = j->photo->info.width, colours = weft_image_colours(j->photo);
    weft_poisson p;
    if (!j->hole.count) return WEFT_OK;
    WEFT_TRY(weft_poisson_make(&j->hole, &p));
    double *b = weft_new(ctx, sizeof *b * (size_t) p.count), *x = b ? weft_new(ctx, sizeof *x * (size_t) p.count) : NULL;
    weft_result r = x ? WEFT_OK : WEFT_ERR_MEMORY;
    for (int c = 0; r == WEFT_OK && c < colours; c++) {
        for (int i = 0; i < p.count; i++) b[i] = side(j, &p, i, c), x[i] = 0;
        r = weft_poisson_solve(&p, b, j->params->tolerance, x, iterations);
        for (int i = 0; r == WEFT_OK && i < p.count; i++) put(j, p.pixel[i], c, edit_at(j, p.pixel[i] % w, p.pixel[i] / w, c) + x[i]);
    }
    weft_delete(ctx, b);
    weft_delete(ctx, x);
    weft_poisson_free(&p);
    return r;
}

static void keep_region(struct job *j)
{
    const weft_region r = j->params->region;
    for (int y = 0; y < j->hole.height; y++)
        for (int x = 0; x < j->hole.width; x++) {
            uint8_t *at = &j->hole.at[(size_t) y * (size_t) j->hole.width + (size_t) x];
            if (*at && (x < r.x || y < r.y || x >= r.x + r.width || y >= r.y + r.height)) *at = 0, j->hole.count--;
        }
}

weft_result weft_stitch_go(const weft_image *photo, const weft_image *edit, const weft_image *mask, const weft_stitch_params *params,
                           weft_image **out, weft_stitch_facts *facts)
{
    const weft_region r = params->region;
    weft_image *sized = NULL;
    struct job j = { .photo = photo, .params = params };
    int iterations = 0;
    WEFT_TRY(weft_hole_make(mask, params->mask_mode, photo->info.width, photo->info.height, &j.hole));
    keep_region(&j);
    weft_result result = edit->info.width == r.width && edit->info.height == r.height ? WEFT_OK : weft_image_scale(edit, r.width, r.height, &sized);
    j.edit = sized ? sized : edit;
    if (result == WEFT_OK) result = weft_image_duplicate(photo, &j.out);
    if (result == WEFT_OK) result = params->blend == WEFT_BLEND_ALPHA ? run_alpha(&j, mask) : run_poisson(&j, &iterations);
    if (facts && result == WEFT_OK) *facts = (weft_stitch_facts) { j.hole.count, iterations };
    weft_image_free(sized);
    weft_hole_free(&j.hole);
    if (result != WEFT_OK) return weft_image_free(j.out), result;
    *out = j.out;
    return WEFT_OK;
}
