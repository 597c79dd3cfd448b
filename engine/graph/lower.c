// SPDX-License-Identifier: MIT
#include "graph/lower.h"
#include "graph/rules.h"

weft_result weft_lower(const weft_graph *bound, weft_pool *pool, bool fuse, weft_graph *to)
{
    weft_graph a, b;
    weft_graph_init(&a, to->arena);
    weft_graph_init(&b, to->arena);
    WEFT_TRY(weft_pass_prune(bound, &a));
    WEFT_TRY(weft_pass_expand(&a, NULL, &b));
    WEFT_TRY(weft_pass_fold(&b, pool, &a));
    WEFT_TRY(weft_pass_prune(&a, to));
    // A rule may free the way for another: its new node has a producer of its own, and what it made superfluous no longer counts as a use.
    for (int before = -1; fuse && before != to->node_count;) {
        before = to->node_count;
        WEFT_TRY(weft_pass_fuse(to, weft_fuse_rules, &b));
        WEFT_TRY(weft_pass_fold(&b, pool, &a)); // what the rules said about weights
        WEFT_TRY(weft_pass_prune(&a, to));
    }
    if (!fuse) return WEFT_OK;
    b = *to;
    bool changed;
    WEFT_TRY(weft_pass_beside(&b, weft_beside_rules, &a));
    WEFT_TRY(weft_pass_products(&a, to, &changed));
    WEFT_TRY(weft_pass_simplify(changed ? to : &a, weft_simple_rules, &b));
    return weft_pass_prune(&b, to);
}

weft_result weft_lower_device(const weft_graph *bound, weft_pool *pool, bool fuse, weft_graph *to)
{
    weft_graph a, b;
    WEFT_TRY(weft_lower(bound, pool, fuse, to));
    if (!fuse) return WEFT_OK;
    weft_graph_init(&a, to->arena);
    weft_graph_init(&b, to->arena);
    WEFT_TRY(weft_pass_fuse(to, weft_device_fuse_rules, &a));
    WEFT_TRY(weft_pass_prune(&a, &b));
    WEFT_TRY(weft_pass_beside(&b, weft_device_beside_rules, &a));
    return weft_pass_prune(&a, to);
}

weft_value weft_lower_root(const weft_graph *g, weft_value v)
{
    while (g->values[v].node >= 0 && g->nodes[g->values[v].node].op->flags & WEFT_OP_ALIAS) v = g->nodes[g->values[v].node].in[0];
    return v;
}

int64_t weft_lower_begin(const weft_graph *g, weft_value v)
{
    int64_t begin = 0;
    for (const weft_node *n; g->values[v].node >= 0 && (n = &g->nodes[g->values[v].node])->op->flags & WEFT_OP_ALIAS; v = n->in[0])
        begin += n->op->alias_begin ? n->op->alias_begin(n) : 0;
    return begin;
}

void weft_lower_readers(const weft_graph *g, bool kept, int *last)
{
    for (int v = 0; v < g->value_count; v++) last[v] = g->values[v].node;
    for (int i = 0; i < g->node_count; i++) {
        if (g->nodes[i].op->flags & WEFT_OP_ALIAS) continue;
        for (int k = 0; k < g->nodes[i].in_count; k++)
            if (g->nodes[i].in[k] >= 0) last[weft_lower_root(g, g->nodes[i].in[k])] = i;
    }
    for (int i = 0; kept && i < g->output_count; i++) last[weft_lower_root(g, g->outputs[i].value)] = g->node_count;
    for (int i = 0; kept && i < g->state_count; i++)
        if (g->states[i].next >= 0) last[weft_lower_root(g, g->states[i].next)] = g->node_count;
}

weft_result weft_lower_most_alive(const weft_graph *g, const int *last, weft_arena *scratch, size_t *bytes, int *node)
{
    int64_t alive = 0, most = 0, *change = weft_arena_new(scratch, sizeof *change * (size_t) (g->node_count + 2));
    if (!change) return WEFT_ERR_MEMORY;
    for (int v = 0; v < g->value_count; v++) {
        const int64_t size = weft_shape_count(g->values[v].shape) * 4;
        if (g->values[v].node < 0 || weft_lower_root(g, v) != v) continue;
        change[g->values[v].node] += size;
        change[last[v] + 1] -= size;
    }
    *node = 0;
    for (int i = 0; i < g->node_count; i++) {
        alive += change[i];
        if (alive > most) most = alive, *node = i;
    }
    *bytes = (size_t) most;
    return WEFT_OK;
}

weft_result weft_lower_plan(const weft_graph *g, const weft_state_update *updates, const size_t *scratch, size_t align, bool keep,
                            weft_life *lives, weft_plan *out)
{
    int *last = weft_arena_new(g->arena, sizeof *last * (size_t) (g->value_count + 1));
    if (!last) return WEFT_ERR_MEMORY;
    weft_lower_readers(g, true, last);
    for (int v = 0; v < g->value_count; v++) {
        const int maker = g->values[v].node;
        const bool here = maker >= 0 && weft_lower_root(g, v) == v;
        lives[v] = (weft_life) { here ? (size_t) weft_shape_count(g->values[v].shape) * 4 : 0, maker, keep ? g->node_count : last[v], 0 };
    }
    for (int i = 0; i < g->state_count; i++)
        if (updates[i].way == WEFT_STATE_IN_PLACE) lives[updates[i].from].bytes = 0;
    for (int i = 0; scratch && i < g->node_count; i++) lives[g->value_count + i] = (weft_life) { scratch[i], i, i, 0 };
    return weft_plan_memory(g->arena->ctx, lives, g->value_count + (scratch ? g->node_count : 0), align, out);
}

weft_result weft_lower_measure(const weft_graph *g, size_t *bytes, double *flops)
{
    weft_plan plan;
    weft_life *lives = weft_arena_new(g->arena, sizeof *lives * (size_t) (g->value_count + 1));
    weft_state_update *updates = weft_arena_new(g->arena, sizeof *updates * (size_t) (g->state_count + 1));
    if (!lives || !updates) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_state_plan(g, true, g->arena, updates));
    WEFT_TRY(weft_lower_plan(g, updates, NULL, 64, false, lives, &plan));
    *bytes = plan.bytes + weft_state_bytes(g);
    *flops = 0;
    for (int i = 0; i < g->node_count; i++) *flops += weft_node_flops(&g->nodes[i]);
    return WEFT_OK;
}

weft_result weft_lower_fit(const weft_graph *from, size_t cap, weft_graph *to, bool *changed)
{
    static const int segments[] = { 0, 2, 3, 4, 6, 8, 12, 16, 24, 32 };
    size_t least;
    double work;
    *changed = false;
    WEFT_TRY(weft_lower_measure(from, &least, &work));
    if (least <= cap) return WEFT_OK;
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++) {
        weft_graph tried;
        size_t bytes;
        double flops;
        weft_graph_init(&tried, to->arena);
        WEFT_TRY(weft_pass_recompute(from, segments[i], &tried));
        WEFT_TRY(weft_lower_measure(&tried, &bytes, &flops));
        const bool better = bytes <= cap ? least > cap || flops < work : bytes < least;
        if (!better) continue;
        *to = tried, *changed = true;
        least = bytes, work = flops;
    }
    return WEFT_OK;
}
