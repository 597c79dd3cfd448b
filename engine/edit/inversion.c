// SPDX-License-Identifier: MIT
// What an inversion gives back: pictures, arrays, the log, and the generator if it was tuned.
#include "base/status.h"
#include "edit/search.h"
#include "edit/start.h"
#include "edit/tuned.h"
#include <string.h>

weft_result weft_inversion_new(weft_context *ctx, weft_inversion **out)
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

static weft_result keep_arrays(weft_search *r, const float *ws)
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

static weft_result keep_log(weft_search *r)
{
    weft_inversion *v = r->v;
    const int columns = weft_inverter_columns(r->p);
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
static weft_result make_tuned(weft_search *r, weft_session **s)
{
    const weft_stage *t = &r->p->stages[1];
    const weft_port *states;
    const int count = weft_session_states(t->session, &states);
    weft_model *render_model;
    weft_array *weights = weft_arena_new(&r->arena, sizeof *weights * (size_t) t->variable_count);
    if (!weights) return WEFT_ERR_MEMORY;
    for (int i = 0; i < t->variable_count; i++) {
        int k = 0;
        while (k < count && strcmp(states[k].name, t->variables[i])) k++;
        if (k == count) return weft_fail(WEFT_ERR_ARGUMENT, "weight '%s' was not tuned", t->variables[i]);
        WEFT_TRY(weft_search_state(&r->arena, t->session, &states[k], &weights[i]));
        weights[i].name = t->variables[i];
    }
    WEFT_TRY(weft_tuned_model(r->p->ctx, r->p->o.source.model, weights, t->variable_count, &r->v->generator));
    WEFT_TRY(weft_objective_render(&r->p->o, r->v->generator, &render_model));
    const weft_result result = weft_session_create(r->p->dev, render_model, NULL, s);
    weft_model_destroy(&render_model);
    return result;
}

static weft_result keep_pictures(weft_search *r, const float *image)
{
    weft_inversion *v = r->v;
    const int w = r->fit.width, h = r->fit.height;
    WEFT_TRY(weft_fit_image(v->ctx, image, w, h, &v->image));
    WEFT_TRY(weft_fit_image(v->ctx, r->fit.target, w, h, &v->target));
    if (r->job->fill && r->job->mask) WEFT_TRY(weft_fit_fill(&r->fit, r->job, image, &v->filled));
    if (!weft_inverter_frames(r->p)) return WEFT_OK;
    if (r->p->params.tune > 0 || r->stopped) WEFT_TRY(weft_sheet_add(&r->sheet, image));
    return weft_sheet_image(&r->sheet, r->fit.target, &v->sheet);
}

weft_result weft_search_finish(weft_search *r)
{
    const weft_inverter *p = r->p;
    const size_t area = (size_t) r->fit.width * (size_t) r->fit.height;
    float *image = weft_arena_new(&r->arena, sizeof *image * 3 * area);
    float *ws = weft_arena_new(&r->arena, sizeof *ws * (size_t) (p->o.segments * p->o.source.info.layers * p->o.source.info.w));
    weft_session *tuned = NULL;
    if (!image || !ws) return WEFT_ERR_MEMORY;
    if (p->params.tune > 0) WEFT_TRY(make_tuned(r, &tuned));
    weft_result result = weft_search_render(r, tuned ? tuned : p->render, image, ws);
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
