// SPDX-License-Identifier: MIT
// The search for latents, then for weights: chunks of steps that the device does alone, and between them a look at the losses.
#include "edit/invert.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fnv.h"
#include "base/status.h"
#include "edit/checkpoint.h"
#include "edit/generator.h"
#include "edit/sheet.h"
#include "edit/start.h"
#include "edit/tuned.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/optimize.h>

enum { MOST_INPUTS = 256, MOST_SEGMENTS = 16, DEFAULT_STEPS = 1000, DEFAULT_SAMPLES = 10000, DEFAULT_CHECK = 25, DEFAULT_CHECKPOINT = 100, DEFAULT_FRAMES = 16 };
#define REPORT_SECONDS 0.25 // how long a chunk may keep the caller waiting
#define LEAST_GAIN 1e-3     // what counts as falling, of the loss, for patience

typedef struct stage { // one optimisation
    weft_model *model;
    weft_session *session;
    int steps;
    const char *const *variables; // states to keep
    int variable_count;
} stage;

struct weft_inverter {
    weft_context *ctx;
    weft_device *dev;
    weft_device *host; // for the mean latent, which so is the same whatever the device
    weft_generator *generator;
    weft_invert_params params;
    weft_arena arena, kind; // what stays; what belongs to one kind of job
    weft_objective o;
    bool made;
    weft_model *targets, *render_model;
    weft_session *features, *render;
    stage stages[2];
    const char *const *columns; // "loss", then the terms
    int64_t build_ns;
};

struct run { // of one job
    weft_inverter *p;
    const weft_invert_job *job;
    weft_fit fit;
    weft_arena arena;
    weft_io known[MOST_INPUTS]; // inputs by name
    int known_count;
    float *latents[MOST_INPUTS], *maps[MOST_INPUTS];
    float *log[2];
    int done[2], stage, best_step;
    double best;
    bool stopped;
    int resumed, here; // steps of this stage done when it was taken up; done since
    int64_t started, run_ns;
    weft_sheet sheet;
    char key[40];
    weft_inversion *v;
};

static int columns_of(const weft_inverter *p) { return 1 + p->o.loss_count; }

// --- Models and sessions for one kind of job. ---------------------------------------------------------------------

static void drop_kind(weft_inverter *p)
{
    weft_session_destroy(&p->features);
    weft_session_destroy(&p->render);
    weft_model_destroy(&p->targets);
    weft_model_destroy(&p->render_model);
    for (int i = 0; i < 2; i++) {
        weft_session_destroy(&p->stages[i].session);
        weft_model_destroy(&p->stages[i].model);
        p->stages[i] = (stage) { 0 };
    }
    weft_arena_free(&p->kind);
    p->made = false;
}

// Normal numbers that fade: [rows, segments, ...] of each latent.
static weft_result noise_tables(weft_inverter *p, const char **names, weft_step_table *tables)
{
    const weft_invert_params *is = &p->params;
    float *strength = weft_arena_new(&p->kind, sizeof *strength * (size_t) is->steps);
    weft_random_state random;
    int64_t rows = 1;
    if (!strength) return WEFT_ERR_MEMORY;
    weft_schedule_fade(strength, is->steps, is->latent_noise, is->latent_noise_ramp);
    while (rows < is->steps && strength[rows - 1] > 0) rows++;
    weft_random_seed(&random, is->seed);
    for (int i = 0; i < p->o.latent_count; i++) {
        const weft_latent *l = &p->o.latents[i];
        const int64_t each = p->o.segments * weft_count_of(l->shape);
        float *data = weft_arena_new(&p->kind, sizeof *data * (size_t) (rows * each));
        if (!data || !names[i]) return WEFT_ERR_MEMORY;
        weft_random_normals(&random, data, (size_t) (rows * each));
        for (int64_t k = 0; k < rows * each; k++) data[k] *= (float) (strength[k / each] * l->std);
        tables[i] = (weft_step_table) { names[i], data, rows };
    }
    return WEFT_OK;
}

static weft_result make_session(weft_inverter *p, stage *s)
{
    return weft_session_create(p->dev, s->model, &(weft_session_params) { .precision = p->params.precision, .max_bytes = p->params.max_bytes }, &s->session);
}

static weft_result make_search(weft_inverter *p, const weft_model *objective)
{
    const weft_invert_params *is = &p->params;
    const weft_objective *o = &p->o;
    const int count = o->latent_count + o->map_count;
    weft_step_variable *variables = weft_arena_new(&p->kind, sizeof *variables * (size_t) count);
    const char **names = weft_arena_new(&p->kind, sizeof *names * (size_t) count), **noise = weft_arena_new(&p->kind, sizeof *noise * (size_t) count);
    weft_step_table *tables = weft_arena_new(&p->kind, sizeof *tables * (size_t) count);
    float *rates = weft_arena_new(&p->kind, sizeof *rates * (size_t) is->steps);
    if (!variables || !names || !noise || !tables || !rates) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        const bool map = i >= o->latent_count;
        names[i] = map ? o->maps[i - o->latent_count].name : o->latents[i].name;
        variables[i] = (weft_step_variable) { .name = names[i], .normalize = map };
        noise[i] = weft_arena_print(&p->kind, "%s.noise", names[i]);
    }
    if (o->latent_noise) WEFT_TRY(noise_tables(p, noise, tables));
    weft_schedule_ramps(rates, is->steps, is->rate, is->rampup, is->rampdown);
    stage *s = &p->stages[0];
    s->steps = is->steps, s->variables = names, s->variable_count = count;
    const weft_step_params params = {
        .variables = variables, .variable_count = count, .steps = is->steps, .rates = rates, .clip_norm = is->clip_norm,
        .tables = tables, .table_count = o->latent_noise ? o->latent_count : 0, .log = o->names, .log_count = o->loss_count,
    };
    WEFT_TRY(weft_model_step(objective, &params, &s->model));
    return make_session(p, s);
}

