// SPDX-License-Identifier: MIT
// A picture goes to the model in windows - one, if it fits - mirrored at its borders to a size that the model takes;
// of what comes back only the hole is used, in the picture's own depth.
#include "edit/inpaint.h"
#include "base/clock.h"
#include "edit/convention.h"
#include "edit/telea.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

#define SMALL_FLOPS 1e11 // a second or two on a processor
enum { CONTEXT_WIDE = 128, CONTEXT_LEAST = 32, DEFAULT_RADIUS = 4, STEP = 32, FLAT_PIXELS = 16, MAX_OUTPUTS = 16 };

struct weft_inpainter {
    weft_context *ctx;
    weft_device *dev;
    const weft_model *model; // NULL: Telea
    weft_inpaint_params params;
    weft_convention is;
    weft_session *session; // for windows of width x height
    int64_t width, height;
    float *input, *mask;
    weft_io out[MAX_OUTPUTS]; // every output of the session has to go somewhere
    int out_count;
    const float *output;      // the one that counts
    int window, windows; // which one is being filled, for the progress callback
    weft_inpaint_facts facts;
};

struct job {
    const weft_image *photo;
    weft_image *out; // the photo with what is filled so far
    weft_hole hole;  // what is still to be filled
};

static int progress(void *user, double done)
{
    weft_inpainter *p = user;
    return p->params.progress ? p->params.progress(p->params.progress_user, (p->window + done) / p->windows) : 0;
}

// --- Sessions. -------------------------------------------------------------------------------------------------

static size_t memory_limit(const weft_inpainter *p)
{
    if (p->params.max_bytes) return p->params.max_bytes;
    uint64_t bytes = weft_device_get_info(p->dev)->memory_bytes;
    if (!bytes) {
        const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        bytes = pages > 0 && page > 0 ? (uint64_t) pages * (uint64_t) page : 0;
    }
    return (size_t) (bytes / 4 * 3);
}

static void drop_session(weft_inpainter *p)
{
    weft_session_destroy(&p->session);
    weft_delete(p->ctx, p->input);
    weft_delete(p->ctx, p->mask);
    for (int i = 0; i < p->out_count; i++) weft_delete(p->ctx, p->out[i].data);
    p->out_count = 0;
    p->input = p->mask = NULL, p->output = NULL;
    p->width = p->height = 0;
}

static weft_result make_outputs(weft_inpainter *p, int64_t w, int64_t h)
{
    const weft_port *ports;
    const int count = weft_session_outputs(p->session, &ports);
    if (count > MAX_OUTPUTS) return weft_fail(WEFT_ERR_UNSUPPORTED, "a model of %d outputs, more than %d", count, MAX_OUTPUTS);
    for (; p->out_count < count; p->out_count++) {
        const weft_shape s = ports[p->out_count].shape;
        size_t bytes = 4;
        for (int d = 0; d < s.rank; d++) bytes *= (size_t) s.dim[d];
        void *data = weft_new(p->ctx, bytes);
        if (!data) return WEFT_ERR_MEMORY;
        p->out[p->out_count] = (weft_io) { ports[p->out_count].name, data, bytes };
        if (strcmp(ports[p->out_count].name, p->is.output)) continue;
        p->output = data;
        if (s.rank == 4 && s.dim[0] == 1 && s.dim[1] == p->is.output_colours && s.dim[2] == h && s.dim[3] == w) continue;
        return p->out_count++, weft_fail(WEFT_ERR_ARGUMENT, "not an inpainting model: %lld x %lld pixels go in, %lld x %lld come out",
                                         (long long) w, (long long) h, (long long) s.dim[3], (long long) s.dim[2]);
    }
    return WEFT_OK;
}

static int64_t input_channels(const weft_convention *is)
{
    int64_t n = 0;
    for (int i = 0; i < is->plane_count; i++) n += is->planes[i] == WEFT_PLANE_IMAGE ? is->colours : 1;
    return n;
}

