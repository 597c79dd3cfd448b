// SPDX-License-Identifier: MIT
#include "edit/start.h"
#include "base/status.h"
#include "edit/generator.h"
#include <math.h>
#include <string.h>
#include <weft/random.h>

enum { SAMPLE_SEED = 123, STYLE_SAMPLES = 1000, ENCODER_SIZE = 256 };

int64_t weft_count_of(weft_shape s)
{
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    return n;
}

const weft_array *weft_find_array(const weft_invert_job *job, const char *name)
{
    for (int i = 0; i < job->start_count; i++)
        if (!strcmp(job->start[i].name, name)) return &job->start[i];
    return NULL;
}

// --- The mapping, many times. ------------------------------------------------------------------------------------

// w [samples, W]: the first layer's, the others are the same.
static weft_result map_samples(const weft_objective *o, weft_generator *g, const float *z, float *w, int samples)
{
    const weft_generator_info *is = &o->source.info;
    const size_t layer = (size_t) is->w, image = layer * (size_t) is->layers;
    float *ws = weft_new(o->ctx, sizeof *ws * WEFT_START_BATCH * image);
    int classes[WEFT_START_BATCH];
    weft_result r = ws ? WEFT_OK : WEFT_ERR_MEMORY;
    for (int i = 0; i < WEFT_START_BATCH; i++) classes[i] = o->class_index;
    for (int at = 0; r == WEFT_OK && at < samples; at += WEFT_START_BATCH) {
        const int count = samples - at < WEFT_START_BATCH ? samples - at : WEFT_START_BATCH;
        r = weft_generator_go_map(g, count, z + (size_t) at * (size_t) is->z, is->classes ? classes : NULL, ws);
        for (int i = 0; r == WEFT_OK && i < count; i++) memcpy(w + (size_t) (at + i) * layer, ws + (size_t) i * image, sizeof *w * layer);
    }
    weft_delete(o->ctx, ws);
    return r;
}

// --- Mean and deviation. -----------------------------------------------------------------------------------------

// As the projector computes them: the deviation is one number for all of a latent.
static double deviation(const float *w, int64_t samples, int64_t size, float *mean)
{
    double sum = 0;
    for (int64_t d = 0; d < size; d++) {
        double total = 0;
        for (int64_t i = 0; i < samples; i++) total += w[i * size + d];
        mean[d] = (float) (total / (double) samples);
    }
    for (int64_t i = 0; i < samples * size; i++) sum += ((double) w[i] - mean[i % size]) * ((double) w[i] - mean[i % size]);
    return sqrt(sum / (double) samples);
}

static int64_t nearest(const float *w, int64_t samples, int64_t size, const float *mean)
{
    double least = INFINITY;
    int64_t best = 0;
    for (int64_t i = 0; i < samples; i++) {
        double sum = 0;
        for (int64_t d = 0; d < size; d++) sum += ((double) w[i * size + d] - mean[d]) * ((double) w[i * size + d] - mean[d]);
        if (sum < least) least = sum, best = i;
    }
    return best;
}

static weft_result new_latent(weft_objective *o, const char *name, weft_shape shape, weft_latent *l)
{
    const size_t bytes = sizeof(float) * (size_t) weft_count_of(shape);
    *l = (weft_latent) { name, shape, weft_arena_new(o->arena, bytes), weft_arena_new(o->arena, bytes), 1 };
    return l->mean && l->start ? WEFT_OK : WEFT_ERR_MEMORY;
}

// The styles of n latents w [W], the same for all layers: layer after layer, as [n, channels] each.
static weft_result styles_of_w(const weft_objective *o, weft_generator *g, const float *w, int n, float *styles)
{
    const int64_t size = o->source.info.w, layers = o->source.info.layers;
    float *ws = weft_new(o->ctx, sizeof *ws * (size_t) (n * layers * size));
    if (!ws) return WEFT_ERR_MEMORY;
    for (int64_t i = 0; i < n * layers; i++) memcpy(ws + i * size, w + i / layers * size, sizeof *w * (size_t) size);
    const weft_result r = weft_generator_go_styles(g, n, ws, styles);
    weft_delete(o->ctx, ws);
    return r;
}