// Made when it is needed: it holds the weights twice more.
static weft_result make_tuning(weft_inverter *p)
{
    weft_objective still = p->o;
    weft_model *objective;
    stage *s = &p->stages[1];
    if (s->session) return WEFT_OK;
    const int64_t start = weft_nanoseconds();
    still.latent_noise = false, still.arena = &p->kind;
    WEFT_TRY(weft_tuned_names(&p->o.source, &p->kind, &s->variables, &s->variable_count));
    weft_step_variable *variables = weft_arena_new(&p->kind, sizeof *variables * (size_t) s->variable_count);
    if (!variables) return WEFT_ERR_MEMORY;
    for (int i = 0; i < s->variable_count; i++) variables[i] = (weft_step_variable) { .name = s->variables[i] };
    s->steps = p->params.tune;
    const weft_step_params params = {
        .variables = variables, .variable_count = s->variable_count, .steps = s->steps, .rate = p->params.tune_rate, .clip_norm = p->params.clip_norm,
        .log = p->o.names, .log_count = p->o.loss_count,
    };
    WEFT_TRY(weft_objective_model(&still, p->targets, &objective));
    weft_result r = weft_model_step(objective, &params, &s->model);
    weft_model_destroy(&objective);
    if (r == WEFT_OK) r = make_session(p, s);
    p->build_ns += weft_nanoseconds() - start;
    return r;
}

static weft_result make_kind(weft_inverter *p)
{
    weft_model *objective = NULL;
    if (p->o.latent_count > WEFT_OBJECTIVE_LATENTS || p->o.map_count > WEFT_OBJECTIVE_LATENTS)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "a generator of %d latents and %d noise maps, more than %d", p->o.latent_count, p->o.map_count, WEFT_OBJECTIVE_LATENTS);
    p->o.arena = &p->kind;
    const char **columns = weft_arena_new(&p->kind, sizeof *columns * (size_t) columns_of(p));
    if (!columns) return WEFT_ERR_MEMORY;
    columns[0] = "loss";
    memcpy(columns + 1, p->o.names, sizeof *columns * (size_t) p->o.loss_count);
    p->columns = columns;
    WEFT_TRY(weft_objective_targets(&p->o, &p->targets));
    WEFT_TRY(weft_objective_render(&p->o, p->o.source.model, &p->render_model));
    WEFT_TRY(weft_objective_model(&p->o, p->targets, &objective));
    const weft_result r = make_search(p, objective);
    weft_model_destroy(&objective);
    if (r != WEFT_OK) return r;
    if (p->targets) WEFT_TRY(weft_session_create(p->dev, p->targets, NULL, &p->features));
    return weft_session_create(p->dev, p->render_model, NULL, &p->render);
}

static weft_result prepare_kind(weft_inverter *p, const weft_invert_job *job)
{
    const int segments = job->segment_count ? job->segment_count : 1;
    const bool blended = job->segment_count > 0, masked = job->mask != NULL;
    if (p->made && p->o.segments == segments && p->o.blended == blended && p->o.masked == masked) return WEFT_OK;
    const int64_t start = weft_nanoseconds();
    drop_kind(p);
    p->o.segments = segments, p->o.blended = blended, p->o.masked = masked;
    const weft_result r = make_kind(p);
    if (r != WEFT_OK) return drop_kind(p), r;
    p->made = true;
    p->build_ns += weft_nanoseconds() - start;
    return WEFT_OK;
}

// --- Inputs. -----------------------------------------------------------------------------------------------------

static void know(struct run *r, const char *name, const void *data, int64_t count)
{
    if (r->known_count < MOST_INPUTS) r->known[r->known_count++] = (weft_io) { name, (void *) (uintptr_t) data, sizeof(float) * (size_t) count };
}

static weft_result inputs_of(const struct run *r, const weft_session *s, weft_io in[MOST_INPUTS], int *count)
{
    const weft_port *ports;
    *count = weft_session_inputs(s, &ports);
    if (*count > MOST_INPUTS) return weft_fail(WEFT_ERR_UNSUPPORTED, "an inversion with more than %d inputs", MOST_INPUTS);
    for (int i = 0; i < *count; i++) {
        int k = 0;
        while (k < r->known_count && strcmp(r->known[k].port, ports[i].name)) k++;
        if (k == r->known_count) return weft_fail(WEFT_ERR_ARGUMENT, "nothing is known for input '%s'", ports[i].name);
        in[i] = r->known[k];
    }
    return WEFT_OK;
}

static weft_result find_features(struct run *r)
{
    const weft_port *out;
    weft_io in[MOST_INPUTS], to[MOST_INPUTS];
    int count;
    if (!r->p->features) return WEFT_OK;
    WEFT_TRY(inputs_of(r, r->p->features, in, &count));
    const int outs = weft_session_outputs(r->p->features, &out);
    if (outs > MOST_INPUTS) return weft_fail(WEFT_ERR_UNSUPPORTED, "more than %d features", MOST_INPUTS);
    for (int i = 0; i < outs; i++) {
        const int64_t size = weft_count_of(out[i].shape);
        float *data = weft_arena_new(&r->arena, sizeof *data * (size_t) size);
        if (!data) return WEFT_ERR_MEMORY;
        to[i] = (weft_io) { out[i].name, data, sizeof *data * (size_t) size };
        know(r, out[i].name, data, size);
    }
    WEFT_TRY(weft_session_run(r->p->features, in, count, to, outs));
    for (int i = 0; i < outs; i++)
        for (size_t k = 0; k < to[i].bytes / sizeof(float); k++)
            if (!isfinite(((const float *) to[i].data)[k]))
                return weft_fail(WEFT_ERR_NUMERIC, "the network of a loss gives NaN or infinity for the photo (%s)", to[i].port);
    return WEFT_OK;
}

