// SPDX-License-Identifier: MIT
#include "graph/state.h"
#include "graph/lower.h"

typedef struct planner {
    const weft_graph *g;
    weft_state_update *out;
    int *last;  // as weft_lower_readers has it
    bool *home; // per root: it is made in the memory of a state
} planner;

static int state_of(const weft_graph *g, weft_value v)
{
    for (int i = 0; i < g->state_count; i++)
        if (g->states[i].value == v) return i;
    return -1;
}

static bool changes(const weft_graph *g, int state)
{
    return g->states[state].next >= 0 && weft_lower_root(g, g->states[state].next) != g->states[state].value;
}

// Wherever the node reads the state, it reads it as what it writes there: of one shape, lying the same way.
static bool reads_as_it_writes(const weft_graph *g, const weft_node *n, weft_value state, weft_value made)
{
    const weft_value_def *to = &g->values[made];
    for (int k = 0; k < n->in_count; k++) {
        if (n->in[k] < 0 || weft_lower_root(g, n->in[k]) != state) continue;
        const weft_value_def *from = &g->values[n->in[k]];
        if (!weft_shape_equal(from->shape, to->shape) || from->storage != to->storage || from->layout != to->layout) return false;
    }
    return true;
}

static bool may_be_made_there(const planner *p, weft_value state, weft_value from)
{
    const weft_graph *g = p->g;
    const int maker = g->values[from].node;
    if (maker < 0 || p->home[from] || p->last[state] > maker) return false;
    if (p->last[state] < maker) return true;
    return g->nodes[maker].op->flags & WEFT_OP_INPLACE && reads_as_it_writes(g, &g->nodes[maker], state, from);
}

weft_result weft_state_plan(const weft_graph *g, bool in_place, weft_arena *arena, weft_state_update *out)
{
    planner p = { g, out, weft_arena_new(arena, sizeof *p.last * (size_t) (g->value_count + 1)),
                  weft_arena_new(arena, (size_t) g->value_count + 1) };
    if (!p.last || !p.home) return WEFT_ERR_MEMORY;
    weft_lower_readers(g, true, p.last);
    for (int i = 0; i < g->state_count; i++) {
        out[i] = (weft_state_update) { .from = -1, .maker = -1 };
        if (!changes(g, i)) continue;
        const weft_value state = g->states[i].value, next = g->states[i].next, from = weft_lower_root(g, next);
        const int other = state_of(g, from);
        out[i].from = next;
        out[i].way = other >= 0 && changes(g, other) ? WEFT_STATE_VIA : WEFT_STATE_COPY;
        if (!in_place || weft_shape_count(g->values[from].shape) != weft_shape_count(g->values[state].shape) || !may_be_made_there(&p, state, from)) continue;
        out[i].way = WEFT_STATE_IN_PLACE;
        out[i].from = from;
        out[i].maker = g->values[from].node;
        p.home[from] = true;
    }
    return WEFT_OK;
}

size_t weft_state_bytes(const weft_graph *g)
{
    size_t bytes = 0;
    for (int i = 0; i < g->state_count; i++) bytes += (size_t) weft_shape_count(g->values[g->states[i].value].shape) * 4;
    return bytes;
}
