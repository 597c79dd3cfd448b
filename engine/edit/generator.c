// SPDX-License-Identifier: MIT
// A generator is a handful of entries of one model; each gets a session when it is first asked for.
#include "edit/generator.h"
#include "base/number.h"
#include "edit/convention.h"
#include "edit/image.h"
#include <math.h>
#include <string.h>

typedef enum part_kind { SYNTHESIS, WITH_NOISE, WITHOUT_NOISE, MAPPING, AVERAGE, STYLES, FROM_STYLES, PART_COUNT } part_kind;
static const char *const part_names[PART_COUNT] = {
    "synthesis", "synthesis_noise", "synthesis_none", "mapping", "average", "styles", "synthesis_styles",
};
enum { PORTS_MOST = 128, SIDE_MOST = 1 << 16 };

typedef struct part {
    int entry;          // -1: the model has none
    const weft_port *in, *out;
    int in_count, out_count;
    int fixed;          // its n is this number; 0: any
    weft_session *session;
    int batch;          // of the session
} part;

struct weft_generator {
    weft_context *ctx;
    weft_device *dev;
    const weft_model *model;
    weft_generator_params params;
    weft_generator_info info;
    double low, high;   // black and white
    float *average;     // [layers, w], once it was asked for
    int run, runs;      // which one is under way, for the progress callback
    part part[PART_COUNT];
};

// --- Looking at the model. -------------------------------------------------------------------------------------

static weft_result no_generator(const weft_port *p, const char *entry, const char *want)
{
    return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: port '%s' of entry '%s' is not f32 %s", p->name, entry, want);
}

// Checks a port against `shape`, whose dimensions are -1 for n, 0 for any positive number (put in), or what they must be.
static bool match(const weft_port *p, weft_shape *shape, int *fixed)
{
    if (p->dtype != WEFT_F32 || p->shape.rank != shape->rank) return false;
    for (int d = 0; d < shape->rank; d++) {
        const int64_t is = p->shape.dim[d];
        if (shape->dim[d] == -1) {
            if (is > 0 && is <= 1 << 20) *fixed = (int) is;
            else if (is > 0) return false;
        } else if (is <= 0 || is > 1 << 30 || (shape->dim[d] && shape->dim[d] != is)) return false;
        else shape->dim[d] = is;
    }
    return true;
}

#define MATCH(g, kind, port, want, ...)                                                                              \
    weft_shape shape = WEFT_SHAPE(__VA_ARGS__);                                                                      \
    if (!match(port, &shape, &(g)->part[kind].fixed)) return no_generator(port, part_names[kind], want)

static weft_result need_ports(const part *p, const char *name, int ins_least, int ins_most, int outs_least, int outs_most)
{
    if (p->in_count < ins_least || p->in_count > ins_most || p->out_count < outs_least || p->out_count > outs_most)
        return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: entry '%s' has %d inputs and %d outputs", name, p->in_count, p->out_count);
    return WEFT_OK;
}

static weft_result check_ws(weft_generator *g, part_kind kind, const weft_port *port)
{
    MATCH(g, kind, port, "[n, layers, w]", -1, g->info.layers, g->info.w);
    g->info.layers = (int) shape.dim[1], g->info.w = (int) shape.dim[2];
    return WEFT_OK;
}

static weft_result check_image(weft_generator *g, part_kind kind)
{
    const weft_port *port = &g->part[kind].out[0];
    MATCH(g, kind, port, "[n, 1 or 3, height, width]", -1, g->info.channels, g->info.height, g->info.width);
    if ((shape.dim[1] != 1 && shape.dim[1] != 3) || shape.dim[2] > WEFT_IMAGE_MAX_SIDE || shape.dim[3] > WEFT_IMAGE_MAX_SIDE)
        return no_generator(port, part_names[kind], "[n, 1 or 3, height, width]");
    g->info.channels = (int) shape.dim[1], g->info.height = (int) shape.dim[2], g->info.width = (int) shape.dim[3];
    return WEFT_OK;
}