static weft_result collect_inputs(struct run *r)
{
    const weft_objective *o = &r->p->o;
    const int64_t area = (int64_t) r->fit.width * r->fit.height;
    know(r, "target", r->fit.target, 3 * area);
    if (r->fit.mask) know(r, "mask", r->fit.mask, area);
    if (r->fit.segments) know(r, "segments", r->fit.segments, o->segments * area);
    for (int i = 0; i < o->latent_count + o->map_count; i++) {
        const bool map = i >= o->latent_count;
        const int64_t count = map ? weft_count_of(o->maps[i - o->latent_count].shape) : o->segments * weft_count_of(o->latents[i].shape);
        float *data = weft_arena_new(&r->arena, sizeof *data * (size_t) count);
        if (!data) return WEFT_ERR_MEMORY;
        if (map) r->maps[i - o->latent_count] = data;
        else r->latents[i] = data;
        know(r, map ? o->maps[i - o->latent_count].name : o->latents[i].name, data, count);
    }
    return find_features(r);
}

// --- Pictures on the way. -----------------------------------------------------------------------------------------

// From the latents and maps as they are in r.
static weft_result render(struct run *r, weft_session *s, float *image, float *ws)
{
    weft_io in[MOST_INPUTS], out[2];
    const weft_port *ports;
    int count;
    WEFT_TRY(inputs_of(r, s, in, &count));
    const int outs = weft_session_outputs(s, &ports);
    for (int i = 0; i < outs; i++) out[i] = (weft_io) { ports[i].name, i ? ws : image, sizeof(float) * (size_t) weft_count_of(ports[i].shape) };
    WEFT_TRY(weft_session_run(s, in, count, out, ws ? outs : 1));
    const size_t numbers = out[0].bytes / sizeof *image;
    for (size_t i = 0; i < numbers; i++)
        if (!isfinite(image[i])) return weft_fail(WEFT_ERR_NUMERIC, "the generator gives NaN or infinity for the latents that were found");
    return WEFT_OK;
}

static weft_result fetch_variables(struct run *r)
{
    const weft_objective *o = &r->p->o;
    weft_session *s = r->p->stages[0].session;
    for (int i = 0; i < o->latent_count; i++)
        WEFT_TRY(weft_session_get_state(s, o->latents[i].name, r->latents[i], sizeof(float) * (size_t) (o->segments * weft_count_of(o->latents[i].shape))));
    for (int i = 0; i < o->map_count; i++)
        WEFT_TRY(weft_session_get_state(s, o->maps[i].name, r->maps[i], sizeof(float) * (size_t) weft_count_of(o->maps[i].shape)));
    return WEFT_OK;
}

static int frames_of(const weft_inverter *p) { return p->params.frames < 0 ? 0 : p->params.frames; }

// The step at which frame k is taken.
static int frame_step(const weft_inverter *p, int k)
{
    const int frames = frames_of(p);
    return frames < 2 ? p->params.steps : (int) ((int64_t) p->params.steps * k / (frames - 1));
}

static int next_frame(const weft_inverter *p, int done) // the first step behind `done` at which one is taken
{
    for (int k = 0; k < frames_of(p); k++)
        if (frame_step(p, k) > done) return frame_step(p, k);
    return p->params.steps;
}

// How many should have been taken by then.
static int frames_due(const weft_inverter *p, int done)
{
    int due = 0;
    for (int k = 0; k < frames_of(p); k++) due += frame_step(p, k) <= done && (!k || frame_step(p, k) != frame_step(p, k - 1));
    return due;
}

static weft_result take_frame(struct run *r)
{
    const size_t area = (size_t) r->fit.width * (size_t) r->fit.height;
    float *image = weft_new(r->p->ctx, sizeof *image * 3 * area);
    weft_result result = image ? fetch_variables(r) : WEFT_ERR_MEMORY;
    if (result == WEFT_OK) result = render(r, r->p->render, image, NULL);
    if (result == WEFT_OK) result = weft_sheet_add(&r->sheet, image);
    weft_delete(r->p->ctx, image);
    return result;
}

// --- Checkpoints. ------------------------------------------------------------------------------------------------

static uint64_t mix_model(uint64_t h, const weft_model *m)
{
    const weft_port *out;
    weft_model_facts facts = { 0 };
    if (!m) return h;
    for (int e = 0; e < weft_model_entry_count(m); e++) {
        const int count = weft_model_outputs(m, e, &out);
        if (weft_model_measure(m, e, NULL, 0, &facts) == WEFT_OK) h = weft_fnv(h, &facts.flops, sizeof facts.flops);
        for (int i = 0; i < count; i++) h = weft_fnv(h, out[i].name, strlen(out[i].name));
    }
    return h;
}

// What an inversion's numbers depend on, in a word.
static void make_key(struct run *r)
{
    const weft_invert_params *p = &r->p->params;
    const weft_objective *o = &r->p->o;
    const double numbers[] = { p->space, p->maps, p->precision, p->steps, p->rate, p->rampup, p->rampdown, p->latent_noise, p->latent_noise_ramp,
                               p->clip_norm, p->samples, p->seed, p->class_index, p->tune, p->tune_rate, p->tune_stop_loss, p->stop_loss, p->patience, p->check_every,
                               o->segments, r->fit.mask != NULL };
    uint64_t h = weft_fnv(WEFT_FNV_BEGIN, numbers, sizeof numbers);
    h = mix_model(h, o->source.model);
    for (int i = 0; i < o->loss_count; i++) {
        const weft_loss *l = &o->losses[i];
        const double term[] = { l->kind, l->weight, l->levels, l->width, l->most };
        h = mix_model(weft_fnv(h, term, sizeof term), l->model);
        for (int k = 0; k < l->tap_count; k++) h = weft_fnv(h, l->taps[k], strlen(l->taps[k]));
        if (l->embedding) h = weft_fnv(h, l->embedding, l->embedding_count * sizeof *l->embedding);
    }
    for (int i = 0; i < r->known_count; i++) h = weft_fnv(h, r->known[i].data, r->known[i].bytes); // photo, masks, start
    snprintf(r->key, sizeof r->key, "%016llx", (unsigned long long) h);
}

