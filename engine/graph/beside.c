// SPDX-License-Identifier: MIT
// Pass: where a rule says that a node can do the work of another one that reads the same values, it does. The guest's users may stand
// before the host: nodes are put in order anew, each as early as what it reads allows, else where it was.
#include "graph/graph.h"
#include <string.h>

typedef struct pair { // a node that does others' work
    const weft_op *op;
    const void *attrs;
    const weft_value *in;
    int in_count;
} pair;

typedef struct rewrite {
    const weft_graph *from;
    weft_graph *to;
    weft_value *map; // -1: not made yet
    pair *hosts;     // by node; op NULL: it is as it was
    int *at;         // by node: who makes what it makes, itself as a rule
    int *place;      // by value: which of that one's outputs it is
    int *stack;
    bool *seen;
} rewrite;

static bool reads(const weft_node *n, weft_value v)
{
    for (int k = 0; k < n->in_count; k++)
        if (n->in[k] == v) return true;
    return false;
}

static bool reads_no_other(const weft_node *guest, const weft_node *host)
{
    for (int k = 0; k < guest->in_count; k++)
        if (guest->in[k] >= 0 && !reads(host, guest->in[k])) return false;
    return guest->out_count == 1;
}

// Whether the node, with all that is joined to it, waits for `other`.
static bool waits_for(rewrite *w, int node, int other)
{
    const weft_graph *g = w->from;
    int top = 0;
    memset(w->seen, 0, (size_t) g->node_count);
    w->seen[node] = true;
    w->stack[top++] = node;
    while (top) {
        const weft_node *n = &g->nodes[w->stack[--top]];
        for (int k = 0; k < n->in_count; k++) {
            const int maker = n->in[k] < 0 ? -1 : g->values[n->in[k]].node;
            if (maker < 0) continue;
            if (maker == other || w->at[maker] == node) return true;
            if (!w->seen[w->at[maker]]) w->seen[w->at[maker]] = true, w->stack[top++] = w->at[maker];
        }
    }
    return false;
}

static weft_result join(rewrite *w, int host, int guest, const weft_fused *fused, int place)
{
    const weft_graph *g = w->from;
    weft_arena *a = w->to->arena;
    w->hosts[host] = (pair) { fused->op, weft_arena_copy(a, fused->attrs, fused->op->attr_bytes), weft_arena_copy(a, fused->in, sizeof *fused->in * (size_t) fused->in_count),
                              fused->in_count };
    if (!w->hosts[host].attrs || !w->hosts[host].in) return WEFT_ERR_MEMORY;
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].node >= 0 && w->at[g->values[v].node] == host && w->place[v] >= place) w->place[v]++;
    w->at[guest] = host;
    w->place[g->nodes[guest].out[0]] = place;
    return WEFT_OK;
}

static weft_result find_guests(rewrite *w, int host, const weft_beside_rule *r, weft_fused *fused)
{
    const weft_graph *g = w->from;
    weft_node here = g->nodes[host];
    for (int i = 0; i < g->node_count; i++) {
        const weft_node *guest = &g->nodes[i];
        if (i == host || w->at[i] != i || w->hosts[i].op || strcmp(guest->op->name, r->guest) || !reads_no_other(guest, &here)) continue;
        memset(fused, 0, sizeof *fused);
        const int place = r->join(&here, guest, fused);
        if (place < 0 || waits_for(w, host, i)) continue;
        WEFT_TRY(join(w, host, i, fused, place));
        here.attrs = w->hosts[host].attrs; // inputs are those it had: a second guest looks at what the first made of it
    }
    return WEFT_OK;
}

static weft_result emit(void *user, int index)
{
    rewrite *w = user;
    const weft_graph *g = w->from;
    const pair *p = &w->hosts[index];
    if (!p->op) return weft_graph_copy_node(g, &g->nodes[index], w->to, w->map);
    weft_value *in = weft_arena_new(w->to->arena, sizeof *in * (size_t) (p->in_count + 1));
    if (!in) return WEFT_ERR_MEMORY;
    for (int k = 0; k < p->in_count; k++) in[k] = weft_graph_map(g, w->to, w->map, p->in[k]);
    w->to->name_prefix = g->nodes[index].name;
    const weft_value out = weft_graph_op(w->to, p->op, in, p->in_count, p->attrs);
    w->to->name_prefix = NULL;
    WEFT_TRY(weft_graph_status(w->to));
    for (int v = 0; v < g->value_count; v++) {
        if (g->values[v].node < 0 || w->at[g->values[v].node] != index) continue;
        w->map[v] = out + w->place[v];
        w->to->values[out + w->place[v]].origin = g->values[v].origin;
    }
    return WEFT_OK;
}

weft_result weft_pass_beside(const weft_graph *from, const weft_beside_rule *rules, weft_graph *to)
{
    rewrite w = { .from = from, .to = to, .map = weft_graph_new_map(from, to) };
    weft_arena *a = to->arena;
    const size_t nodes = (size_t) from->node_count + 1;
    weft_fused *fused = weft_arena_new(a, sizeof *fused);
    w.hosts = weft_arena_new(a, sizeof *w.hosts * nodes);
    w.at = weft_arena_new(a, sizeof *w.at * nodes);
    w.place = weft_arena_new(a, sizeof *w.place * (size_t) (from->value_count + 1));
    w.stack = weft_arena_new(a, sizeof *w.stack * nodes);
    w.seen = weft_arena_new(a, nodes);
    if (!w.map || !fused || !w.hosts || !w.at || !w.place || !w.stack || !w.seen) return WEFT_ERR_MEMORY;
    for (int i = 0; i < from->node_count; i++) w.at[i] = i;
    for (int v = 0; v < from->value_count; v++) w.place[v] = from->values[v].slot;
    for (const weft_beside_rule *r = rules; r->name; r++)
        for (int i = 0; i < from->node_count; i++)
            if (w.at[i] == i && !strcmp(from->nodes[i].op->name, r->host)) WEFT_TRY(find_guests(&w, i, r, fused));
    WEFT_TRY(weft_graph_copy_inputs(from, to, w.map));
    for (int i = 0; i < from->node_count; i++)
        if (w.at[i] == i && (from->nodes[i].out_count == 0 || w.map[from->nodes[i].out[0]] < 0))
            WEFT_TRY(weft_graph_make(from, i, w.map, w.at, w.stack, emit, &w));
    return weft_graph_copy_outputs(from, to, w.map);
}
