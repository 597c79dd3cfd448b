// SPDX-License-Identifier: MIT
// One job from photo to inversion.
#include "edit/search.h"
#include "edit/start.h"

static weft_result go(weft_search *r)
{
    weft_inverter *p = r->p;
    for (int i = 0; i < 2; i++) {
        const int steps = i ? p->params.tune > 0 ? p->params.tune : 0 : p->params.steps;
        r->log[i] = weft_arena_new(&r->arena, sizeof *r->log[i] * (size_t) ((steps + 1) * weft_inverter_columns(p)));
        if (!r->log[i]) return WEFT_ERR_MEMORY;
    }
    WEFT_TRY(weft_fit_make(p->ctx, r->job, p->params.stretch, p->o.source.info.width, p->o.source.info.height, &r->fit));
    WEFT_TRY(weft_sheet_make(p->ctx, r->fit.width, r->fit.height, weft_inverter_frames(p) + 1, &r->sheet));
    WEFT_TRY(weft_inverter_prepare(p, r->job));
    WEFT_TRY(weft_search_collect(r));
    WEFT_TRY(weft_start_from(&p->o, p->generator, p->dev, r->job, &r->fit, r->latents));
    WEFT_TRY(weft_start_maps(&p->o, r->job, p->params.seed, r->maps));
    weft_search_key(r);
    WEFT_TRY(weft_search_go(r));
    return weft_search_finish(r);
}

weft_result weft_invert_go(weft_inverter *p, const weft_invert_job *job, weft_inversion **out)
{
    weft_search *r = weft_new(p->ctx, sizeof *r);
    if (!r) return WEFT_ERR_MEMORY;
    r->p = p, r->job = job, r->arena.ctx = p->ctx;
    p->build_ns = 0;
    weft_result result = weft_inversion_new(p->ctx, &r->v);
    if (result == WEFT_OK) result = go(r);
    if (result == WEFT_OK) *out = r->v;
    else if (r->v) weft_inversion_free(r->v);
    weft_fit_free(&r->fit);
    weft_sheet_free(&r->sheet);
    weft_arena_free(&r->arena);
    weft_delete(p->ctx, r);
    return result;
}