static weft_result state_array(weft_arena *a, weft_session *s, const weft_port *port, weft_array *to)
{
    const size_t bytes = sizeof(float) * (size_t) weft_count_of(port->shape);
    float *data = weft_arena_new(a, bytes);
    *to = (weft_array) { weft_arena_print(a, "state/%s", port->name), port->shape, data };
    if (!data || !to->name) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_session_get_state(s, port->name, data, bytes));
    for (size_t i = 0; i < bytes / sizeof *data; i++)
        if (!isfinite(data[i])) return weft_fail(WEFT_ERR_NUMERIC, "'%s' holds NaN or infinity", port->name);
    return WEFT_OK;
}

static weft_result save_to(struct run *r, weft_arena *a)
{
    const weft_objective *o = &r->p->o;
    weft_session *s = r->p->stages[r->stage].session;
    const weft_port *states;
    const int state_count = weft_session_states(s, &states);
    weft_array *arrays = weft_arena_new(a, sizeof *arrays * (size_t) (state_count + o->latent_count + o->map_count + r->sheet.count + 2));
    int n = 0;
    if (!arrays) return WEFT_ERR_MEMORY;
    for (int i = 0; i < state_count; i++) WEFT_TRY(state_array(a, s, &states[i], &arrays[n++]));
    for (int i = 0; i < r->sheet.count; i++)
        arrays[n++] = (weft_array) { weft_arena_print(a, "frame/%d", i), WEFT_SHAPE(3, r->sheet.height, r->sheet.width), r->sheet.frames[i] };
    for (int i = 0; r->stage && i < o->latent_count + o->map_count; i++) {
        const bool map = i >= o->latent_count;
        const weft_latent *l = &o->latents[map ? 0 : i];
        const weft_port *m = map ? &o->maps[i - o->latent_count] : NULL;
        const int64_t count = map ? weft_count_of(m->shape) : o->segments * weft_count_of(l->shape);
        arrays[n++] = (weft_array) { weft_arena_print(a, "found/%s", map ? m->name : l->name), WEFT_SHAPE(count), map ? r->maps[i - o->latent_count] : r->latents[i] };
    }
    if (r->stage) arrays[n++] = (weft_array) { "log", WEFT_SHAPE(r->done[0], columns_of(r->p)), r->log[0] };
    for (int i = 0; i < n; i++)
        if (!arrays[i].name) return WEFT_ERR_MEMORY;
    return weft_checkpoint_save(r->p->ctx, &(weft_checkpoint) { r->key, r->stage, r->done[r->stage], r->stopped, arrays, n }, r->job->checkpoint);
}

static weft_result save(struct run *r)
{
    weft_arena a = { .ctx = r->p->ctx };
    if (!r->job->checkpoint) return WEFT_OK;
    const weft_result result = save_to(r, &a);
    weft_arena_free(&a);
    return result;
}

static const weft_array *in_checkpoint(const weft_checkpoint *c, const char *kind, const char *name)
{
    const size_t n = strlen(kind);
    for (int i = 0; i < c->array_count; i++)
        if (!strncmp(c->arrays[i].name, kind, n) && !strcmp(c->arrays[i].name + n, name)) return &c->arrays[i];
    return NULL;
}

static weft_result take(const weft_checkpoint *c, const char *kind, const char *name, float *to, int64_t count)
{
    const weft_array *a = in_checkpoint(c, kind, name);
    if (!a || weft_count_of(a->shape) != count) return weft_fail(WEFT_ERR_FORMAT, "the checkpoint has no '%s%s' of %lld numbers", kind, name, (long long) count);
    memcpy(to, a->data, sizeof *to * (size_t) count);
    return WEFT_OK;
}

static weft_result restore_states(const struct run *r, const weft_checkpoint *c)
{
    weft_session *s = r->p->stages[r->stage].session;
    const weft_port *states;
    const int count = weft_session_states(s, &states);
    for (int i = 0; i < count; i++) {
        const weft_array *a = in_checkpoint(c, "state/", states[i].name);
        if (!a) return weft_fail(WEFT_ERR_FORMAT, "the checkpoint has no 'state/%s'", states[i].name);
        WEFT_TRY(weft_session_set_state(s, states[i].name, a->data, sizeof(float) * (size_t) weft_count_of(a->shape)));
    }
    return WEFT_OK;
}

static weft_result restore_rest(struct run *r, const weft_checkpoint *c)
{
    const weft_objective *o = &r->p->o;
    for (int i = 0; i < frames_of(r->p); i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        const weft_array *frame = in_checkpoint(c, "frame/", name);
        if (frame) WEFT_TRY(weft_sheet_add_small(&r->sheet, frame->data, weft_count_of(frame->shape)));
    }
    if (!r->stage) return WEFT_OK;
    for (int i = 0; i < o->latent_count; i++) WEFT_TRY(take(c, "found/", o->latents[i].name, r->latents[i], o->segments * weft_count_of(o->latents[i].shape)));
    for (int i = 0; i < o->map_count; i++) WEFT_TRY(take(c, "found/", o->maps[i].name, r->maps[i], weft_count_of(o->maps[i].shape)));
    const weft_array *log = in_checkpoint(c, "log", "");
    if (!log || log->shape.rank != 2 || log->shape.dim[1] != columns_of(r->p) || log->shape.dim[0] > r->p->params.steps)
        return weft_fail(WEFT_ERR_FORMAT, "the checkpoint's log does not fit");
    r->done[0] = (int) log->shape.dim[0];
    memcpy(r->log[0], log->data, sizeof(float) * (size_t) weft_count_of(log->shape));
    return WEFT_OK;
}