static weft_result make_styles(weft_objective *o, weft_generator *g, const float *w, int samples, const float *mean)
{
    const weft_port *out;
    const int count = o->source.info.style_count, n = samples < STYLE_SAMPLES ? samples : STYLE_SAMPLES;
    const size_t numbers = (size_t) o->source.info.style_numbers;
    float *styles = weft_new(o->ctx, sizeof *styles * numbers * (size_t) n), *start = weft_new(o->ctx, sizeof *start * numbers);
    o->latents = weft_arena_new(o->arena, sizeof *o->latents * (size_t) (count + 1));
    weft_result r = styles && start && o->latents ? styles_of_w(o, g, w, n, styles) : WEFT_ERR_MEMORY;
    if (r == WEFT_OK) r = styles_of_w(o, g, mean, 1, start);
    weft_model_outputs(o->source.model, o->source.styles, &out);
    for (int64_t i = 0, at = 0; i < count && r == WEFT_OK; i++) {
        const int64_t size = out[i].shape.dim[1];
        weft_latent *l = &o->latents[i];
        r = new_latent(o, out[i].name, (weft_shape) WEFT_SHAPE(size), l);
        if (r != WEFT_OK) break;
        l->std = deviation(styles + at * n, n, size, l->mean);
        memcpy(l->start, start + at, sizeof *start * (size_t) size);
        at += size, o->latent_count = (int) i + 1;
    }
    weft_delete(o->ctx, styles);
    weft_delete(o->ctx, start);
    return r;
}

// w or w+ with this mean, [rows, W] of one row or one per layer.
static weft_result make_w(weft_objective *o, const float *mean, int64_t rows, double std)
{
    const weft_generator_info *g = &o->source.info;
    const int64_t wanted = o->space == WEFT_SPACE_W ? 1 : g->layers;
    o->latents = weft_arena_new(o->arena, sizeof *o->latents);
    if (!o->latents) return WEFT_ERR_MEMORY;
    WEFT_TRY(new_latent(o, "w", (weft_shape) WEFT_SHAPE(wanted, g->w), o->latents));
    for (int64_t i = 0; i < wanted * g->w; i++) {
        double sum = 0;
        const int64_t same = wanted == 1 ? rows : 1; // one w of many: their mean
        for (int64_t k = 0; k < same; k++) sum += mean[(rows == 1 ? 0 : wanted == 1 ? k : i / g->w) * g->w + i % g->w];
        o->latents->mean[i] = o->latents->start[i] = (float) (sum / (double) same);
    }
    o->latents->std = std;
    o->latent_count = 1;
    return WEFT_OK;
}

static weft_result make_z(weft_objective *o, const float *z)
{
    o->latents = weft_arena_new(o->arena, sizeof *o->latents);
    if (!o->latents) return WEFT_ERR_MEMORY;
    WEFT_TRY(new_latent(o, "z", (weft_shape) WEFT_SHAPE(o->source.info.z), o->latents));
    memcpy(o->latents->start, z, sizeof *z * (size_t) o->source.info.z); // the mean is 0, and maps to no usual w
    o->latent_count = 1;
    return WEFT_OK;
}

static weft_result from_samples(weft_objective *o, weft_generator *g, int samples, float *z, float *w, float *mean)
{
    const int64_t size = o->source.info.w;
    weft_random_state random;
    weft_random_seed(&random, SAMPLE_SEED);
    weft_random_normals(&random, z, (size_t) samples * (size_t) o->source.info.z);
    WEFT_TRY(map_samples(o, g, z, w, samples));
    const double std = deviation(w, samples, size, mean);
    if (!(std > 0) || !isfinite(std)) return weft_fail(WEFT_ERR_NUMERIC, "the generator maps all latents to one, or to what is no number");
    if (o->space == WEFT_SPACE_Z) return make_z(o, z + nearest(w, samples, size, mean) * o->source.info.z);
    if (o->space == WEFT_SPACE_S) return make_styles(o, g, w, samples, mean);
    return make_w(o, mean, 1, std);
}

static weft_result from_average(weft_objective *o, weft_generator *g)
{
    const weft_generator_info *is = &o->source.info;
    float *mean = weft_arena_new(o->arena, sizeof *mean * (size_t) is->layers * (size_t) is->w);
    if (!mean) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_generator_go_average(g, mean));
    return make_w(o, mean, is->layers, 1);
}

