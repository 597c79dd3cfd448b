// SPDX-License-Identifier: MIT
// Pass: nodes whose inputs are all constants are computed now, on the CPU.
#include "graph/compute.h"

// What a graph may make of its constants: a small file could say `expand` to a terabyte. Beyond it nodes stay nodes, which
// run within the memory that a session is allowed.
typedef struct budget { double bytes, flops; } budget;
enum { FREE_BYTES = 64 << 20, BYTES_PER_BYTE = 4, FREE_FLOPS = 1000000000, FLOPS_PER_BYTE = 100 };

static budget budget_of(const weft_graph *g)
{
    budget b = { FREE_BYTES, FREE_FLOPS };
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].weight) {
            b.bytes += BYTES_PER_BYTE * (double) g->values[v].weight->bytes;
            b.flops += FLOPS_PER_BYTE * (double) g->values[v].weight->bytes;
        }
    return b;
}

static bool afford(budget *b, const weft_node *n)
{
    budget left = *b;
    for (int k = 0; k < n->out_count; k++) left.bytes -= 4 * (double) weft_shape_count(n->out_shape[k]);
    left.flops -= weft_node_flops(n);
    if (left.bytes < 0 || left.flops < 0) return false;
    *b = left;
    return true;
}

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

static bool reads_half(const weft_graph *from, const weft_node *n)
{
    for (int i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && (from->values[n->in[i]].weight->dtype == WEFT_F16 || from->values[n->in[i]].weight->from_half)) return true;
    return false;
}

// The node's inputs are values of `from`, its outputs are in `origins`.
static weft_result fold_node(const weft_graph *from, const weft_value_def *origins, const weft_node *n, weft_pool *pool, weft_graph *to, weft_value *map)
{
    weft_arena *a = to->arena;
    const void **in = weft_arena_new(a, sizeof *in * (size_t) n->in_count);
    void **out = weft_arena_new(a, sizeof *out * (size_t) n->out_count);
    const bool half = reads_half(from, n);
    if (!in || !out) return WEFT_ERR_MEMORY;
    for (int i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && !(in[i] = weft_weight_numbers(a, from->values[n->in[i]].weight))) return WEFT_ERR_MEMORY;
    for (int k = 0; k < n->out_count; k++) {
        weft_weight *w = weft_arena_new(a, sizeof *w);
        const size_t bytes = (size_t) weft_shape_count(n->out_shape[k]) * 4;
        if (!w || !(out[k] = weft_arena_new(a, bytes))) return WEFT_ERR_MEMORY;
        *w = (weft_weight) { n->name, (weft_dtype) n->out_dtype[k], n->out_shape[k], out[k], bytes, half };
        map[n->out[k]] = weft_graph_constant(to, w);
        WEFT_TRY(weft_graph_status(to));
        to->values[map[n->out[k]]].origin = origins[n->out[k]].origin;
    }
    weft_node_compute(pool, n, out, in);
    return WEFT_OK;
}

// One round may make constants that the next node of the same round needs, so nodes are looked at as they are copied.
weft_result weft_pass_fold(const weft_graph *from, weft_pool *pool, weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    budget left = budget_of(from);
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
        if (is_constant(&view, &n) && afford(&left, &n)) WEFT_TRY(fold_node(&view, from->values, &n, pool, to, map));
        else WEFT_TRY(weft_graph_copy_node(from, &from->nodes[i], to, map));
    }
    return weft_graph_copy_outputs(from, to, map);
}
