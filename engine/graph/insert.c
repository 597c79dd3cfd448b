// SPDX-License-Identifier: MIT
// One graph inside another. Unlike a pass it adds to a graph that has nodes already.
#include "graph/insert.h"
#include <string.h>

typedef struct insertion {
    const weft_graph *from;
    weft_graph *to;
    weft_value *map;
    const char *prefix;
    weft_model *into;
} insertion;

static const char *named(weft_arena *a, const char *prefix, const char *name)
{
    return prefix && *prefix ? weft_arena_print(a, "%s/%s", prefix, name) : weft_arena_text(a, name);
}

static bool same_kind(const weft_weight *a, const weft_weight *b) { return a->dtype == b->dtype && weft_shape_equal(a->shape, b->shape); }

weft_result weft_model_share(weft_model *m, const weft_weight *w, const char *prefix, const weft_weight **out)
{
    for (int i = 0; i < m->weight_count; i++)
        if (m->weights[i]->data == w->data && same_kind(m->weights[i], w)) return *out = m->weights[i], WEFT_OK;
    weft_weight *made = weft_arena_new(&m->arena, sizeof *made);
    const char *name = named(&m->arena, prefix, w->name);
    if (!made || !name) return WEFT_ERR_MEMORY;
    for (int i = 0; i < m->weight_count; i++) {
        const weft_weight *there = m->weights[i];
        if (strcmp(there->name, name)) continue;
        if (same_kind(there, w) && !memcmp(there->data, w->data, w->bytes)) return *out = there, WEFT_OK;
        return weft_fail(WEFT_ERR_ARGUMENT, "there are two weights '%s' that differ; give the call a prefix", name);
    }
    weft_weight **weights = weft_arena_grow(&m->arena, m->weights, m->weight_count, sizeof *weights);
    if (!weights) return WEFT_ERR_MEMORY;
    *made = *w;
    made->name = name;
    m->weights = weights;
    m->weights[m->weight_count++] = made;
    *out = made;
    return WEFT_OK;
}

static weft_result find_constant(const insertion *s, const weft_weight *w, weft_value *out)
{
    const weft_weight *here = w;
    if (s->into) WEFT_TRY(weft_model_share(s->into, w, s->prefix, &here));
    for (int v = 0; v < s->to->value_count; v++)
        if (s->to->values[v].weight == here) return *out = v, WEFT_OK;
    *out = weft_graph_constant(s->to, here);
    return weft_graph_status(s->to);
}

static weft_result map_value(const insertion *s, weft_value v, weft_value *out)
{
    if (v >= 0 && s->map[v] < 0 && s->from->values[v].weight) WEFT_TRY(find_constant(s, s->from->values[v].weight, &s->map[v]));
    *out = v < 0 ? -1 : s->map[v];
    return WEFT_OK;
}

static weft_result insert_node(const insertion *s, const weft_node *n)
{
    weft_value *in = weft_arena_new(s->to->arena, sizeof *in * (size_t) (n->in_count + 1));
    if (!in) return WEFT_ERR_MEMORY;
    for (int i = 0; i < n->in_count; i++) WEFT_TRY(map_value(s, n->in[i], &in[i]));
    const char *before = s->to->name_prefix;
    s->to->name_prefix = named(s->to->arena, s->prefix, n->name);
    const weft_value out = weft_graph_op(s->to, n->op, in, n->in_count, n->attrs);
    s->to->name_prefix = before;
    WEFT_TRY(weft_graph_status(s->to));
    for (int k = 0; k < n->out_count; k++) s->map[n->out[k]] = out + k;
    return WEFT_OK;
}

static weft_result insert_state(const insertion *s, const weft_state_def *state, const int64_t *dims)
{
    const weft_value_def *v = &s->from->values[state->value];
    const weft_weight *init = state->init;
    const char *name = named(s->to->arena, s->prefix, state->name);
    weft_shape shape = v->shape;
    for (int d = 0; d < shape.rank; d++)
        if (shape.dim[d] < 0) shape.dim[d] = dims[-shape.dim[d] - 1];
    if (!name) return WEFT_ERR_MEMORY;
    if (init && s->into) WEFT_TRY(weft_model_share(s->into, init, s->prefix, &init));
    s->map[state->value] = weft_graph_state(s->to, name, (weft_dtype) v->dtype, shape, init);
    return weft_graph_status(s->to);
}

weft_result weft_graph_insert(const weft_graph *from, weft_graph *to, weft_value *map, const int64_t *dims, const char *prefix, weft_model *into)
{
    const insertion s = { from, to, map, prefix, into };
    weft_value v;
    for (int i = 0; i < from->state_count; i++) WEFT_TRY(insert_state(&s, &from->states[i], dims));
    for (int i = 0; i < from->node_count; i++) WEFT_TRY(insert_node(&s, &from->nodes[i]));
    for (int i = 0; i < from->output_count; i++) WEFT_TRY(map_value(&s, from->outputs[i].value, &v));
    for (int i = 0; i < from->state_count; i++) {
        if (from->states[i].next < 0) continue;
        WEFT_TRY(map_value(&s, from->states[i].next, &v));
        weft_graph_next(to, map[from->states[i].value], v);
    }
    return weft_graph_status(to);
}
