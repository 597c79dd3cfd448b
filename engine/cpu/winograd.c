// SPDX-License-Identifier: MIT
// What the schemes have in common: fetching rows of padded images, walking strips of tiles, finishing sums.
#include "cpu/winograd.h"
#include "cpu/clones.h"
#include "cpu/epilogue.h"
#include "ops/divide.h"
#include <string.h>

enum { LINE = WEFT_WINOGRAD_LINE, LANES = WEFT_WINOGRAD_LANES, PLANES = WEFT_WINOGRAD_MOST_PLANES, MOST_SIDE = 8, MOST_GATES = 1152,
       CACHE_LINE = 64 / sizeof(float) };

static weft_winograd_run run_at(const weft_winograd_scheme *c, const weft_winograd_sizes *z, const weft_winograd_strip *s, int64_t at)
{
    const int64_t tile = s->first + at, column = tile % z->columns, row = tile / z->columns, left = z->columns - column, image = row / z->rows;
    const int64_t most = s->count - at < c->chunk ? s->count - at : c->chunk;
    return (weft_winograd_run) { image / (z->dy * z->dx), image / z->dx % z->dy, image % z->dx, row % z->rows, column, left < most ? left : most, 1, at };
}

void weft_cpu_winograd_weights(const weft_winograd_scheme *s, const weft_winograd_sizes *z, const float *w, bool turned, float *u, int64_t begin,
                               int64_t end)
{
    float in[WEFT_WINOGRAD_MOST_TAPS][LANES] = { { 0 } }, out[PLANES][LANES];
    const int taps = s->taps * s->taps;
    for (int64_t c = begin; c < end; c++)
        for (int64_t o = 0; o < z->co; o += LANES) {
            const int64_t count = z->co - o < LANES ? z->co - o : LANES;
            for (int64_t i = 0; i < count; i++) {
                const float *from = w + (turned ? c * z->co + o + i : (o + i) * z->ci + c) * taps;
                for (int k = 0; k < taps; k++) in[k][i] = from[turned ? taps - 1 - k : k];
            }
            s->weights(in, out);
            for (int64_t p = 0; p < weft_winograd_kernels(s); p++)
                memcpy(u + ((p / s->out_parts * z->ci + c) * s->out_parts + p % s->out_parts) * z->co + o, out[p], (size_t) count * sizeof *u);
        }
}

// --- Input. ---

WEFT_CLONES static void times(float *restrict to, const float *restrict from, float by, int64_t count)
{
    for (int64_t i = 0; i < count; i++) to[i] = from[i] * by;
}

// `count` numbers of row y of a padded plane, from column x on. What has no part in any output is 0, so that it cannot be infinite.
static void fetch(const weft_winograd_sizes *z, const float *plane, float by, int64_t y, int64_t x, int64_t count, float *to)
{
    const int64_t row = y < z->reach_y ? weft_pad_at(z->mode, y, z->h) : -1;
    const int64_t seen = z->reach_x < z->w ? z->reach_x : z->w, begin = x < 0 ? -x : 0, end = seen - x < count ? seen - x : count;
    if (row < 0) {
        memset(to, 0, (size_t) count * sizeof *to);
        return;
    }
    plane += row * z->w;
    for (int64_t i = begin; i < end; i += CACHE_LINE) WEFT_AHEAD(plane + z->h * z->w + x + i, 0); // of the next channel
    for (int64_t i = 0; i < count; i++) {
        if (i == begin && end > begin) {
            times(to + i, plane + x + i, by, end - begin);
            if ((i = end) == count) break;
        }
        const int64_t at = x + i < z->reach_x ? weft_pad_at(z->mode, x + i, z->w) : -1;
        to[i] = at < 0 ? 0 : plane[at] * by;
    }
}

