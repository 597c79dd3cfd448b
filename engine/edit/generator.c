// SPDX-License-Identifier: MIT
// A generator is a handful of entries of one model; each gets a session when it is first asked for.
#include "edit/generator_parts.h"
#include "edit/image.h"
#include <math.h>
#include <string.h>

weft_result weft_generator_new(weft_context *ctx, weft_device *dev, const weft_model *model, const weft_generator_params *params,
                               weft_generator **out)
{
    weft_generator *g = weft_new(ctx, sizeof *g);
    if (!g) return WEFT_ERR_MEMORY;
    g->ctx = ctx, g->dev = dev, g->model = model, g->params = *params;
    if (!g->params.batch) g->params.batch = 1;
    const weft_result r = weft_generator_look(g);
    if (r != WEFT_OK) return weft_generator_free(g), r;
    *out = g;
    return WEFT_OK;
}

void weft_generator_free(weft_generator *g)
{
    if (!g) return;
    for (int k = 0; k < PART_COUNT; k++) weft_session_destroy(&g->part[k].session);
    weft_delete(g->ctx, g->average);
    weft_delete(g->ctx, g);
}

const weft_generator_info *weft_generator_get_info(const weft_generator *g) { return &g->info; }

int weft_generator_noise(const weft_generator *g, int index, const char **name, int *height, int *width)
{
    if (index < 0 || index >= g->info.noise_count) return 0;
    const weft_port *p = &g->part[WITH_NOISE].in[1 + index];
    if (name) *name = p->name;
    if (height) *height = (int) p->shape.dim[0];
    if (width) *width = (int) p->shape.dim[1];
    return 1;
}

int weft_generator_style(const weft_generator *g, int index, const char **name, int *channels)
{
    if (index < 0 || index >= g->info.style_count) return 0;
    const weft_port *p = &g->part[STYLES].out[index];
    if (name) *name = p->name;
    if (channels) *channels = (int) p->shape.dim[1];
    return 1;
}

// --- Running parts. --------------------------------------------------------------------------------------------

static int progress(void *user, double done)
{
    const weft_generator *g = user;
    return g->params.progress ? g->params.progress(g->params.progress_user, (g->run + done) / g->runs) : 0;
}

static bool is_shared(weft_part_kind kind, int input) { return kind == WITH_NOISE && input > 0; } // by the whole batch

static weft_result open_part(weft_generator *g, weft_part_kind kind, int batch)
{
    weft_part *p = &g->part[kind];
    weft_port_shape shapes[WEFT_GENERATOR_PORTS];
    if (p->session && p->batch == batch) return WEFT_OK;
    weft_session_destroy(&p->session);
    for (int i = 0; i < p->in_count; i++) {
        shapes[i] = (weft_port_shape) { p->in[i].name, p->in[i].shape };
        if (!is_shared(kind, i)) shapes[i].shape.dim[0] = batch;
    }
    const weft_session_params params = {
        .entry = p->entry, .shapes = shapes, .shape_count = p->in_count, .precision = g->params.precision, .max_bytes = g->params.max_bytes,
        .progress = g->params.progress ? progress : NULL, .progress_user = g,
    };
    WEFT_TRY(weft_session_create(g->dev, g->model, &params, &p->session));
    p->batch = batch;
    return WEFT_OK;
}

static size_t numbers(const weft_port *p, int from) // of one port, from dimension `from` on
{
    size_t n = 1;
    for (int d = from; d < p->shape.rank; d++) n *= (size_t) p->shape.dim[d];
    return n;
}

static weft_result run_batch(weft_part *p, weft_part_kind kind, int at, const float *const *in, float *const *out)
{
    weft_io io_in[WEFT_GENERATOR_PORTS], io_out[WEFT_GENERATOR_PORTS];
    for (int i = 0; i < p->in_count; i++) {
        const bool shared = is_shared(kind, i);
        const size_t row = numbers(&p->in[i], !shared);
        const float *data = in[i] + (shared ? 0 : row * (size_t) at);
        io_in[i] = (weft_io) { p->in[i].name, (void *) (uintptr_t) data, 4 * row * (size_t) (shared ? 1 : p->batch) };
    }
    for (int i = 0; i < p->out_count; i++) {
        const size_t row = numbers(&p->out[i], 1);
        io_out[i] = (weft_io) { p->out[i].name, out[i] + row * (size_t) at, 4 * row * (size_t) p->batch };
    }
    return weft_session_run(p->session, io_in, p->in_count, io_out, p->out_count);
}

