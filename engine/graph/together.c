// SPDX-License-Identifier: MIT
// Nodes go out in their order, but those that wait for a bundle only when all that it reads has been made.
#include "graph/together.h"
#include "graph/lower.h"

typedef struct walk {
    const weft_graph *from;
    weft_graph *to;
    weft_value *map;
    int *bundle; // per node: its bundle, -1: none
    bool *done;  // per node
    const weft_bundle *list;
} walk;

static bool is_there(const walk *w, weft_value v) { return v < 0 || w->map[v] >= 0 || w->from->values[v].node < 0; }

static bool are_there(const walk *w, const weft_value *list, int count)
{
    for (int i = 0; i < count; i++)
        if (!is_there(w, list[i])) return false;
    return true;
}

static weft_result most_alive(const weft_graph *g, size_t *most)
{
    int node, *last = weft_arena_new(g->arena, sizeof *last * (size_t) (g->value_count + 1));
    if (!last) return WEFT_ERR_MEMORY;
    weft_lower_readers(g, true, last);
    return weft_lower_most_alive(g, last, g->arena, most, &node);
}

// Node `i`, or its bundle, if what it reads is there.
static weft_result try_node(walk *w, int i, weft_bundle_make *make, void *user, bool *made)
{
    const weft_node *n = &w->from->nodes[i];
    const weft_bundle *b = w->bundle[i] < 0 ? NULL : &w->list[w->bundle[i]];
    *made = b ? are_there(w, b->needs, b->need_count) : are_there(w, n->in, n->in_count);
    if (!*made) return WEFT_OK;
    for (int k = 0; b && k < b->node_count; k++) w->done[b->nodes[k]] = true;
    w->done[i] = true;
    return b ? make(user, b, w->from, w->to, w->map) : weft_graph_copy_node(w->from, n, w->to, w->map);
}

static weft_result make_all(walk *w, weft_bundle_make *make, void *user)
{
    for (int first = 0, i = 0; first < w->from->node_count; i++) {
        bool made;
        while (first < w->from->node_count && w->done[first]) first++;
        if (i < first) i = first;
        if (i >= w->from->node_count) return first < w->from->node_count ? weft_fail(WEFT_ERR_ARGUMENT, "'%s' waits for itself", w->from->nodes[first].name) : WEFT_OK;
        if (w->done[i]) continue;
        WEFT_TRY(try_node(w, i, make, user, &made));
        if (made && w->bundle[i] >= 0) i = first - 1; // others may have waited for it
    }
    return WEFT_OK;
}

weft_result weft_graph_together(const weft_graph *from, const weft_bundle *list, int count, weft_bundle_make *make, void *user, weft_graph *to, bool *changed)
{
    walk w = { .from = from, .to = to, .list = list, .map = weft_graph_new_map(from, to) };
    w.bundle = weft_arena_new(to->arena, sizeof *w.bundle * (size_t) (from->node_count + 1));
    w.done = weft_arena_new(to->arena, (size_t) from->node_count + 1);
    *changed = false;
    if (!w.map || !w.bundle || !w.done) return WEFT_ERR_MEMORY;
    for (int i = 0; i < from->node_count; i++) w.bundle[i] = -1;
    for (int b = 0; b < count; b++)
        for (int k = 0; k < list[b].node_count; k++) w.bundle[list[b].nodes[k]] = b;
    WEFT_TRY(weft_graph_copy_inputs(from, to, w.map));
    WEFT_TRY(make_all(&w, make, user));
    WEFT_TRY(weft_graph_copy_outputs(from, to, w.map));
    enum { SPARE = 1 << 16 };
    size_t before, after;
    WEFT_TRY(most_alive(from, &before));
    WEFT_TRY(most_alive(to, &after));
    *changed = (double) after <= 1.01 * (double) before + SPARE;
    return WEFT_OK;
}