static weft_result resume(struct run *r)
{
    weft_checkpoint c;
    bool there = false;
    if (!r->job->checkpoint || !r->job->resume) return WEFT_OK;
    WEFT_TRY(weft_checkpoint_load(&r->arena, r->job->checkpoint, r->key, &c, &there));
    if (!there) return WEFT_OK;
    if (c.stage > (r->p->params.tune > 0) || c.done > (c.stage ? r->p->params.tune : r->p->params.steps))
        return weft_fail(WEFT_ERR_FORMAT, "%s: the checkpoint says step %d of stage %d, which there is not", r->job->checkpoint, c.done, c.stage);
    r->stage = c.stage, r->done[c.stage] = c.done, r->stopped = c.stopped;
    if (r->stage) WEFT_TRY(make_tuning(r->p));
    weft_result result = restore_states(r, &c);
    if (result == WEFT_OK) result = restore_rest(r, &c);
    return result == WEFT_OK ? WEFT_OK : weft_fail_prefix(result, "%s: ", r->job->checkpoint);
}

// --- The loop. ---------------------------------------------------------------------------------------------------

static weft_result read_log(struct run *r)
{
    const stage *s = &r->p->stages[r->stage];
    return weft_session_get_state(s->session, "log", r->log[r->stage], sizeof(float) * (size_t) s->steps * (size_t) columns_of(r->p));
}

static weft_result check_losses(const struct run *r, int from)
{
    const int columns = columns_of(r->p);
    for (int i = from; i < r->done[r->stage]; i++)
        for (int k = columns - 1; k >= 0; k--) { // the terms tell more than their sum
            const float v = r->log[r->stage][i * columns + k];
            if (isfinite(v)) continue;
            return weft_fail(WEFT_ERR_NUMERIC, "%s %d: the %s%s is %s; %s%s", r->stage ? "tuning step" : "step", i + 1, k ? "term " : "", r->p->columns[k],
                             v != v ? "NaN" : "infinite", r->job->checkpoint ? "the last checkpoint is as it was; " : "",
                             r->p->params.precision != WEFT_EXACT ? "try precision exact" : "try a smaller learning rate");
        }
    return WEFT_OK;
}

// Whether losses up to step `to` say stop.
static bool should_stop(struct run *r, int from, int to)
{
    const weft_invert_params *p = &r->p->params;
    for (int i = from; i < to; i++) {
        const double loss = r->log[r->stage][i * columns_of(r->p)];
        const double enough = r->stage ? p->tune_stop_loss : p->stop_loss;
        if (i == 0 || loss < r->best * (1 - LEAST_GAIN)) r->best = loss, r->best_step = i;
        if (enough > 0 && loss < enough) return true;
    }
    return !r->stage && p->patience > 0 && to - r->best_step > p->patience;
}

static double speed(const struct run *r) { return r->here && r->run_ns ? r->here / (1e-9 * (double) r->run_ns) : 0; }

static weft_result report(const struct run *r)
{
    const weft_inverter *p = r->p;
    const int done = r->done[r->stage];
    if (!p->params.progress) return WEFT_OK;
    const weft_invert_progress now = {
        .step = done, .steps = p->stages[r->stage].steps, .tuning = r->stage, .loss_count = columns_of(p), .loss_names = p->columns,
        .losses = r->log[r->stage] + (done - 1) * columns_of(p), .steps_per_second = speed(r),
    };
    return p->params.progress(p->params.progress_user, &now) ? weft_fail(WEFT_ERR_CANCELLED, "stopped after step %d", done) : WEFT_OK;
}

// As many steps as may go without a look: to the next check, frame or checkpoint, but not for long.
static int next_chunk(const struct run *r)
{
    const weft_inverter *p = r->p;
    const int done = r->done[r->stage], steps = p->stages[r->stage].steps, check = p->params.check_every, save_every = p->params.checkpoint_every;
    int end = (done / check + 1) * check;
    if (end > steps) end = steps;
    if (!r->stage && next_frame(p, done) < end) end = next_frame(p, done);
    if (r->job->checkpoint && (done / save_every + 1) * save_every < end) end = (done / save_every + 1) * save_every;
    const double patient = speed(r) * REPORT_SECONDS;
    const int most = r->here ? patient < 1 ? 1 : patient > 1e6 ? 1000000 : (int) patient : 1;
    return end - done < most ? end - done : most;
}

static weft_result do_chunk(struct run *r, int count)
{
    weft_session *s = r->p->stages[r->stage].session;
    const int64_t start = weft_nanoseconds();
    if (!r->here) { // the inputs go up with the first
        weft_io in[MOST_INPUTS];
        int inputs;
        WEFT_TRY(inputs_of(r, s, in, &inputs));
        WEFT_TRY(weft_session_run(s, in, inputs, NULL, 0));
        count = 1;
    } else WEFT_TRY(weft_session_repeat(s, count));
    r->done[r->stage] += count, r->here += count;
    r->run_ns += weft_nanoseconds() - start;
    return read_log(r);
}

static weft_result cancelled(struct run *r, weft_result why) // a stop is no reason to lose what was found
{
    char text[256];
    snprintf(text, sizeof text, "%s", weft_error_text());
    const weft_result r2 = save(r);
    return r2 == WEFT_OK ? weft_fail(why, "%s", text) : r2;
}