// The same with columns dx apart.
static void gather(const weft_winograd_sizes *z, const float *plane, float by, int64_t y, int64_t x, int64_t count, float *to)
{
    const int64_t row = y < z->reach_y ? weft_pad_at(z->mode, y, z->h) : -1;
    for (int64_t i = 0; i < count; i++, x += z->dx) {
        const int64_t at = row >= 0 && x < z->reach_x ? weft_pad_at(z->mode, x, z->w) : -1;
        to[i] = at < 0 ? 0 : plane[row * z->w + at] * by;
    }
}

void weft_cpu_winograd_in(const weft_winograd_scheme *c, const weft_winograd_sizes *z, const weft_winograd_strip *s, const float *x, const float *scale,
                          int64_t channel)
{
    float rows[MOST_SIDE * LINE];
    for (int64_t done = 0; done < s->count;) {
        const weft_winograd_run r = run_at(c, z, s, done);
        const int64_t plane = r.image * z->ci + channel, wide = c->in_step * r.count + c->in_side - c->in_step;
        const int64_t past = c->in_step * weft_winograd_lanes(s, done, r.count) + LANES - wide; // what loops without tails see
        for (int k = 0; k < c->in_side; k++) {
            (z->dx == 1 ? fetch : gather)(z, x + plane * z->h * z->w, scale ? scale[plane] : 1, r.y + z->dy * (c->in_step * r.row + k) - z->top,
                                          r.x + z->dx * c->in_step * r.column - z->left, wide, rows + k * LINE);
            memset(rows + k * LINE + wide, 0, (size_t) past * sizeof *rows);
        }
        c->lift(z, s, &r, channel, rows);
        done += r.count;
    }
}

// --- Output. ---

typedef struct finisher { const weft_node *node; const float *const *in; float *y; int64_t area, image, channel; bool works, shifts; } finisher;

WEFT_CLONES static void add(float *y, float by, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] += by;
}

// `count` sums from element `at` of the channel on, and the gates of these.
static void finish(const finisher *f, int64_t at, float *gate, int64_t count)
{
    const weft_node *n = f->node;
    const int64_t channels = n->out_shape[0].dim[1], plane = f->image * channels + f->channel, i = plane * f->area + at;
    if (!f->works) return;
    weft_cpu_plane p = weft_cpu_plane_of(n, f->in, &weft_cpu_conv_ending, plane, at);
    p.sum = f->y + i, p.gate = gate;
    if (weft_has(n, WEFT_CONV_R)) p.r = f->in[WEFT_CONV_R] + i;
    if (gate && weft_has(n, WEFT_CONV_B)) add(gate, f->in[WEFT_CONV_B][channels + f->channel], count);
    weft_cpu_epilogue(n->attrs, &p, f->shifts, f->y + i, count);
}

// Which outputs tiles [first, first + count) give: how many of the first ones nobody wants, where the others begin, and how many they are.
static int64_t outputs(int64_t tile, int64_t first, int64_t count, int64_t crop, int64_t all, int64_t *skip, int64_t *begin)
{
    const int64_t from = tile * first - crop, to = tile * (first + count) - crop;
    *begin = from < 0 ? 0 : from;
    *skip = *begin - from;
    return (to < all ? to : all) - *begin;
}

// Every dy-th row and dx-th column of a plane.
static void spread(const weft_winograd_sizes *z, const weft_winograd_run *r, int64_t y, int64_t x, int64_t height, int64_t width, const float *from, float *plane)
{
    for (int64_t k = 0; k < height; k++) {
        float *to = plane + (r->y + (y + k) * z->dy) * z->wo + r->x + x * z->dx;
        for (int64_t i = 0; i < width; i++) to[i * z->dx] = from[k * width + i];
    }
}

