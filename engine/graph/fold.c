// SPDX-License-Identifier: MIT
// Pass: nodes whose inputs are all constants are computed now, on the CPU.
#include "graph/compute.h"

static bool is_constant(const weft_graph *from, const weft_node *n)
{
    bool any = false;
    for (int i = 0; i < n->in_count; i++) {
        if (n->in[i] < 0) continue;
        if (!from->values[n->in[i]].weight) return false;
        any = true;
    }
    return any && n->op->cpu;
}

static weft_result fold_node(const weft_graph *from, const weft_node *n, weft_pool *pool, weft_graph *to, weft_value *map)
{
    weft_arena *a = to->arena;
    const void **in = weft_arena_new(a, sizeof *in * (size_t) n->in_count);
    void **out = weft_arena_new(a, sizeof *out * (size_t) n->out_count);
    if (!in || !out) return WEFT_ERR_MEMORY;
    for (int i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && !(in[i] = weft_weight_numbers(a, from->values[n->in[i]].weight))) return WEFT_ERR_MEMORY;
    for (int k = 0; k < n->out_count; k++) {
        weft_weight *w = weft_arena_new(a, sizeof *w);
        const size_t bytes = (size_t) weft_shape_count(n->out_shape[k]) * 4;
        if (!w || !(out[k] = weft_arena_new(a, bytes))) return WEFT_ERR_MEMORY;
        *w = (weft_weight) { n->name, (weft_dtype) n->out_dtype[k], n->out_shape[k], out[k], bytes };
        map[n->out[k]] = weft_graph_constant(to, w);
        WEFT_TRY(weft_graph_status(to));
        to->values[map[n->out[k]]].origin = from->values[n->out[k]].origin;
    }
    weft_node_compute(pool, n, out, in);
    return WEFT_OK;
}

// One round may make constants that the next node of the same round needs, so nodes are looked at as they are copied.
weft_result weft_pass_fold(const weft_graph *from, weft_pool *pool, weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    if (!map) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < from->node_count; i++) {
        weft_node n = from->nodes[i];
        weft_graph view = *to; // the node's inputs as values of the new graph
        weft_value *in = weft_arena_new(to->arena, sizeof *in * (size_t) (n.in_count + 1));
        if (!in) return WEFT_ERR_MEMORY;
        for (int k = 0; k < n.in_count; k++) in[k] = weft_graph_map(from, to, map, n.in[k]);
        view = *to;
        n.in = in;
        if (is_constant(&view, &n)) WEFT_TRY(fold_node(&view, &n, pool, to, map));
        else WEFT_TRY(weft_graph_copy_node(from, &from->nodes[i], to, map));
    }
    return weft_graph_copy_outputs(from, to, map);
}
