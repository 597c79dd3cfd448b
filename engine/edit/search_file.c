// SPDX-License-Identifier: MIT
// Checkpoints of a search: all states of its session, frames, and what the first stage found.
#include "base/fnv.h"
#include "base/status.h"
#include "edit/checkpoint.h"
#include "edit/search.h"
#include "edit/start.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

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

void weft_search_key(weft_search *r)
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

weft_result weft_search_state(weft_arena *a, weft_session *s, const weft_port *port, weft_array *to)
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

static weft_result save_to(weft_search *r, weft_arena *a)
{
    weft_session *s = r->p->stages[r->stage].session;
    const weft_port *states;
    const int state_count = weft_session_states(s, &states);
    weft_array *arrays = weft_arena_new(a, sizeof *arrays * (size_t) (state_count + weft_search_variables(r) + r->sheet.count + 2));
    int n = 0;
    if (!arrays) return WEFT_ERR_MEMORY;
    for (int i = 0; i < state_count; i++) WEFT_TRY(weft_search_state(a, s, &states[i], &arrays[n++]));
    for (int i = 0; i < r->sheet.count; i++)
        arrays[n++] = (weft_array) { weft_arena_print(a, "frame/%d", i), WEFT_SHAPE(3, r->sheet.height, r->sheet.width), r->sheet.frames[i] };
    for (int i = 0; r->stage && i < weft_search_variables(r); i++) {
        const weft_variable v = weft_search_variable(r, i);
        arrays[n++] = (weft_array) { weft_arena_print(a, "found/%s", v.name), WEFT_SHAPE(v.count), *v.data };
    }
    if (r->stage) arrays[n++] = (weft_array) { "log", WEFT_SHAPE(r->done[0], weft_inverter_columns(r->p)), r->log[0] };
    for (int i = 0; i < n; i++)
        if (!arrays[i].name) return WEFT_ERR_MEMORY;
    return weft_checkpoint_save(r->p->ctx, &(weft_checkpoint) { r->key, r->stage, r->done[r->stage], r->stopped, arrays, n }, r->job->checkpoint);
}

weft_result weft_search_save(weft_search *r)
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

static weft_result restore_states(const weft_search *r, const weft_checkpoint *c)
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

static weft_result restore_rest(weft_search *r, const weft_checkpoint *c)
{
    for (int i = 0; i < weft_inverter_frames(r->p); i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        const weft_array *frame = in_checkpoint(c, "frame/", name);
        if (frame) WEFT_TRY(weft_sheet_add_small(&r->sheet, frame->data, weft_count_of(frame->shape)));
    }
    if (!r->stage) return WEFT_OK;
    for (int i = 0; i < weft_search_variables(r); i++) {
        const weft_variable v = weft_search_variable(r, i);
        WEFT_TRY(take(c, "found/", v.name, *v.data, v.count));
    }
    const weft_array *log = in_checkpoint(c, "log", "");
    if (!log || log->shape.rank != 2 || log->shape.dim[1] != weft_inverter_columns(r->p) || log->shape.dim[0] > r->p->params.steps)
        return weft_fail(WEFT_ERR_FORMAT, "the checkpoint's log does not fit");
    r->done[0] = (int) log->shape.dim[0];
    memcpy(r->log[0], log->data, sizeof(float) * (size_t) weft_count_of(log->shape));
    return WEFT_OK;
}

weft_result weft_search_resume(weft_search *r)
{
    weft_checkpoint c;
    bool there = false;
    if (!r->job->checkpoint || !r->job->resume) return WEFT_OK;
    WEFT_TRY(weft_checkpoint_load(&r->arena, r->job->checkpoint, r->key, &c, &there));
    if (!there) return WEFT_OK;
    if (c.stage > (r->p->params.tune > 0) || c.done > (c.stage ? r->p->params.tune : r->p->params.steps))
        return weft_fail(WEFT_ERR_FORMAT, "%s: the checkpoint says step %d of stage %d, which there is not", r->job->checkpoint, c.done, c.stage);
    r->stage = c.stage, r->done[c.stage] = c.done, r->stopped = c.stopped;
    if (r->stage) WEFT_TRY(weft_inverter_tuning(r->p));
    weft_result result = restore_states(r, &c);
    if (result == WEFT_OK) result = restore_rest(r, &c);
    return result == WEFT_OK ? WEFT_OK : weft_fail_prefix(result, "%s: ", r->job->checkpoint);
}