// `count` rows through a part, a batch at a time. The last batch begins early enough to be full: what it makes again comes out the same.
static weft_result run_part(weft_generator *g, weft_part_kind kind, int count, int batch, const float *const *in, float *const *out)
{
    weft_part *p = &g->part[kind];
    if (batch > count) batch = count;
    if (p->fixed) batch = p->fixed;
    if (batch > count)
        return weft_fail(WEFT_ERR_ARGUMENT, "entry '%s' takes batches of %d only; %d cannot be made", weft_part_names[kind], p->fixed, count);
    WEFT_TRY(open_part(g, kind, batch));
    const bool own = !g->runs;
    if (own) g->run = 0, g->runs = (count + batch - 1) / batch;
    weft_result r = WEFT_OK;
    for (int at = 0; at < count && r == WEFT_OK; at += batch) {
        r = run_batch(p, kind, at + batch > count ? count - batch : at, in, out);
        g->run++;
    }
    if (own) g->runs = 0;
    return r;
}

// --- Latents. --------------------------------------------------------------------------------------------------

static weft_result one_hot(const weft_generator *g, int count, const int *classes, float **out)
{
    const int n = g->info.classes;
    *out = NULL;
    if (!n) return WEFT_OK;
    if (!classes) return weft_fail(WEFT_ERR_ARGUMENT, "the generator is conditional: it wants a class, 0 to %d", n - 1);
    for (int i = 0; i < count; i++)
        if (classes[i] < 0 || classes[i] >= n) return weft_fail(WEFT_ERR_ARGUMENT, "there is no class %d; the generator has 0 to %d", classes[i], n - 1);
    float *c = weft_new(g->ctx, sizeof *c * (size_t) count * (size_t) n);
    if (!c) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) c[(size_t) i * (size_t) n + (size_t) classes[i]] = 1;
    *out = c;
    return WEFT_OK;
}

weft_result weft_generator_go_map(weft_generator *g, int count, const float *z, const int *classes, float *ws)
{
    float *c;
    if (!g->info.z) return weft_fail(WEFT_ERR_UNSUPPORTED, "the model has no entry 'mapping': it takes w, not z or seeds");
    WEFT_TRY(one_hot(g, count, classes, &c));
    const int batch = g->params.batch < 64 ? 64 : g->params.batch; // of small vectors a run wants many
    const weft_result r = run_part(g, MAPPING, count, batch, (const float *const[]) { z, c }, (float *const[]) { ws });
    weft_delete(g->ctx, c);
    return r;
}

static weft_result load_average(weft_generator *g)
{
    weft_part *p = &g->part[AVERAGE];
    const size_t w = (size_t) g->info.w, layers = (size_t) g->info.layers;
    if (g->average) return WEFT_OK;
    if (p->entry < 0)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "the model has no entry 'average': it does not know the mean of w that truncation goes towards");
    float *mean = weft_new(g->ctx, 4 * w * layers);
    if (!mean) return WEFT_ERR_MEMORY;
    weft_result r = open_part(g, AVERAGE, 1);
    if (r == WEFT_OK) {
        const weft_io out = { p->out[0].name, mean, 4 * numbers(&p->out[0], 0) };
        r = weft_session_run(p->session, NULL, 0, &out, 1);
    }
    weft_session_destroy(&p->session);
    if (r != WEFT_OK) return weft_delete(g->ctx, mean), r;
    for (size_t l = 1; p->out[0].shape.rank == 1 && l < layers; l++) memcpy(mean + l * w, mean, 4 * w);
    g->average = mean;
    return WEFT_OK;
}

weft_result weft_generator_go_average(weft_generator *g, float *ws)
{
    WEFT_TRY(load_average(g));
    memcpy(ws, g->average, 4 * (size_t) g->info.w * (size_t) g->info.layers);
    return WEFT_OK;
}

// As PyTorch's lerp rounds, from whichever end is nearer.
static float lerp(float a, float b, float t) { return t < 0.5f ? a + t * (b - a) : b - (b - a) * (1 - t); }

weft_result weft_generator_go_truncate(weft_generator *g, int count, float *ws, double psi, int cutoff)
{
    const size_t w = (size_t) g->info.w, layers = (size_t) g->info.layers;
    const size_t moved = cutoff < 0 || (size_t) cutoff > layers ? layers : (size_t) cutoff;
    if (psi == 1 || !moved) return WEFT_OK;
    WEFT_TRY(load_average(g));
    for (size_t i = 0; i < (size_t) count; i++)
        for (size_t k = 0; k < moved * w; k++) {
            float *x = &ws[i * layers * w + k];
            *x = lerp(g->average[k], *x, (float) psi);
        }
    return WEFT_OK;
}

// --- Pictures. -------------------------------------------------------------------------------------------------