weft_result weft_start_latents(weft_objective *o, weft_generator *g, int samples)
{
    const weft_generator_info *is = &o->source.info;
    const bool styles = o->space == WEFT_SPACE_S;
    if (styles && !is->style_count) return weft_fail(WEFT_ERR_ARGUMENT, "space s: the generator has no entries `styles` and `synthesis_styles`");
    if (!is->z) {
        if (o->space == WEFT_SPACE_Z || styles) return weft_fail(WEFT_ERR_ARGUMENT, "spaces z and s: the generator has no entry `mapping`");
        if (!is->has_average) return weft_fail(WEFT_ERR_ARGUMENT, "the generator has neither a `mapping` nor an `average`: no mean latent can be known");
        o->latent_noise = false; // nothing says how far latents spread
        return from_average(o, g);
    }
    float *z = weft_new(o->ctx, sizeof *z * (size_t) samples * (size_t) is->z), *w = weft_new(o->ctx, sizeof *w * (size_t) samples * (size_t) is->w);
    float *mean = weft_new(o->ctx, sizeof *mean * (size_t) is->w);
    const weft_result r = z && w && mean ? from_samples(o, g, samples, z, w, mean) : WEFT_ERR_MEMORY;
    weft_delete(o->ctx, z);
    weft_delete(o->ctx, w);
    weft_delete(o->ctx, mean);
    return r;
}

// --- One job's start. --------------------------------------------------------------------------------------------

// Reads `from` [(k,) rows, size] or [(k,) size] as `rows` [segments, rows, size]: a missing dimension repeats, too many rows make a mean.
static weft_result spread(const weft_array *from, int64_t segments, int64_t rows, int64_t size, float *to)
{
    const int64_t count = weft_count_of(from->shape);
    const weft_shape *s = &from->shape;
    const bool each = s->rank > 0 && s->dim[s->rank - 1] == size && s->rank <= 3;
    const int64_t outer = s->rank == 3 ? s->dim[0] : s->rank == 2 && rows == 0 ? s->dim[0] : 1, inner = each ? count / size / outer : 0;
    const int64_t want = rows ? rows : 1;
    if (!each || (outer != 1 && outer != segments) || (inner != 1 && inner != want && want != 1))
        return weft_fail(WEFT_ERR_ARGUMENT, "the start's '%s' does not fit: %lld numbers for %lld segments of %lld times %lld", from->name, (long long) count,
                         (long long) segments, (long long) want, (long long) size);
    for (int64_t k = 0; k < segments; k++)
        for (int64_t r = 0; r < want; r++)
            for (int64_t i = 0; i < size; i++) {
                const float *x = from->data + (outer == 1 ? 0 : k) * inner * size + i;
                double sum = 0;
                if (inner == want || inner == 1) sum = x[(inner == 1 ? 0 : r) * size];
                else for (int64_t m = 0; m < inner; m++) sum += x[m * size] / (double) inner;
                to[(k * want + r) * size + i] = (float) sum;
            }
    for (int64_t i = 0; i < segments * want * size; i++)
        if (!isfinite(to[i])) return weft_fail(WEFT_ERR_ARGUMENT, "the start's '%s' holds what is no number", from->name);
    return WEFT_OK;
}

// From w [1 or segments, L, W] to the latents of the space.
static weft_result from_w(const weft_objective *o, weft_generator *g, const weft_array *w, float *const *to)
{
    const weft_generator_info *is = &o->source.info;
    if (o->space == WEFT_SPACE_Z) return weft_fail(WEFT_ERR_ARGUMENT, "space z cannot start from w: nothing maps back");
    if (o->space != WEFT_SPACE_S) return spread(w, o->segments, o->space == WEFT_SPACE_W ? 1 : is->layers, is->w, to[0]);
    float *ws = weft_new(o->ctx, sizeof *ws * (size_t) o->segments * (size_t) is->layers * (size_t) is->w);
    float *styles = weft_new(o->ctx, sizeof *styles * (size_t) o->segments * (size_t) is->style_numbers), *from = styles;
    weft_result r = ws && styles ? spread(w, o->segments, is->layers, is->w, ws) : WEFT_ERR_MEMORY;
    if (r == WEFT_OK) r = weft_generator_go_styles(g, o->segments, ws, styles);
    for (int i = 0; r == WEFT_OK && i < o->latent_count; i++) {
        const size_t count = (size_t) (o->segments * weft_count_of(o->latents[i].shape));
        memcpy(to[i], from, sizeof *from * count);
        from += count;
    }
    weft_delete(o->ctx, ws);
    weft_delete(o->ctx, styles);
    return r;
}