static weft_result check_synthesis(weft_generator *g, part_kind kind)
{
    const part *p = &g->part[kind];
    WEFT_TRY(need_ports(p, part_names[kind], 1, kind == WITH_NOISE ? PORTS_MOST : 1, 1, 1));
    WEFT_TRY(check_ws(g, kind, &p->in[0]));
    WEFT_TRY(check_image(g, kind));
    for (int i = 1; i < p->in_count; i++) {
        MATCH(g, kind, &p->in[i], "[height, width] as a noise map is", 0, 0);
        if (shape.dim[0] > SIDE_MOST || shape.dim[1] > SIDE_MOST) return no_generator(&p->in[i], part_names[kind], "of a size of noise maps");
    }
    if (kind == WITH_NOISE) g->info.noise_count = p->in_count - 1;
    return WEFT_OK;
}

static weft_result check_mapping(weft_generator *g)
{
    const part *p = &g->part[MAPPING];
    WEFT_TRY(need_ports(p, "mapping", 1, 2, 1, 1));
    {
        MATCH(g, MAPPING, &p->in[0], "[n, z]", -1, 0);
        g->info.z = (int) shape.dim[1];
    }
    if (p->in_count == 2) {
        MATCH(g, MAPPING, &p->in[1], "[n, classes]", -1, 0);
        g->info.classes = (int) shape.dim[1];
    }
    return check_ws(g, MAPPING, &p->out[0]);
}

static weft_result check_average(weft_generator *g)
{
    const part *p = &g->part[AVERAGE];
    WEFT_TRY(need_ports(p, "average", 0, 0, 1, 1));
    g->info.has_average = 1;
    if (p->out[0].shape.rank == 1) {
        MATCH(g, AVERAGE, &p->out[0], "[w] or [layers, w]", g->info.w);
        return WEFT_OK;
    }
    MATCH(g, AVERAGE, &p->out[0], "[w] or [layers, w]", g->info.layers, g->info.w);
    return WEFT_OK;
}

static weft_result check_styles(weft_generator *g)
{
    const part *to = &g->part[STYLES], *from = &g->part[FROM_STYLES];
    int64_t sum = 0;
    WEFT_TRY(need_ports(to, "styles", 1, 1, 1, PORTS_MOST));
    WEFT_TRY(need_ports(from, "synthesis_styles", to->out_count, to->out_count, 1, 1));
    WEFT_TRY(check_ws(g, STYLES, &to->in[0]));
    WEFT_TRY(check_image(g, FROM_STYLES));
    for (int i = 0; i < to->out_count; i++) {
        MATCH(g, STYLES, &to->out[i], "[n, channels]", -1, 0);
        if (!match(&from->in[i], &shape, &g->part[FROM_STYLES].fixed)) return no_generator(&from->in[i], "synthesis_styles", "as what entry 'styles' gives");
        sum += shape.dim[1];
    }
    if (sum > 1 << 24) return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: %lld styles", (long long) sum);
    g->info.style_count = to->out_count;
    g->info.style_numbers = (int) sum;
    return WEFT_OK;
}

static weft_result agree(const weft_model *m, const char *key, int is)
{
    const char *value = weft_model_meta(m, key), *p = value;
    double said;
    if (!value || (weft_read_number(&p, &said) && !*p && said == is)) return WEFT_OK;
    return weft_fail(WEFT_ERR_FORMAT, "the model's metadata says %s=%s, but its ports say %d", key, value, is);
}

static weft_result check_meta(weft_generator *g)
{
    const char *task = weft_model_meta(g->model, "task");
    if (task && strcmp(task, "generate")) return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: its metadata says task=%s", task);
    WEFT_TRY(agree(g->model, "generator.layers", g->info.layers));
    WEFT_TRY(agree(g->model, "generator.w", g->info.w));
    if (g->info.z) {
        WEFT_TRY(agree(g->model, "generator.z", g->info.z));
        WEFT_TRY(agree(g->model, "generator.classes", g->info.classes));
    }
    WEFT_TRY(agree(g->model, "generator.size", g->info.height));
    g->low = -1, g->high = 1;
    return weft_convention_range(g->model, "image.range", &g->low, &g->high);
}