static weft_result run_random(weft_generator *g, int count, const float *ws, weft_random_state *random, float *image)
{
    const weft_part *p = &g->part[WITH_NOISE];
    const size_t row = numbers(&p->in[0], 1), picture = numbers(&p->out[0], 1);
    const float *in[WEFT_GENERATOR_PORTS];
    size_t total = 0, at = 0;
    for (int i = 1; i < p->in_count; i++) total += numbers(&p->in[i], 0);
    float *maps = weft_new(g->ctx, 4 * total + 4);
    if (!maps) return WEFT_ERR_MEMORY;
    for (int i = 1; i < p->in_count; i++) in[i] = maps + at, at += numbers(&p->in[i], 0);
    weft_result r = WEFT_OK;
    g->run = 0, g->runs = count;
    for (int i = 0; i < count && r == WEFT_OK; i++) { // a batch would share its maps
        weft_random_normals(random, maps, total);
        in[0] = ws + (size_t) i * row;
        r = run_part(g, WITH_NOISE, 1, 1, in, (float *const[]) { image + (size_t) i * picture });
    }
    g->runs = 0;
    weft_delete(g->ctx, maps);
    return r;
}

static weft_result run_maps(weft_generator *g, int count, const float *ws, const float *const *maps, float *image)
{
    const float *in[WEFT_GENERATOR_PORTS] = { ws };
    for (int i = 0; i < g->info.noise_count; i++) in[1 + i] = maps[i];
    return run_part(g, WITH_NOISE, count, g->params.batch, in, &image);
}

weft_result weft_generator_go(weft_generator *g, int count, const float *ws, const weft_noise *noise, float *image)
{
    const weft_noise_mode mode = noise ? noise->mode : WEFT_NOISE_CONST;
    const weft_part_kind kind = mode == WEFT_NOISE_CONST ? SYNTHESIS : mode == WEFT_NOISE_NONE ? WITHOUT_NOISE : WITH_NOISE;
    if (g->part[kind].entry < 0)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "the model has no entry '%s': it makes pictures with its own noise only", weft_part_names[kind]);
    if (mode == WEFT_NOISE_RANDOM) return run_random(g, count, ws, noise->random, image);
    if (mode == WEFT_NOISE_MAPS) return run_maps(g, count, ws, noise->maps, image);
    return run_part(g, kind, count, g->params.batch, &ws, &image);
}

static weft_result need_styles(const weft_generator *g)
{
    return g->info.style_count ? WEFT_OK : weft_fail(WEFT_ERR_UNSUPPORTED, "the model has no entries 'styles' and 'synthesis_styles'");
}

weft_result weft_generator_go_styles(weft_generator *g, int count, const float *ws, float *styles)
{
    float *out[WEFT_GENERATOR_PORTS];
    WEFT_TRY(need_styles(g));
    for (int i = 0; i < g->info.style_count; i++) {
        out[i] = styles;
        styles += (size_t) count * numbers(&g->part[STYLES].out[i], 1);
    }
    return run_part(g, STYLES, count, g->params.batch, &ws, out);
}

weft_result weft_generator_go_from_styles(weft_generator *g, int count, const float *styles, float *image)
{
    const float *in[WEFT_GENERATOR_PORTS];
    WEFT_TRY(need_styles(g));
    for (int i = 0; i < g->info.style_count; i++) {
        in[i] = styles;
        styles += (size_t) count * numbers(&g->part[FROM_STYLES].in[i], 1);
    }
    return run_part(g, FROM_STYLES, count, g->params.batch, in, &image);
}

weft_result weft_generator_to_picture(const weft_generator *g, const float *image, int bits, weft_image **out)
{
    const int64_t pixels = (int64_t) g->info.height * g->info.width;
    const bool usual = g->low == -1 && g->high == 1;
    const float scale = bits == 16 ? 32767.5f : 127.5f, grey = bits == 16 ? 32768 : 128, white = bits == 16 ? 65535 : 255;
    for (int64_t i = 0; i < pixels * g->info.channels; i++)
        if (!isfinite(image[i])) return weft_fail(WEFT_ERR_NUMERIC, "the generator gave NaN or infinity");
    WEFT_TRY(weft_image_new(g->ctx, g->info.width, g->info.height, g->info.channels, bits, out));
    for (int c = 0; c < g->info.channels; c++)
        for (int64_t i = 0; i < pixels; i++) {
            float x = image[c * pixels + i];
            if (!usual) x = (float) (2 * (x - g->low) / (g->high - g->low) - 1);
            x = x * scale + grey;
            weft_image_put(*out, i, c, (uint32_t) (x < 0 ? 0 : x > white ? white : x));
        }
    return WEFT_OK;
}