static weft_result from_encoder(const weft_objective *o, weft_generator *gen, weft_device *dev, const weft_invert_job *job, const weft_fit *fit, float *const *to)
{
    const weft_model *m = job->encoder;
    const weft_generator_info *g = &o->source.info;
    const char *task = weft_model_meta(m, "task");
    const int encode = weft_model_find_entry(m, "encode"), entry = encode >= 0 ? encode : weft_model_find_entry(m, "main");
    const weft_port *in, *out;
    if (task && strcmp(task, "encoder")) return weft_fail(WEFT_ERR_ARGUMENT, "the encoder's metadata says task=%s, not encoder", task);
    if (entry < 0 || weft_model_inputs(m, entry, &in) != 1 || in->shape.rank != 4 || in->shape.dim[1] != 3 || weft_model_outputs(m, entry, &out) < 1 ||
        out->shape.rank != 3 || out->shape.dim[1] != g->layers || out->shape.dim[2] != g->w)
        return weft_fail(WEFT_ERR_ARGUMENT, "the encoder does not turn a picture into %lld latents of %lld, as the generator takes", (long long) g->layers, (long long) g->w);
    const int h = in->shape.dim[2] > 0 ? (int) in->shape.dim[2] : ENCODER_SIZE, w = in->shape.dim[3] > 0 ? (int) in->shape.dim[3] : ENCODER_SIZE;
    const size_t area = (size_t) h * (size_t) w, count = (size_t) (g->layers * g->w), own = (size_t) fit->width * (size_t) fit->height;
    float *picture = weft_new(o->ctx, sizeof *picture * 3 * area), *codes = weft_new(o->ctx, sizeof *codes * count);
    weft_session *s = NULL;
    weft_result r = picture && codes ? WEFT_OK : WEFT_ERR_MEMORY;
    for (size_t k = 0; k < 3 && r == WEFT_OK; k++)
        r = weft_scale(o->ctx, WEFT_FILTER_LANCZOS, fit->target + k * own, fit->width, fit->height, picture + k * area, w, h);
    const weft_port_shape shape = { in->name, WEFT_SHAPE(1, 3, h, w) };
    if (r == WEFT_OK) r = weft_session_create(dev, m, &(weft_session_params) { .entry = entry, .shapes = &shape, .shape_count = 1 }, &s);
    if (r == WEFT_OK) r = weft_session_run(s, &(weft_io) { NULL, picture, sizeof *picture * 3 * area }, 1, &(weft_io) { out->name, codes, sizeof *codes * count }, 1);
    weft_session_destroy(&s);
    const weft_latent *usual = &o->latents[0];
    for (size_t i = 0; r == WEFT_OK && encode < 0 && i < count && o->space != WEFT_SPACE_S && o->space != WEFT_SPACE_Z; i++) // codes are differences from the mean
        codes[i] += usual->mean[o->space == WEFT_SPACE_W ? i % (size_t) g->w : i];
    if (r == WEFT_OK && encode < 0 && o->space == WEFT_SPACE_S)
        r = weft_fail(WEFT_ERR_ARGUMENT, "space s: the encoder has no entry `encode`, whose codes are whole latents");
    if (r == WEFT_OK) r = from_w(o, gen, &(weft_array) { "w", WEFT_SHAPE(1, g->layers, g->w), codes }, to);
    weft_delete(o->ctx, picture);
    weft_delete(o->ctx, codes);
    return r;
}

weft_result weft_start_from(const weft_objective *o, weft_generator *g, weft_device *dev, const weft_invert_job *job, const weft_fit *fit, float *const *to)
{
    const weft_array *w = weft_find_array(job, "w");
    const bool by_w = o->space != WEFT_SPACE_Z && w;
    if (job->encoder) return from_encoder(o, g, dev, job, fit, to);
    if (by_w) WEFT_TRY(from_w(o, g, w, to));
    for (int i = 0; i < o->latent_count; i++) {
        const weft_latent *l = &o->latents[i];
        const int64_t size = weft_count_of(l->shape);
        const weft_array *a = weft_find_array(job, l->name);
        if (a && a != w) WEFT_TRY(spread(a, o->segments, 0, size, to[i]));
        for (int64_t k = 0; !a && !by_w && k < o->segments; k++) memcpy(to[i] + k * size, l->start, sizeof(float) * (size_t) size);
    }
    return WEFT_OK;
}

weft_result weft_start_maps(const weft_objective *o, const weft_invert_job *job, uint32_t seed, float *const *to)
{
    weft_random_state random;
    weft_random_seed(&random, seed);
    for (int i = 0; i < o->map_count; i++) {
        const int64_t count = weft_count_of(o->maps[i].shape);
        const weft_array *a = weft_find_array(job, o->maps[i].name);
        weft_random_normals(&random, to[i], (size_t) count); // drawn all the same: the others do not depend on it
        if (a && weft_count_of(a->shape) != count) return weft_fail(WEFT_ERR_ARGUMENT, "the start's noise map '%s' has not %lld numbers", a->name, (long long) count);
        if (a) memcpy(to[i], a->data, sizeof(float) * (size_t) count);
    }
    return WEFT_OK;
}
