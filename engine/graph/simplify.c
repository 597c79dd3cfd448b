// SPDX-License-Identifier: MIT
// Pass: a node that can be said in another way, by itself, is.
#include "graph/graph.h"
#include <string.h>

static weft_result rewrite(const weft_graph *from, const weft_node *n, const weft_fused *as, weft_graph *to, weft_value *map)
{
    weft_value in[WEFT_MAX_BIND];
    for (int k = 0; k < as->in_count; k++) in[k] = weft_graph_map(from, to, map, as->in[k]);
    to->name_prefix = n->name;
    const weft_value out = weft_graph_op(to, as->op, in, as->in_count, as->attrs);
    to->name_prefix = NULL;
    WEFT_TRY(weft_graph_status(to));
    for (int k = 0; k < n->out_count; k++) {
        map[n->out[k]] = out + k;
        to->values[out + k].origin = from->values[n->out[k]].origin;
    }
    return WEFT_OK;
}

weft_result weft_pass_simplify(const weft_graph *from, const weft_simple_rule *rules, weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    weft_fused *as = weft_arena_new(to->arena, sizeof *as);
    if (!map || !as) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < from->node_count; i++) {
        const weft_node *n = &from->nodes[i];
        const weft_simple_rule *r = rules;
        for (; r->name; r++) {
            memset(as, 0, sizeof *as);
            if (!strcmp(r->op, n->op->name) && r->simplify(from, n, as)) break;
        }
        WEFT_TRY(r->name ? rewrite(from, n, as, to, map) : weft_graph_copy_node(from, n, to, map));
    }
    return weft_graph_copy_outputs(from, to, map);
}
