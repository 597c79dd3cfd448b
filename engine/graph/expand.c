// SPDX-License-Identifier: MIT
// Pass: operators that are said in terms of others become those others.
#include "graph/graph.h"

typedef weft_result weft_say(const weft_node *n, weft_graph *g, weft_value *out);

// What `say` makes of the node instead of the node; the node itself where it makes nothing (out[0] is -1).
static weft_result copy_or_say(const weft_graph *from, const weft_node *n, weft_say *say, weft_graph *to, weft_value *map)
{
    weft_node here = *n; // the same node with the new graph's values
    weft_value out[WEFT_MAX_OUT] = { -1 };
    if (!say) return weft_graph_copy_node(from, n, to, map);
    here.in = weft_arena_new(to->arena, sizeof *here.in * (size_t) (n->in_count + 1));
    if (!here.in) return WEFT_ERR_MEMORY;
    for (int i = 0; i < n->in_count; i++) here.in[i] = weft_graph_map(from, to, map, n->in[i]);
    const char *prefix = to->name_prefix;
    const int first = to->value_count;
    to->name_prefix = n->name;
    weft_graph_fail(to, say(&here, to, out));
    to->name_prefix = prefix;
    WEFT_TRY(weft_graph_status(to));
    for (int i = first; i < to->value_count; i++) to->values[i].origin = -1;
    if (out[0] < 0) return weft_graph_copy_node(from, n, to, map);
    for (int k = 0; k < n->out_count; k++) {
        map[n->out[k]] = out[k];
        if (out[k] >= first) to->values[out[k]].origin = from->values[n->out[k]].origin;
    }
    return WEFT_OK;
}

weft_result weft_pass_unfuse(const weft_graph *from, weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    if (!map) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < from->node_count; i++) WEFT_TRY(copy_or_say(from, &from->nodes[i], from->nodes[i].op->unfuse, to, map));
    return weft_graph_copy_outputs(from, to, map);
}

// One round; expansions may use operators that expand again.
static weft_result expand_once(const weft_graph *from, bool (*keep)(const weft_op *), weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    if (!map) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < from->node_count; i++) {
        const weft_node *n = &from->nodes[i];
        WEFT_TRY(copy_or_say(from, n, keep && keep(n->op) ? NULL : n->op->expand, to, map));
    }
    return weft_graph_copy_outputs(from, to, map);
}

weft_result weft_pass_expand(const weft_graph *from, bool (*keep)(const weft_op *), weft_graph *to)
{
    weft_arena *arena = to->arena;
    weft_graph between = *from;
    for (;;) {
        bool any = false;
        for (int i = 0; i < between.node_count; i++)
            any |= between.nodes[i].op->expand && !(keep && keep(between.nodes[i].op));
        weft_graph_init(to, arena);
        WEFT_TRY(expand_once(&between, keep, to));
        if (!any) return WEFT_OK;
        between = *to;
    }
}
