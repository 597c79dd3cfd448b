// SPDX-License-Identifier: MIT
// Pass: operators that are said in terms of others become those others.
#include "graph/graph.h"

static weft_result copy_or_expand(const weft_graph *from, const weft_node *n, bool (*keep)(const weft_op *), weft_graph *to, weft_value *map)
{
    if (!n->op->expand || (keep && keep(n->op))) return weft_graph_copy_node(from, n, to, map);
    weft_node here = *n; // the same node with the new graph's values
    weft_value out[WEFT_MAX_BIND];
    here.in = weft_arena_new(to->arena, sizeof *here.in * (size_t) (n->in_count + 1));
    if (!here.in) return WEFT_ERR_MEMORY;
    for (int i = 0; i < n->in_count; i++) here.in[i] = weft_graph_map(from, to, map, n->in[i]);
    const char *prefix = to->name_prefix;
    const int first = to->value_count;
    to->name_prefix = n->name;
    weft_graph_fail(to, n->op->expand(&here, to, out));
    to->name_prefix = prefix;
    WEFT_TRY(weft_graph_status(to));
    for (int i = first; i < to->value_count; i++) to->values[i].origin = -1;
    for (int k = 0; k < n->out_count; k++) {
        map[n->out[k]] = out[k];
        if (out[k] >= first) to->values[out[k]].origin = from->values[n->out[k]].origin;
    }
    return WEFT_OK;
}

// One round; expansions may use operators that expand again.
static weft_result expand_once(const weft_graph *from, bool (*keep)(const weft_op *), weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    if (!map) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < from->node_count; i++) WEFT_TRY(copy_or_expand(from, &from->nodes[i], keep, to, map));
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
