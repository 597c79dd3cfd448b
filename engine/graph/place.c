// SPDX-License-Identifier: MIT
#include "graph/place.h"

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
        else if (u->way != WEFT_STATE_STAYS) lives[u->from].last = p->step_count;
    }
    for (int i = 0; i < g->input_count && g->state_count; i++) lives[g->inputs[i].value].last = p->step_count;
    return weft_plan_blocks(g->arena->ctx, lives, p->buffer_count, params->align, params->block, out);
}