static weft_result make_session(weft_inpainter *p, int64_t w, int64_t h)
{
    const int64_t channels = input_channels(&p->is);
    const weft_port_shape shapes[] = { { p->is.image, WEFT_SHAPE(1, channels, h, w) }, { p->is.mask, WEFT_SHAPE(1, p->is.mask_channels, h, w) } };
    const weft_session_params params = {
        .entry = p->is.entry, .shapes = shapes, .shape_count = p->is.mask ? 2 : 1, .precision = p->params.precision,
        .max_bytes = memory_limit(p), .progress = progress, .progress_user = p,
    };
    const size_t area = (size_t) w * (size_t) h * sizeof(float);
    const int64_t start = weft_nanoseconds();
    drop_session(p);
    WEFT_TRY(weft_session_create(p->dev, p->model, &params, &p->session));
    WEFT_TRY(make_outputs(p, w, h));
    p->input = weft_new(p->ctx, area * (size_t) channels);
    p->mask = weft_new(p->ctx, area * (size_t) (p->is.mask_channels ? p->is.mask_channels : 1));
    if (!p->input || !p->mask) return WEFT_ERR_MEMORY;
    p->width = w, p->height = h;
    p->facts.session_ns += weft_nanoseconds() - start;
    p->facts.sessions++;
    weft_session_measure(p->session, &p->facts.session);
    return WEFT_OK;
}

// --- Numbers in and out. -----------------------------------------------------------------------------------------

static double colour_of(const weft_image *i, int64_t pixel, int colour) // 0..1
{
    return weft_image_sample(i, pixel, weft_image_colours(i) == 1 ? 0 : colour) / (double) weft_image_white(i);
}

static double to_model(const weft_convention *is, double v, int colour)
{
    return ((is->low + v * (is->high - is->low)) - is->mean[colour]) / is->std[colour];
}

static double from_model(const weft_convention *is, double v, int colour)
{
    if (is->output_normal) v = v * is->std[colour] + is->mean[colour];
    return (v - is->output_low) / (is->output_high - is->output_low);
}

static void fill_pixel(const weft_inpainter *p, const struct job *j, int64_t pixel, int64_t at)
{
    const weft_convention *is = &p->is;
    const int64_t area = p->width * p->height;
    const bool hole = j->hole.at[pixel];
    float *x = p->input + at;
    for (int i = 0; i < is->plane_count; i++) {
        if (is->planes[i] == WEFT_PLANE_IMAGE)
            for (int k = 0; k < is->colours; k++, x += area)
                *x = (float) (hole && !is->keep_hole ? is->hole_value : to_model(is, colour_of(j->out, pixel, k), k));
        else {
            *x = is->planes[i] == WEFT_PLANE_ONE || hole == (is->mask_hole != 0);
            x += area;
        }
    }
    for (int k = 0; k < is->mask_channels; k++) p->mask[k * area + at] = hole == (is->mask_hole != 0);
}

static void fill_inputs(const weft_inpainter *p, const struct job *j, weft_window w)
{
    for (int64_t y = 0, at = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++, at++)
            fill_pixel(p, j, (w.y + weft_mirror(y, w.h)) * j->out->info.width + w.x + weft_mirror(x, w.w), at);
}

static void put_colour(const struct job *j, int64_t pixel, const double colour[3])
{
    weft_image *out = j->out;
    const uint32_t white = weft_image_white(out);
    const double grey = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]; // Rec. 601
    for (int k = 0; k < weft_image_colours(out); k++) {
        double v = weft_image_colours(out) == 1 ? grey : colour[k];
        v = v < 0 ? 0 : v > 1 ? 1 : v;
        weft_image_put(out, pixel, k, (uint32_t) (v * white + 0.5));
    }
}

static void output_colour(const weft_inpainter *p, int64_t at, double colour[3])
{
    for (int k = 0; k < 3; k++) {
        const int own = p->is.output_colours == 1 ? 0 : k;
        colour[k] = from_model(&p->is, p->output[own * p->width * p->height + at], own);
    }
}

// A flat fill is a broken model's mark - unless the picture around is as flat and of that colour.
static weft_result check_flat(const weft_inpainter *p, const struct job *j, weft_window w, const double colour[3])
{
    for (int64_t y = 0; y < w.h; y++)
        for (int64_t x = 0; x < w.w; x++) {
            const int64_t pixel = (w.y + y) * j->out->info.width + w.x + x;
            for (int k = 0; k < 3 && !j->hole.at[pixel]; k++)
                if (fabs(colour_of(j->out, pixel, k) - colour[k]) > 8 / 255.0)
                    return weft_fail(WEFT_ERR_NUMERIC, "the model filled the hole with one flat colour (%.3f %.3f %.3f), which the picture around "
                                     "it is not; nothing is kept%s", colour[0], colour[1], colour[2],
                                     p->params.precision != WEFT_EXACT ? "; try precision exact" : "");
        }
    return WEFT_OK;
}

