// SPDX-License-Identifier: MIT
// Pass: where a rule says that one node can do the work of two, it does. The nodes that lose their only user stay
// behind for weft_pass_prune. A fused node can be fused again with the next one, so chains need one walk.
#include "graph/rules.h"
#include <string.h>

static int *count_uses(const weft_graph *g, weft_arena *arena)
{
    int *uses = weft_arena_new(arena, sizeof *uses * (size_t) (g->value_count + 1));
    for (int i = 0; uses && i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in_count; k++)
            if (g->nodes[i].in[k] >= 0) uses[g->nodes[i].in[k]]++;
    for (int i = 0; uses && i < g->output_count; i++) uses[g->outputs[i].value]++;
    for (int i = 0; uses && i < g->state_count; i++)
        if (g->states[i].next >= 0) uses[g->states[i].next]++;
    return uses;
}

// The value is needed by one node only, and so is everything its maker makes.
static bool sole_use(const weft_graph *g, const int *uses, weft_value v)
{
    if (v < 0 || g->values[v].node < 0) return false;
    const weft_node *maker = &g->nodes[g->values[v].node];
    int total = 0;
    for (int k = 0; k < maker->out_count; k++) total += uses[maker->out[k]];
    return total == 1;
}

static bool names(const char *pattern, const weft_op *op) { return !strcmp(pattern, "*") || !strcmp(pattern, op->name); }

// Tries every rule on every producer of `here`, a node whose inputs are values of the new graph.
static bool find_rule(const weft_graph *from, const int *uses, const weft_node *old, const weft_node *here, const weft_fuse_rule *rules,
                      weft_graph *to, weft_fused *fused)
{
    for (int slot = 0; slot < here->in_count; slot++) {
        if (here->in[slot] < 0 || to->values[here->in[slot]].node < 0) continue;
        const bool sole = sole_use(from, uses, old->in[slot]);
        const weft_node producer = to->nodes[to->values[here->in[slot]].node]; // a copy: a rule may add nodes
        for (const weft_fuse_rule *r = rules; r->name; r++) {
            if (!sole && !r->shared) continue;
            if (!names(r->producer, producer.op) || !names(r->consumer, here->op)) continue;
            memset(fused, 0, sizeof *fused);
            if (r->fuse(to, &producer, here, slot, fused)) return true;
        }
    }
    return false;
}

weft_result weft_pass_fuse(const weft_graph *from, const weft_fuse_rule *rules, weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    const int *uses = count_uses(from, to->arena);
    weft_fused *fused = weft_arena_new(to->arena, sizeof *fused);
    if (!map || !uses || !fused) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < from->node_count; i++) {
        const weft_node *n = &from->nodes[i];
        weft_node here = *n;
        here.in = weft_arena_new(to->arena, sizeof *here.in * (size_t) (n->in_count + 1));
        if (!here.in) return WEFT_ERR_MEMORY;
        for (int k = 0; k < n->in_count; k++) here.in[k] = weft_graph_map(from, to, map, n->in[k]);
        WEFT_TRY(weft_graph_status(to));
        const int first = to->value_count;
        const bool found = find_rule(from, uses, n, &here, rules, to, fused);
        for (int v = first; v < to->value_count; v++) to->values[v].origin = -1; // what rules make on the way is nobody's
        WEFT_TRY(weft_graph_status(to));
        if (!found) {
            WEFT_TRY(weft_graph_copy_node(from, n, to, map));
            continue;
        }
        to->name_prefix = n->name;
        const weft_value out = weft_graph_op(to, fused->op, fused->in, fused->in_count, fused->attrs);
        to->name_prefix = NULL;
        WEFT_TRY(weft_graph_status(to));
        for (int k = 0; k < n->out_count; k++) {
            map[n->out[k]] = out + k;
            to->values[out + k].origin = from->values[n->out[k]].origin;
        }
    }
    return weft_graph_copy_outputs(from, to, map);
}
