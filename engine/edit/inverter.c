// SPDX-License-Identifier: MIT
// Models and sessions of an inversion: the objective, its step, what the photo looks like to the networks, and the picture alone.
#include "edit/inverter.h"
#include "base/clock.h"
#include "edit/start.h"
#include "edit/tuned.h"
#include <string.h>
#include <weft/optimize.h>

enum { DEFAULT_STEPS = 1000, DEFAULT_SAMPLES = 10000, DEFAULT_CHECK = 25, DEFAULT_CHECKPOINT = 100, DEFAULT_FRAMES = 16 };
static const double FIRST_LOSS_SCALE = 65536;

int weft_inverter_columns(const weft_inverter *p) { return 1 + p->o.loss_count; }

int weft_inverter_frames(const weft_inverter *p) { return p->params.frames < 0 ? 0 : p->params.frames; }

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
        p->stages[i] = (weft_stage) { 0 };
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

static weft_result make_session(weft_inverter *p, weft_stage *s)
{
    return weft_session_create(p->dev, s->model, &(weft_session_params) { .precision = p->params.precision, .max_bytes = p->params.max_bytes }, &s->session);
}

// Gradients of a mean over a picture are too small for f16 as they are.
static double loss_scale(const weft_inverter *p)
{
    return p->params.precision != WEFT_EXACT && weft_device_get_info(p->dev)->f16_storage ? FIRST_LOSS_SCALE : 0;
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
    weft_stage *s = &p->stages[0];
    s->steps = is->steps, s->variables = names, s->variable_count = count;
    const weft_step_params params = {
        .variables = variables, .variable_count = count, .steps = is->steps, .rates = rates, .clip_norm = is->clip_norm, .loss_scale = loss_scale(p),
        .tables = tables, .table_count = o->latent_noise ? o->latent_count : 0, .log = o->names, .log_count = o->loss_count,
    };
    WEFT_TRY(weft_model_step(objective, &params, &s->model));
    return make_session(p, s);
}

weft_result weft_inverter_tuning(weft_inverter *p)
{
    weft_objective still = p->o;
    weft_model *objective;
    weft_stage *s = &p->stages[1];
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
        .loss_scale = loss_scale(p), .log = p->o.names, .log_count = p->o.loss_count,
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
    const char **columns = weft_arena_new(&p->kind, sizeof *columns * (size_t) weft_inverter_columns(p));
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

weft_result weft_inverter_prepare(weft_inverter *p, const weft_invert_job *job)
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