static weft_result check_output_numbers(const weft_inpainter *p, const struct job *j, weft_window w, weft_window fill)
{
    const int64_t area = p->width * p->height;
    double first[3] = { 0 }, colour[3];
    int64_t filled = 0, bad = 0, equal = 0;
    for (int64_t y = fill.y - w.y; y < fill.y - w.y + fill.h; y++)
        for (int64_t x = fill.x - w.x; x < fill.x - w.x + fill.w; x++) {
            const int64_t at = y * p->width + x;
            if (!j->hole.at[(w.y + y) * j->out->info.width + w.x + x]) continue;
            for (int k = 0; k < p->is.output_colours; k++) bad += !isfinite(p->output[k * area + at]);
            output_colour(p, at, colour);
            if (!filled++) memcpy(first, colour, sizeof first);
            equal += fabs(colour[0] - first[0]) + fabs(colour[1] - first[1]) + fabs(colour[2] - first[2]) < 1e-6;
        }
    if (bad)
        return weft_fail(WEFT_ERR_NUMERIC, "the model gave NaN or infinity for %lld of %lld numbers in the hole; nothing is kept%s", (long long) bad,
                         (long long) (filled * p->is.output_colours),
                         p->params.precision != WEFT_EXACT ? "; try precision exact" : "; try another device to see whether model or driver is at fault");
    return equal == filled && filled >= FLAT_PIXELS ? check_flat(p, j, w, first) : WEFT_OK;
}

// Fills what lies in `fill`, a part of the window `w` that the model has seen.
static void compose(const weft_inpainter *p, struct job *j, weft_window w, weft_window fill)
{
    weft_image *out = j->out;
    double colour[3];
    for (int64_t y = fill.y; y < fill.y + fill.h; y++)
        for (int64_t x = fill.x; x < fill.x + fill.w; x++) {
            const int64_t pixel = y * out->info.width + x;
            if (!j->hole.at[pixel]) continue;
            output_colour(p, (y - w.y) * p->width + x - w.x, colour);
            put_colour(j, pixel, colour);
            j->hole.at[pixel] = 0;
        }
}

// --- Windows. --------------------------------------------------------------------------------------------------

static int64_t round_up(int64_t v, int64_t multiple) { return (v + multiple - 1) / multiple * multiple; }

// The size the model runs at for a window: the next it takes. Steps of 32 let windows share sessions.
static void model_size(const weft_convention *is, weft_window w, bool whole, int64_t *width, int64_t *height)
{
    *width = is->width ? is->width : round_up(whole ? w.w : round_up(w.w, STEP), is->width_multiple);
    *height = is->height ? is->height : round_up(whole ? w.h : round_up(w.h, STEP), is->height_multiple);
}

// A model of one size looks at exactly that much, centred on what it fills.
static weft_result fix_window(const weft_convention *is, const weft_image *photo, weft_window fill, weft_window *w)
{
    if ((is->width && fill.w > is->width) || (is->height && fill.h > is->height))
        return weft_fail(WEFT_ERR_UNSUPPORTED, "the model works on %lld x %lld pixels only and the hole spans %d x %d; scale the picture down",
                         (long long) is->width, (long long) is->height, fill.w, fill.h);
    *w = fill;
    if (is->width) {
        w->w = photo->info.width < is->width ? photo->info.width : (int) is->width;
        w->x = fill.x + fill.w / 2 - w->w / 2;
        if (w->x + w->w > photo->info.width) w->x = photo->info.width - w->w;
        if (w->x < 0) w->x = 0;
    }
    if (is->height) {
        w->h = photo->info.height < is->height ? photo->info.height : (int) is->height;
        w->y = fill.y + fill.h / 2 - w->h / 2;
        if (w->y + w->h > photo->info.height) w->y = photo->info.height - w->h;
        if (w->y < 0) w->y = 0;
    }
    return WEFT_OK;
}

