// SPDX-License-Identifier: MIT
#include "graph/place.h"

// What is written where something else was just read must wait for it. So the memory of small tensors is left alone for some steps after
// their last use, if that takes next to no room: steps that do not depend on each other then need no barrier between them.
static weft_result rest_small_ones(const weft_graph *g, int step_count, int count, const weft_place_params *params, weft_life *lives, weft_plan *plan)
{
    enum { SMALL = 64, REST = 16 };
    weft_plan rested;
    weft_life *longer = weft_arena_new(g->arena, sizeof *longer * (size_t) (count + 1));
    if (!longer) return WEFT_ERR_MEMORY;
    for (int b = 0; b < count; b++) {
        longer[b] = lives[b];
        if (!lives[b].bytes || lives[b].first > lives[b].last || lives[b].bytes > plan->least / SMALL) continue;
        longer[b].last = lives[b].last + REST < step_count ? lives[b].last + REST : step_count;
    }
    WEFT_TRY(weft_plan_blocks(g->arena->ctx, longer, count, params->align, params->block, &rested));
    if ((double) rested.bytes > 1.06 * (double) plan->bytes) return WEFT_OK;
    for (int b = 0; b < count; b++) lives[b].offset = longer[b].offset;
    plan->bytes = rested.bytes;
    return WEFT_OK;
}

weft_result weft_program_plan(const weft_program *p, const weft_graph *g, const weft_state_update *updates, const weft_place_params *params,
                              weft_life *lives, weft_plan *out)
{
    for (int b = 0; b < p->buffer_count; b++) {
        const weft_buffer *f = &p->buffers[b];
        const bool here = f->same_as < 0 && !f->constant && f->first <= f->last;
        lives[b] = (weft_life) { here ? f->bytes : 0, f->first, params->keep && f->value >= 0 ? p->step_count : f->last, 0 };
    }
    for (int i = 0; i < g->state_count; i++) {
        const weft_state_update *u = &updates[i];
        lives[g->states[i].value].bytes = 0;
        if (u->way == WEFT_STATE_IN_PLACE) lives[u->from].bytes = 0;
        else if (u->way != WEFT_STATE_STAYS) lives[weft_program_root(p, u->from)].last = p->step_count;
    }
    for (int i = 0; i < g->input_count && g->state_count; i++) lives[g->inputs[i].value].last = p->step_count;
    WEFT_TRY(weft_plan_blocks(g->arena->ctx, lives, p->buffer_count, params->align, params->block, out));
    return params->tight ? WEFT_OK : rest_small_ones(g, p->step_count, p->buffer_count, params, lives, out);
}
