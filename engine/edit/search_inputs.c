// SPDX-License-Identifier: MIT
// What a search gives its sessions: everything that is known, by name.
#include "base/status.h"
#include "edit/search.h"
#include "edit/start.h"
#include <math.h>
#include <string.h>

static void know(weft_search *r, const char *name, const void *data, int64_t count)
{
    if (r->known_count < WEFT_SEARCH_INPUTS) r->known[r->known_count++] = (weft_io) { name, (void *) (uintptr_t) data, sizeof(float) * (size_t) count };
}

weft_result weft_search_inputs(const weft_search *r, const weft_session *s, weft_io in[WEFT_SEARCH_INPUTS], int *count)
{
    const weft_port *ports;
    *count = weft_session_inputs(s, &ports);
    if (*count > WEFT_SEARCH_INPUTS) return weft_fail(WEFT_ERR_UNSUPPORTED, "an inversion with more than %d inputs", WEFT_SEARCH_INPUTS);
    for (int i = 0; i < *count; i++) {
        int k = 0;
        while (k < r->known_count && strcmp(r->known[k].port, ports[i].name)) k++;
        if (k == r->known_count) return weft_fail(WEFT_ERR_ARGUMENT, "nothing is known for input '%s'", ports[i].name);
        in[i] = r->known[k];
    }
    return WEFT_OK;
}

static weft_result find_features(weft_search *r)
{
    const weft_port *out;
    weft_io in[WEFT_SEARCH_INPUTS], to[WEFT_SEARCH_INPUTS];
    int count;
    if (!r->p->features) return WEFT_OK;
    WEFT_TRY(weft_search_inputs(r, r->p->features, in, &count));
    const int outs = weft_session_outputs(r->p->features, &out);
    if (outs > WEFT_SEARCH_INPUTS) return weft_fail(WEFT_ERR_UNSUPPORTED, "more than %d features", WEFT_SEARCH_INPUTS);
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

int weft_search_variables(const weft_search *r) { return r->p->o.latent_count + r->p->o.map_count; }

weft_variable weft_search_variable(weft_search *r, int i)
{
    const weft_objective *o = &r->p->o;
    const int map = i - o->latent_count;
    return map < 0 ? (weft_variable) { o->latents[i].name, &r->latents[i], o->segments * weft_count_of(o->latents[i].shape) }
                   : (weft_variable) { o->maps[map].name, &r->maps[map], weft_count_of(o->maps[map].shape) };
}

weft_result weft_search_collect(weft_search *r)
{
    const weft_objective *o = &r->p->o;
    const int64_t area = (int64_t) r->fit.width * r->fit.height;
    know(r, "target", r->fit.target, 3 * area);
    if (r->fit.mask) know(r, "mask", r->fit.mask, area);
    if (r->fit.segments) know(r, "segments", r->fit.segments, o->segments * area);
    for (int i = 0; i < weft_search_variables(r); i++) {
        const weft_variable v = weft_search_variable(r, i);
        *v.data = weft_arena_new(&r->arena, sizeof(float) * (size_t) v.count);
        if (!*v.data) return WEFT_ERR_MEMORY;
        know(r, v.name, *v.data, v.count);
    }
    return find_features(r);
}

weft_result weft_search_render(weft_search *r, weft_session *s, float *image, float *ws)
{
    weft_io in[WEFT_SEARCH_INPUTS], out[2];
    const weft_port *ports;
    int count;
    WEFT_TRY(weft_search_inputs(r, s, in, &count));
    const int outs = weft_session_outputs(s, &ports);
    for (int i = 0; i < outs; i++) out[i] = (weft_io) { ports[i].name, i ? ws : image, sizeof(float) * (size_t) weft_count_of(ports[i].shape) };
    WEFT_TRY(weft_session_run(s, in, count, out, ws ? outs : 1));
    const size_t numbers = out[0].bytes / sizeof *image;
    for (size_t i = 0; i < numbers; i++)
        if (!isfinite(image[i])) return weft_fail(WEFT_ERR_NUMERIC, "the generator gives NaN or infinity for the latents that were found");
    return WEFT_OK;
}

weft_result weft_search_fetch(weft_search *r)
{
    for (int i = 0; i < weft_search_variables(r); i++) {
        const weft_variable v = weft_search_variable(r, i);
        WEFT_TRY(weft_session_get_state(r->p->stages[0].session, v.name, *v.data, sizeof(float) * (size_t) v.count));
    }
    return WEFT_OK;
}