static weft_result go_stage(struct run *r)
{
    weft_inverter *p = r->p;
    const stage *s = &p->stages[r->stage];
    int checked = 0; // steps whose losses have been looked at
    r->here = 0, r->run_ns = 0;
    if (r->done[r->stage]) WEFT_TRY(read_log(r));
    for (;;) {
        const int done = r->done[r->stage], check = p->params.check_every;
        WEFT_TRY(check_losses(r, checked));
        const int whole = done == s->steps ? done : done / check * check;
        const bool stop = done < s->steps && whole > checked && should_stop(r, checked, whole);
        checked = whole > checked ? whole : checked;
        r->stopped |= stop && !r->stage;
        if (!r->stage && frames_due(p, done) > r->sheet.count) WEFT_TRY(take_frame(r));
        if (done == s->steps || stop) return WEFT_OK;
        if (r->here && r->job->checkpoint && done % p->params.checkpoint_every == 0) WEFT_TRY(save(r));
        WEFT_TRY(do_chunk(r, next_chunk(r)));
        WEFT_TRY(check_losses(r, done));
        const weft_result asked = report(r);
        if (asked != WEFT_OK) return cancelled(r, asked);
    }
}

static weft_result start_search(struct run *r)
{
    const weft_objective *o = &r->p->o;
    weft_session *s = r->p->stages[0].session;
    WEFT_TRY(weft_session_set_state(s, NULL, NULL, 0));
    for (int i = 0; i < o->latent_count; i++)
        WEFT_TRY(weft_session_set_state(s, o->latents[i].name, r->latents[i], sizeof(float) * (size_t) (o->segments * weft_count_of(o->latents[i].shape))));
    for (int i = 0; i < o->map_count; i++)
        WEFT_TRY(weft_session_set_state(s, o->maps[i].name, r->maps[i], sizeof(float) * (size_t) weft_count_of(o->maps[i].shape)));
    return WEFT_OK;
}

static void measure(struct run *r, int stage_index)
{
    weft_session_facts f;
    weft_invert_facts *to = &r->v->facts;
    weft_session_measure(r->p->stages[stage_index].session, &f);
    const size_t bytes = f.weight_bytes + f.workspace_bytes + f.state_bytes;
    if (bytes > to->bytes) to->bytes = bytes;
    if (!stage_index || r->p->params.tune > 0) to->run_ns += r->run_ns;
    if (!stage_index) to->dispatches = f.dispatches, to->submissions = f.submissions, to->steps_per_second = speed(r);
}

static weft_result search(struct run *r)
{
    WEFT_TRY(start_search(r));
    WEFT_TRY(resume(r));
    if (r->stage == 0) {
        WEFT_TRY(go_stage(r));
        WEFT_TRY(fetch_variables(r));
        measure(r, 0);
    }
    if (r->p->params.tune <= 0) return save(r);
    if (r->stage == 0) {
        WEFT_TRY(save(r));
        WEFT_TRY(make_tuning(r->p));
        r->stage = 1;
        WEFT_TRY(weft_session_set_state(r->p->stages[1].session, NULL, NULL, 0));
    }
    WEFT_TRY(go_stage(r));
    measure(r, 1);
    return save(r);
}

// --- What is given back. -----------------------------------------------------------------------------------------

static float *keep_copy(weft_inversion *v, const float *data, int64_t count)
{
    return weft_arena_copy(v->arena, data, sizeof *data * (size_t) count);
}

static weft_result add_array(weft_inversion *v, const char *name, weft_shape shape, const float *data)
{
    const weft_array a = { weft_arena_text(v->arena, name), shape, keep_copy(v, data, weft_count_of(shape)) };
    if (!a.name || !a.data) return WEFT_ERR_MEMORY;
    v->arrays[v->array_count++] = a;
    return WEFT_OK;
}

static weft_result keep_arrays(struct run *r, const float *ws)
{
    const weft_objective *o = &r->p->o;
    weft_inversion *v = r->v;
    v->arrays = weft_arena_new(v->arena, sizeof *v->arrays * (size_t) (o->latent_count + o->map_count + 1));
    if (!v->arrays) return WEFT_ERR_MEMORY;
    if (o->space != WEFT_SPACE_S) WEFT_TRY(add_array(v, "w", (weft_shape) WEFT_SHAPE(o->segments, o->source.info.layers, o->source.info.w), ws));
    for (int i = 0; i < o->latent_count; i++) {
        const weft_shape *s = &o->latents[i].shape;
        if (!strcmp(o->latents[i].name, "w")) continue;
        WEFT_TRY(add_array(v, o->latents[i].name, (weft_shape) WEFT_SHAPE(o->segments, s->dim[0]), r->latents[i]));
    }
    for (int i = 0; i < o->map_count; i++) WEFT_TRY(add_array(v, o->maps[i].name, o->maps[i].shape, r->maps[i]));
    return WEFT_OK;
}

static weft_result keep_log(struct run *r)
{
    weft_inversion *v = r->v;
    const int columns = columns_of(r->p);
    const char **names = weft_arena_new(v->arena, sizeof *names * (size_t) columns);
    v->rows = r->done[0] + r->done[1], v->columns = columns, v->names = names;
    v->log = weft_arena_new(v->arena, sizeof *v->log * (size_t) (v->rows * columns + 1));
    if (!names || !v->log) return WEFT_ERR_MEMORY;
    for (int i = 0; i < columns; i++)
        if (!(names[i] = weft_arena_text(v->arena, r->p->columns[i]))) return WEFT_ERR_MEMORY;
    memcpy(v->log, r->log[0], sizeof *v->log * (size_t) (r->done[0] * columns));
    if (r->done[1]) memcpy(v->log + r->done[0] * columns, r->log[1], sizeof *v->log * (size_t) (r->done[1] * columns));
    return WEFT_OK;
}