static weft_result look(weft_generator *g)
{
    for (int k = 0; k < PART_COUNT; k++) {
        part *p = &g->part[k];
        p->entry = weft_model_find_entry(g->model, part_names[k]);
        if (p->entry < 0) continue;
        p->in_count = weft_model_inputs(g->model, p->entry, &p->in);
        p->out_count = weft_model_outputs(g->model, p->entry, &p->out);
    }
    if (g->part[SYNTHESIS].entry < 0) {
        const char *task = weft_model_meta(g->model, "task");
        return weft_fail(WEFT_ERR_ARGUMENT, "not a generator: it has no entry 'synthesis'%s%s", task ? ", and its metadata says task=" : "", task ? task : "");
    }
    WEFT_TRY(check_synthesis(g, SYNTHESIS));
    if (g->part[WITH_NOISE].entry >= 0) WEFT_TRY(check_synthesis(g, WITH_NOISE));
    if (g->part[WITHOUT_NOISE].entry >= 0) WEFT_TRY(check_synthesis(g, WITHOUT_NOISE));
    if (g->part[MAPPING].entry >= 0) WEFT_TRY(check_mapping(g));
    if (g->part[AVERAGE].entry >= 0) WEFT_TRY(check_average(g));
    if (g->part[STYLES].entry >= 0 && g->part[FROM_STYLES].entry >= 0) WEFT_TRY(check_styles(g));
    g->info.has_none = g->part[WITHOUT_NOISE].entry >= 0;
    return check_meta(g);
}

weft_result weft_generator_new(weft_context *ctx, weft_device *dev, const weft_model *model, const weft_generator_params *params,
                               weft_generator **out)
{
    weft_generator *g = weft_new(ctx, sizeof *g);
    if (!g) return WEFT_ERR_MEMORY;
    g->ctx = ctx, g->dev = dev, g->model = model, g->params = *params;
    if (!g->params.batch) g->params.batch = 1;
    const weft_result r = look(g);
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

static bool is_shared(part_kind kind, int input) { return kind == WITH_NOISE && input > 0; } // by the whole batch

static weft_result open_part(weft_generator *g, part_kind kind, int batch)
{
    part *p = &g->part[kind];
    weft_port_shape shapes[PORTS_MOST];
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

static weft_result run_batch(part *p, part_kind kind, int at, const float *const *in, float *const *out)
{
    weft_io io_in[PORTS_MOST], io_out[PORTS_MOST];
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
static weft_result run_part(weft_generator *g, part_kind kind, int count, int batch, const float *const *in, float *const *out)
{
    part *p = &g->part[kind];
    if (batch > count) batch = count;
    if (p->fixed) batch = p->fixed;
    if (batch > count)
        return weft_fail(WEFT_ERR_ARGUMENT, "entry '%s' takes batches of %d only; %d cannot be made", part_names[kind], p->fixed, count);
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
    part *p = &g->part[AVERAGE];
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
    const part *p = &g->part[WITH_NOISE];
    const size_t row = numbers(&p->in[0], 1), picture = numbers(&p->out[0], 1);
    const float *in[PORTS_MOST];
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
    const float *in[PORTS_MOST] = { ws };
    for (int i = 0; i < g->info.noise_count; i++) in[1 + i] = maps[i];
    return run_part(g, WITH_NOISE, count, g->params.batch, in, &image);
}

weft_result weft_generator_go(weft_generator *g, int count, const float *ws, const weft_noise *noise, float *image)
{
    const weft_noise_mode mode = noise ? noise->mode : WEFT_NOISE_CONST;
    const part_kind kind = mode == WEFT_NOISE_CONST ? SYNTHESIS : mode == WEFT_NOISE_NONE ? WITHOUT_NOISE : WITH_NOISE;
    if (g->part[kind].entry < 0)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "the model has no entry '%s': it makes pictures with its own noise only", part_names[kind]);
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
    float *out[PORTS_MOST];
    WEFT_TRY(need_styles(g));
    for (int i = 0; i < g->info.style_count; i++) {
        out[i] = styles;
        styles += (size_t) count * numbers(&g->part[STYLES].out[i], 1);
    }
    return run_part(g, STYLES, count, g->params.batch, &ws, out);
}

weft_result weft_generator_go_from_styles(weft_generator *g, int count, const float *styles, float *image)
{
    const float *in[PORTS_MOST];
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
