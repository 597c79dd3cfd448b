// SPDX-License-Identifier: MIT
// Pass: nodes that no output and no state's next value needs are dropped.
#include "graph/graph.h"

weft_result weft_pass_prune(const weft_graph *from, weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    bool *needed = weft_arena_new(to->arena, (size_t) from->value_count + 1);
    if (!map || !needed) return WEFT_ERR_MEMORY;
    for (int i = 0; i < from->output_count; i++) needed[from->outputs[i].value] = true;
    for (int i = 0; i < from->state_count; i++)
        if (from->states[i].next >= 0) needed[from->states[i].next] = true;
    for (int i = from->node_count - 1; i >= 0; i--) {
        const weft_node *n = &from->nodes[i];
        bool keep = false;
        for (int k = 0; k < n->out_count; k++) keep |= needed[n->out[k]];
        for (int k = 0; keep && k < n->in_count; k++)
            if (n->in[k] >= 0) needed[n->in[k]] = true;
    }
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < from->node_count; i++) {
        const weft_node *n = &from->nodes[i];
        bool keep = false;
        for (int k = 0; k < n->out_count; k++) keep |= needed[n->out[k]];
        if (keep) WEFT_TRY(weft_graph_copy_node(from, n, to, map));
    }
    return weft_graph_copy_outputs(from, to, map);
}