// The generator with the weights that were found, and a session of it.
static weft_result make_tuned(struct run *r, weft_session **s)
{
    const stage *t = &r->p->stages[1];
    const weft_port *states;
    const int count = weft_session_states(t->session, &states);
    weft_model *render_model;
    weft_array *weights = weft_arena_new(&r->arena, sizeof *weights * (size_t) t->variable_count);
    if (!weights) return WEFT_ERR_MEMORY;
    for (int i = 0; i < t->variable_count; i++) {
        int k = 0;
        while (k < count && strcmp(states[k].name, t->variables[i])) k++;
        if (k == count) return weft_fail(WEFT_ERR_ARGUMENT, "weight '%s' was not tuned", t->variables[i]);
        WEFT_TRY(state_array(&r->arena, t->session, &states[k], &weights[i]));
        weights[i].name = t->variables[i];
    }
    WEFT_TRY(weft_tuned_model(r->p->ctx, r->p->o.source.model, weights, t->variable_count, &r->v->generator));
    WEFT_TRY(weft_objective_render(&r->p->o, r->v->generator, &render_model));
    const weft_result result = weft_session_create(r->p->dev, render_model, NULL, s);
    weft_model_destroy(&render_model);
    return result;
}

static weft_result keep_pictures(struct run *r, const float *image)
{
    weft_inversion *v = r->v;
    const int w = r->fit.width, h = r->fit.height;
    WEFT_TRY(weft_fit_image(v->ctx, image, w, h, &v->image));
    WEFT_TRY(weft_fit_image(v->ctx, r->fit.target, w, h, &v->target));
    if (r->job->fill && r->job->mask) WEFT_TRY(weft_fit_fill(&r->fit, r->job, image, &v->filled));
    if (!frames_of(r->p)) return WEFT_OK;
    if (r->p->params.tune > 0 || r->stopped) WEFT_TRY(weft_sheet_add(&r->sheet, image));
    return weft_sheet_image(&r->sheet, r->fit.target, &v->sheet);
}

static weft_result finish(struct run *r)
{
    const weft_inverter *p = r->p;
    const size_t area = (size_t) r->fit.width * (size_t) r->fit.height;
    float *image = weft_arena_new(&r->arena, sizeof *image * 3 * area);
    float *ws = weft_arena_new(&r->arena, sizeof *ws * (size_t) (p->o.segments * p->o.source.info.layers * p->o.source.info.w));
    weft_session *tuned = NULL;
    if (!image || !ws) return WEFT_ERR_MEMORY;
    if (p->params.tune > 0) WEFT_TRY(make_tuned(r, &tuned));
    weft_result result = render(r, tuned ? tuned : p->render, image, ws);
    weft_session_destroy(&tuned);
    if (result == WEFT_OK) result = keep_pictures(r, image);
    if (result == WEFT_OK) result = keep_arrays(r, ws);
    if (result == WEFT_OK) result = keep_log(r);
    weft_invert_facts *f = &r->v->facts;
    f->steps = r->done[0], f->tune_steps = r->done[1], f->stopped = r->stopped, f->build_ns = p->build_ns;
    const int crop[] = { r->fit.part.x, r->fit.part.y, r->fit.part.w, r->fit.part.h };
    memcpy(f->crop, crop, sizeof crop);
    return result;
}

static weft_result new_inversion(weft_context *ctx, weft_inversion **out)
{
    weft_inversion *v = weft_new(ctx, sizeof *v);
    if (!v) return WEFT_ERR_MEMORY;
    v->ctx = ctx, v->arena = weft_new(ctx, sizeof *v->arena);
    if (!v->arena) return weft_delete(ctx, v), WEFT_ERR_MEMORY;
    v->arena->ctx = ctx;
    *out = v;
    return WEFT_OK;
}

void weft_inversion_free(weft_inversion *v)
{
    weft_image_free(v->image);
    weft_image_free(v->filled);
    weft_image_free(v->target);
    weft_image_free(v->sheet);
    weft_model_destroy(&v->generator);
    weft_arena_free(v->arena);
    weft_delete(v->ctx, v->arena);
    weft_delete(v->ctx, v);
}

static weft_result go(struct run *r)
{
    weft_inverter *p = r->p;
    for (int i = 0; i < 2; i++) {
        const int steps = i ? p->params.tune > 0 ? p->params.tune : 0 : p->params.steps;
        r->log[i] = weft_arena_new(&r->arena, sizeof *r->log[i] * (size_t) ((steps + 1) * columns_of(p)));
        if (!r->log[i]) return WEFT_ERR_MEMORY;
    }
    WEFT_TRY(weft_fit_make(p->ctx, r->job, p->params.stretch, p->o.source.info.width, p->o.source.info.height, &r->fit));
    WEFT_TRY(weft_sheet_make(p->ctx, r->fit.width, r->fit.height, frames_of(p) + 1, &r->sheet));
    WEFT_TRY(prepare_kind(p, r->job));
    WEFT_TRY(collect_inputs(r));
    WEFT_TRY(weft_start_from(&p->o, p->generator, p->dev, r->job, &r->fit, r->latents));
    WEFT_TRY(weft_start_maps(&p->o, r->job, p->params.seed, r->maps));
    make_key(r);
    WEFT_TRY(search(r));
    return finish(r);
}

