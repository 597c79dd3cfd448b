// SPDX-License-Identifier: MIT
// Pass: trades time for memory. What the forward half of a graph makes and its gradient reads much later is forgotten in
// between and computed again where it is first wanted (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost).
#include "graph/lower.h"

typedef struct rewrite {
    const weft_graph *from;
    weft_graph *to;
    weft_value *map;  // -1: not made yet, or forgotten
    int *last;        // as weft_lower_readers has it
    int *forward;     // per root value: the last node up to the turn that reads it
    int turn;         // the node at which most memory is alive: the end of the forward half
    bool *kept;       // per root value made up to the turn
    int *stack;
} rewrite;

static size_t size_of(const weft_graph *g, weft_value v) { return (size_t) weft_shape_count(g->values[v].shape) * 4; }

static bool is_made(const weft_graph *g, weft_value v) { return g->values[v].node >= 0; }

static weft_result find_turn(rewrite *w)
{
    const weft_graph *g = w->from;
    size_t most;
    WEFT_TRY(weft_lower_most_alive(g, w->last, w->to->arena, &most, &w->turn));
    for (int v = 0; v < g->value_count; v++) w->forward[v] = g->values[v].node;
    for (int i = 0; i <= w->turn; i++)
        for (int k = 0; k < g->nodes[i].in_count; k++)
            if (g->nodes[i].in[k] >= 0) w->forward[weft_lower_root(g, g->nodes[i].in[k])] = i;
    return WEFT_OK;
}

static bool is_across(const rewrite *w, weft_value v) // made before the turn, wanted after it
{
    return is_made(w->from, v) && w->from->values[v].node <= w->turn && w->last[v] > w->turn;
}

// Cuts the forward half into segments of about the same memory; what crosses a border is kept.
static weft_result keep_borders(rewrite *w, int segments)
{
    const weft_graph *g = w->from;
    int *segment = weft_arena_new(w->to->arena, sizeof *segment * (size_t) (g->node_count + 1));
    size_t all = 0, sum = 0;
    if (!segment) return WEFT_ERR_MEMORY;
    for (int v = 0; v < g->value_count; v++)
        if (weft_lower_root(g, v) == v && is_across(w, v)) all += size_of(g, v);
    for (int i = 0; i <= w->turn; i++) {
        segment[i] = all ? (int) ((double) sum / ((double) all + 1) * segments) : 0;
        for (int k = 0; k < g->nodes[i].out_count; k++) {
            const weft_value v = g->nodes[i].out[k];
            if (weft_lower_root(g, v) == v && is_across(w, v)) sum += size_of(g, v);
        }
    }
    for (int v = 0; v < g->value_count; v++)
        if (is_made(g, v) && g->values[v].node <= w->turn) w->kept[v] = segment[w->forward[v]] > segment[g->values[v].node];
    return WEFT_OK;
}

// Forgets only what one cheap node makes from what is there anyway.
static void keep_costly(rewrite *w)
{
    enum { CHEAP = 16 }; // operations per element: below what reading and writing it costs
    const weft_graph *g = w->from;
    for (int v = 0; v < g->value_count; v++) {
        if (!is_made(g, v) || g->values[v].node > w->turn) continue;
        const weft_node *n = &g->nodes[g->values[v].node];
        bool there = n->out_count == 1 && weft_node_flops(n) <= CHEAP * (double) weft_shape_count(g->values[v].shape);
        for (int k = 0; k < n->in_count && there; k++) {
            const weft_value x = n->in[k] < 0 ? -1 : weft_lower_root(g, n->in[k]);
            there = x < 0 || !is_made(g, x) || (w->kept[x] && w->last[x] >= w->last[v]);
        }
        w->kept[v] = is_across(w, v) && !there;
    }
}

static void forget(rewrite *w)
{
    const weft_graph *g = w->from;
    for (int v = 0; v < g->value_count; v++)
        if (is_made(g, v) && g->values[v].node <= w->turn && !w->kept[weft_lower_root(g, v)]) w->map[v] = -1;
}

static weft_result copy(void *user, int index)
{
    rewrite *w = user;
    return weft_graph_copy_node(w->from, &w->from->nodes[index], w->to, w->map);
}

weft_result weft_pass_recompute(const weft_graph *from, int segments, weft_graph *to)
{
    rewrite w = { .from = from, .to = to };
    weft_arena *a = to->arena;
    w.map = weft_graph_new_map(from, to);
    w.last = weft_arena_new(a, sizeof *w.last * (size_t) (from->value_count + 1));
    w.forward = weft_arena_new(a, sizeof *w.forward * (size_t) (from->value_count + 1));
    w.kept = weft_arena_new(a, (size_t) from->value_count + 1);
    w.stack = weft_arena_new(a, sizeof *w.stack * (size_t) (from->node_count + 1));
    if (!w.map || !w.last || !w.forward || !w.kept || !w.stack) return WEFT_ERR_MEMORY;
    weft_lower_readers(from, true, w.last);
    WEFT_TRY(find_turn(&w));
    if (segments > 1) WEFT_TRY(keep_borders(&w, segments));
    else keep_costly(&w);
    for (int v = 0; v < from->value_count; v++)
        if (w.last[v] == from->node_count) w.kept[v] = true; // made once: what is given out is what was used

    WEFT_TRY(weft_graph_copy_inputs(from, to, w.map));
    for (int i = 0; i < from->node_count; i++) {
        if (i == w.turn + 1) forget(&w);
        WEFT_TRY(weft_graph_make(from, i, w.map, NULL, w.stack, copy, &w));
    }
    return weft_graph_copy_outputs(from, to, w.map);
}