static weft_result fill_window(weft_inpainter *p, struct job *j, weft_window fill, bool whole)
{
    weft_window w = fill;
    int64_t width, height;
    WEFT_TRY(fix_window(&p->is, j->photo, fill, &w));
    model_size(&p->is, w, whole, &width, &height);
    if (!p->session || p->width != width || p->height != height) {
        const weft_result r = make_session(p, width, height);
        if (r != WEFT_OK) return drop_session(p), weft_fail_prefix(r, "at %lld x %lld pixels: ", (long long) width, (long long) height);
    }
    fill_inputs(p, j, w);
    const size_t area = (size_t) (width * height) * sizeof(float);
    const weft_io in[] = { { p->is.image, p->input, area * (size_t) input_channels(&p->is) },
                           { p->is.mask, p->mask, area * (size_t) p->is.mask_channels } };
    const int64_t start = weft_nanoseconds();
    WEFT_TRY(weft_session_run(p->session, in, p->is.mask ? 2 : 1, p->out, p->out_count));
    p->facts.run_ns += weft_nanoseconds() - start;
    WEFT_TRY(check_output_numbers(p, j, w, fill));
    compose(p, j, w, fill);
    p->facts.windows++;
    return WEFT_OK;
}

static weft_result fill_windows(weft_inpainter *p, struct job *j, int margin)
{
    weft_window *list;
    weft_result r = WEFT_OK;
    WEFT_TRY(weft_hole_windows(&j->hole, margin, &list, &p->windows));
    for (p->window = 0; r == WEFT_OK && p->window < p->windows; p->window++) r = fill_window(p, j, list[p->window], false);
    weft_delete(p->ctx, list);
    return r;
}

static weft_result fill_whole(weft_inpainter *p, struct job *j)
{
    p->window = 0, p->windows = 1;
    return fill_window(p, j, (weft_window) { 0, 0, j->photo->info.width, j->photo->info.height }, true);
}

// Whether the whole picture costs more than it should: attention over all of it grows with the square of its size.
// Measured against the model's own size, because a model is slow or fast everywhere.
static bool is_too_slow(const weft_inpainter *p, const weft_image_info *i)
{
    const weft_convention *is = &p->is;
    int64_t w, h;
    weft_model_facts preset, whole;
    model_size(is, (weft_window) { 0, 0, i->width, i->height }, true, &w, &h);
    const weft_port_shape shapes[] = { { is->image, WEFT_SHAPE(1, input_channels(is), h, w) }, { is->mask, WEFT_SHAPE(1, is->mask_channels, h, w) } };
    if (weft_model_measure(p->model, is->entry, NULL, 0, &preset) != WEFT_OK) return false;
    if (weft_model_measure(p->model, is->entry, shapes, is->mask ? 2 : 1, &whole) != WEFT_OK) return false; // the session will say why
    const weft_port *ports;
    weft_model_inputs(p->model, is->entry, &ports);
    double preset_pixels = 1;
    for (int k = 2; k < 4; k++) {
        const int64_t n = ports[0].shape.rank == 4 ? ports[0].shape.dim[k] : 1;
        preset_pixels *= (double) (n < 0 ? weft_model_dim(p->model, (int) (-n - 1))->preset : n);
    }
    return whole.flops > SMALL_FLOPS && whole.flops / (double) (w * h) > 3 * preset.flops / preset_pixels;
}

// Also a tensor that is larger than what the device's kernels can reach.
static bool is_too_large(weft_result r) { return r == WEFT_ERR_VRAM || r == WEFT_ERR_UNSUPPORTED; }

static weft_result fill_by_model(weft_inpainter *p, struct job *j)
{
    const weft_image_info *i = &j->photo->info;
    if (weft_image_colours(j->photo) == 3 && p->is.colours == 1)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "the model is for grey pictures and this one has colours");
    const bool fixed = p->is.width || p->is.height;
    if (fixed && (i->width > p->is.width || i->height > p->is.height)) return fill_windows(p, j, 0);
    if (p->params.context > 0) return fill_windows(p, j, p->params.context);
    const bool windows = p->params.context == WEFT_CONTEXT_AUTO && is_too_slow(p, i);
    weft_result r = windows ? weft_fail(WEFT_ERR_VRAM, "attention over all of it takes too long") : fill_whole(p, j);
    if (p->params.context == WEFT_CONTEXT_FULL) return r;
    for (int margin = CONTEXT_WIDE; is_too_large(r) && margin >= CONTEXT_LEAST; margin /= 2) {
        weft_log(p->ctx, WEFT_LOG_INFO, "not the whole picture (%s), but windows of %d pixels around each hole", weft_error_text(), margin);
        r = fill_windows(p, j, margin);
    }
    return r;
}

// --- Without a model. ------------------------------------------------------------------------------------------