weft_result weft_invert_go(weft_inverter *p, const weft_invert_job *job, weft_inversion **out)
{
    struct run *r = weft_new(p->ctx, sizeof *r);
    if (!r) return WEFT_ERR_MEMORY;
    r->p = p, r->job = job, r->arena.ctx = p->ctx;
    p->build_ns = 0;
    weft_result result = new_inversion(p->ctx, &r->v);
    if (result == WEFT_OK) result = go(r);
    if (result == WEFT_OK) *out = r->v;
    else if (r->v) weft_inversion_free(r->v);
    weft_fit_free(&r->fit);
    weft_sheet_free(&r->sheet);
    weft_arena_free(&r->arena);
    weft_delete(p->ctx, r);
    return result;
}

// --- The inverter. -----------------------------------------------------------------------------------------------

static double usual(double v, double otherwise) { return v == 0 ? otherwise : v < 0 ? 0 : v; }

static void set_defaults(weft_invert_params *p)
{
    p->steps = p->steps ? p->steps : DEFAULT_STEPS;
    p->rate = p->rate ? p->rate : 0.1;
    p->rampup = usual(p->rampup, 0.05), p->rampdown = usual(p->rampdown, 0.25);
    p->latent_noise = usual(p->latent_noise, 0.05), p->latent_noise_ramp = usual(p->latent_noise_ramp, 0.75);
    p->noise_weight = usual(p->noise_weight, 1e5);
    p->samples = p->samples ? p->samples : DEFAULT_SAMPLES;
    p->tune_rate = p->tune_rate ? p->tune_rate : 3e-4;
    p->check_every = p->check_every ? p->check_every : DEFAULT_CHECK;
    p->checkpoint_every = p->checkpoint_every ? p->checkpoint_every : DEFAULT_CHECKPOINT;
    p->frames = p->frames ? p->frames : DEFAULT_FRAMES;
}

// The caller's terms, or the usual ones, and the regularisation that noise maps want.
static weft_result copy_losses(weft_inverter *p)
{
    static const weft_loss pixels[] = { { WEFT_LOSS_L1, 0.5, 1 }, { WEFT_LOSS_L2, 0.5, 0 } };
    const weft_loss *from = p->params.loss_count ? p->params.losses : pixels;
    const int count = p->params.loss_count ? p->params.loss_count : 2;
    bool has_noise = false;
    p->o.losses = weft_arena_new(&p->arena, sizeof *p->o.losses * (size_t) (count + 1));
    if (!p->o.losses) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) p->o.losses[i] = from[i], has_noise |= from[i].kind == WEFT_LOSS_NOISE;
    p->o.loss_count = count;
    if (p->params.maps == WEFT_MAPS_OPTIMIZE && !has_noise && p->params.noise_weight > 0)
        p->o.losses[p->o.loss_count++] = (weft_loss) { .kind = WEFT_LOSS_NOISE, .weight = p->params.noise_weight };
    return WEFT_OK;
}

static weft_result read_maps(weft_objective *o)
{
    const weft_port *in;
    const weft_source *g = &o->source;
    if (o->maps_mode == WEFT_MAPS_CONST) return WEFT_OK;
    if (o->maps_mode == WEFT_MAPS_NONE && g->synthesis_none < 0 && o->space != WEFT_SPACE_S)
        return weft_fail(WEFT_ERR_ARGUMENT, "the generator cannot go without noise: it has no entry `synthesis_none`");
    if ((o->maps_mode == WEFT_MAPS_OPTIMIZE || o->space == WEFT_SPACE_S) && g->synthesis_noise < 0)
        return weft_fail(WEFT_ERR_ARGUMENT, "the generator's noise cannot be set: it has no entry `synthesis_noise`");
    if (o->maps_mode == WEFT_MAPS_NONE) return WEFT_OK;
    o->map_count = weft_model_inputs(g->model, g->synthesis_noise, &in) - 1;
    o->maps = in + 1;
    return WEFT_OK;
}

static weft_result set_up(weft_inverter *p, const weft_model *generator)
{
    weft_objective *o = &p->o;
    const weft_invert_params *is = &p->params;
    WEFT_TRY(weft_device_open(p->ctx, &(weft_device_params) { .name = "cpu" }, &p->host));
    WEFT_TRY(weft_generator_new(p->ctx, p->host, generator, &(weft_generator_params) { .batch = WEFT_START_BATCH }, &p->generator));
    o->ctx = p->ctx, o->arena = &p->arena, o->space = is->space, o->maps_mode = is->maps, o->class_index = is->class_index;
    o->segments = 1, o->latent_noise = is->latent_noise > 0;
    WEFT_TRY(weft_source_read(generator, weft_generator_get_info(p->generator), &o->source));
    if (o->source.info.classes ? is->class_index >= o->source.info.classes : is->class_index > 0)
        return weft_fail(WEFT_ERR_ARGUMENT, "class %d of a generator with %d", is->class_index, o->source.info.classes);
    WEFT_TRY(read_maps(o));
    WEFT_TRY(copy_losses(p));
    WEFT_TRY(weft_objective_check(o));
    return weft_start_latents(o, p->generator, is->samples);
}

weft_result weft_invert_new(weft_context *ctx, weft_device *dev, const weft_model *generator, const weft_invert_params *params, weft_inverter **out)
{
    weft_inverter *p = weft_new(ctx, sizeof *p);
    if (!p) return WEFT_ERR_MEMORY;
    p->ctx = p->arena.ctx = p->kind.ctx = ctx, p->dev = dev, p->params = *params;
    set_defaults(&p->params);
    const weft_result r = set_up(p, generator);
    if (r != WEFT_OK) return weft_invert_free(p), r;
    *out = p;
    return WEFT_OK;
}

void weft_invert_free(weft_inverter *p)
{
    drop_kind(p);
    if (p->generator) weft_generator_free(p->generator);
    weft_device_destroy(&p->host);
    weft_arena_free(&p->arena);
    weft_delete(p->ctx, p);
}