static void spread_run(const weft_winograd_scheme *c, const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r,
                       const finisher *f)
{
    const bool gate = ((const weft_conv_attrs *) f->node->attrs)->gate;
    float part[MOST_GATES];
    int64_t skip[2], y, x;
    const int64_t height = outputs(c->tile, r->row, r->rows, 0, ceil_div(z->ho - r->y, z->dy), &skip[0], &y);
    const int64_t width = outputs(c->tile, r->column, r->count, 0, ceil_div(z->wo - r->x, z->dx), &skip[1], &x);
    const int64_t plane = (r->image * f->node->out_shape[0].dim[1] + f->channel) * f->area;
    if (height <= 0 || width <= 0) return;
    c->sums(z, s, r, f->channel, skip, height, width, part, width);
    spread(z, r, y, x, height, width, part, f->y + plane);
    if (gate) c->sums(z, s, r, z->co / 2 + f->channel, skip, height, width, part, width);
    if (gate) spread(z, r, y, x, height, width, part, s->gates + plane);
}

static void out_of_run(const weft_winograd_scheme *c, const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_winograd_run *r, const finisher *f)
{
    const bool gate = ((const weft_conv_attrs *) f->node->attrs)->gate;
    float gates[MOST_GATES];
    int64_t skip[2], y, x;
    const int64_t height = outputs(c->tile, r->row, r->rows, z->crop_y, z->ho, &skip[0], &y);
    const int64_t width = outputs(c->tile, r->column, r->count, z->crop_x, z->wo, &skip[1], &x), first = y * z->wo + x;
    if (height <= 0 || width <= 0) return;
    float *to = f->y + (r->image * f->node->out_shape[0].dim[1] + f->channel) * f->area + first;
    for (int64_t k = 0; k < height; k++)
        for (int64_t i = 0; i < width; i += CACHE_LINE) WEFT_AHEAD(to + f->area + k * z->wo + i, 1); // of the next channel
    c->sums(z, s, r, f->channel, skip, height, width, to, z->wo);
    if (gate) c->sums(z, s, r, z->co / 2 + f->channel, skip, height, width, gates, width);
    if (width == z->wo) finish(f, first, gate ? gates : NULL, height * width);
    else
        for (int64_t k = 0; k < height; k++) finish(f, first + k * z->wo, gate ? gates + k * width : NULL, width);
}

static finisher finisher_of(const weft_winograd_sizes *z, const weft_node *n, const void *const *in, float *y, int64_t image, int64_t channel)
{
    const weft_conv_attrs *at = n->attrs;
    finisher f = { n, (const float *const *) in, y, z->ho * z->wo, image, channel, .shifts = weft_has(n, WEFT_CONV_B) || weft_conv_is_styled(n) };
    f.works = f.shifts || at->act || at->gate || weft_has(n, WEFT_CONV_R) || at->gain != 0 || at->clamp > 0;
    return f;
}

void weft_cpu_winograd_finish(const weft_winograd_sizes *z, const weft_node *n, const void *const *in, float *y, float *gates, int64_t plane)
{
    const int64_t channels = n->out_shape[0].dim[1];
    const finisher f = finisher_of(z, n, in, y, plane / channels, plane % channels);
    finish(&f, 0, gates ? gates + plane * f.area : NULL, f.area);
}

void weft_cpu_winograd_out(const weft_winograd_scheme *c, const weft_winograd_sizes *z, const weft_winograd_strip *s, const weft_node *n,
                           const void *const *in, float *y, int64_t channel)
{
    finisher f = finisher_of(z, n, in, y, 0, channel);
    for (int64_t done = 0; done < s->count;) {
        weft_winograd_run r = run_at(c, z, s, done);
        if (c->merges && r.count == z->columns) { // as many rows of tiles as there are and fit
            r.rows = c->chunk / r.count;
            if (r.rows > (s->count - done) / r.count) r.rows = (s->count - done) / r.count;
            if (r.rows > z->rows - r.row) r.rows = z->rows - r.row;
        }
        f.image = r.image;
        (z->dy * z->dx > 1 ? spread_run : out_of_run)(c, z, s, &r, &f);
        done += r.rows * r.count;
    }
}
