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

static const char *named(const insertion *s, const char *name)
{
    return s->prefix && *s->prefix ? weft_arena_print(s->to->arena, "%s/%s", s->prefix, name) : weft_arena_text(s->to->arena, name);
}

static bool same_kind(const weft_weight *a, const weft_weight *b) { return a->dtype == b->dtype && weft_shape_equal(a->shape, b->shape); }

// The weight of the model that `w` is or becomes.
static weft_result share(const insertion *s, const weft_weight *w, const weft_weight **out)
{
    weft_model *m = s->into;
    for (int i = 0; i < m->weight_count; i++)
        if (m->weights[i]->data == w->data && same_kind(m->weights[i], w)) return *out = m->weights[i], WEFT_OK;
    weft_weight *made = weft_arena_new(&m->arena, sizeof *made);
    const char *name = named(s, w->name);
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
    if (s->into) WEFT_TRY(share(s, w, &here));
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
    s->to->name_prefix = named(s, n->name);
    const weft_value out = weft_graph_op(s->to, n->op, in, n->in_count, n->attrs);
    s->to->name_prefix = before;
    WEFT_TRY(weft_graph_status(s->to));
    for (int k = 0; k < n->out_count; k++) s->map[n->out[k]] = out + k;
    return WEFT_OK;
}

weft_result weft_graph_insert(const weft_graph *from, weft_graph *to, weft_value *map, const char *prefix, weft_model *into)
{
    const insertion s = { from, to, map, prefix, into };
    for (int i = 0; i < from->node_count; i++) WEFT_TRY(insert_node(&s, &from->nodes[i]));
    weft_value unused;
    for (int i = 0; i < from->output_count; i++) WEFT_TRY(map_value(&s, from->outputs[i].value, &unused));
    return weft_graph_status(to);
}