static weft_result telea_window(weft_inpainter *p, struct job *j, weft_window w)
{
    weft_image *out = j->out;
    const int colours = weft_image_colours(out);
    const int64_t area = (int64_t) w.w * w.h;
    float *pixels = weft_new(p->ctx, (size_t) area * (size_t) colours * sizeof *pixels);
    uint8_t *hole = weft_new(p->ctx, (size_t) area);
    weft_result r = pixels && hole ? WEFT_OK : WEFT_ERR_MEMORY;
    for (int64_t i = 0; r == WEFT_OK && i < area; i++) {
        const int64_t pixel = (w.y + i / w.w) * out->info.width + w.x + i % w.w;
        hole[i] = j->hole.at[pixel];
        for (int k = 0; k < colours; k++) pixels[k * area + i] = (float) colour_of(out, pixel, k);
    }
    if (r == WEFT_OK)
        r = weft_telea(p->ctx, pixels, colours, hole, w.w, w.h, p->params.radius ? p->params.radius : DEFAULT_RADIUS, progress, p);
    for (int64_t i = 0; r == WEFT_OK && i < area; i++)
        for (int k = 0; k < colours && hole[i]; k++)
            weft_image_put(out, (w.y + i / w.w) * out->info.width + w.x + i % w.w, k,
                           (uint32_t) (pixels[k * area + i] * (float) weft_image_white(out) + 0.5f));
    weft_delete(p->ctx, pixels);
    weft_delete(p->ctx, hole);
    return r;
}

static weft_result fill_by_telea(weft_inpainter *p, struct job *j)
{
    weft_window *list;
    weft_result r = WEFT_OK;
    if (j->hole.count == (int64_t) j->hole.width * j->hole.height)
        return weft_fail(WEFT_ERR_ARGUMENT, "the whole picture is hole: there is nothing to fill it from; invert the mask (mask mode keep)?");
    WEFT_TRY(weft_hole_windows(&j->hole, 3 * (p->params.radius ? p->params.radius : DEFAULT_RADIUS), &list, &p->windows));
    for (p->window = 0; r == WEFT_OK && p->window < p->windows; p->window++) r = telea_window(p, j, list[p->window]);
    p->facts.windows = p->windows;
    weft_delete(p->ctx, list);
    return r;
}

// --- One picture. ----------------------------------------------------------------------------------------------

static void make_opaque(struct job *j)
{
    const int64_t count = (int64_t) j->out->info.width * j->out->info.height;
    for (int64_t i = 0; weft_image_has_alpha(j->out) && i < count; i++)
        if (j->hole.at[i]) weft_image_put(j->out, i, j->out->info.channels - 1, weft_image_white(j->out));
}

weft_result weft_inpaint_go(weft_inpainter *p, const weft_image *photo, const weft_image *mask, weft_image **out, weft_inpaint_facts *facts)
{
    struct job j = { .photo = photo };
    p->facts = (weft_inpaint_facts) { 0 };
    WEFT_TRY(weft_hole_make(mask, p->params.mask_mode, photo->info.width, photo->info.height, &j.hole));
    weft_result r = weft_image_duplicate(photo, &j.out);
    p->facts.hole_pixels = j.hole.count;
    if (r == WEFT_OK && p->params.mask_mode == WEFT_MASK_ALPHA) make_opaque(&j);
    if (!j.hole.count) weft_log(p->ctx, WEFT_LOG_WARN, "the mask has no hole: the picture stays as it is");
    if (r == WEFT_OK && j.hole.count) {
        const int64_t start = weft_nanoseconds();
        r = p->model ? fill_by_model(p, &j) : fill_by_telea(p, &j);
        if (!p->model) p->facts.run_ns = weft_nanoseconds() - start;
    }
    if (p->session) weft_session_measure(p->session, &p->facts.session);
    weft_hole_free(&j.hole);
    if (r != WEFT_OK) return weft_image_free(j.out), r;
    if (facts) *facts = p->facts;
    *out = j.out;
    return WEFT_OK;
}

weft_result weft_inpaint_new(weft_context *ctx, weft_device *dev, const weft_model *model, const weft_inpaint_params *params, weft_inpainter **out)
{
    weft_convention is = { 0 };
    if (model) WEFT_TRY(weft_convention_read(model, params->entry, &is));
    weft_inpainter *p = weft_new(ctx, sizeof *p);
    if (!p) return WEFT_ERR_MEMORY;
    p->ctx = ctx, p->dev = dev, p->model = model, p->params = *params, p->is = is;
    *out = p;
    return WEFT_OK;
}

void weft_inpaint_free(weft_inpainter *p)
{
    drop_session(p);
    weft_delete(p->ctx, p);
}
