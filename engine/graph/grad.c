// SPDX-License-Identifier: MIT
// Pass: copies the forward graph and walks it in reverse. Every row says in terms of other rows what its inputs receive
// (Griewank and Walther, Evaluating Derivatives, 2008, chapter 3); what a value receives from several users is added.
#include "graph/grad.h"
#include "graph/rules.h"

typedef struct parts { // gradients by parts of a value, which are put together when all have arrived
    weft_value *list;
    int count;
} parts;

typedef struct walk {
    weft_graph *to;
    bool *live;           // per value of `to`: something wanted flows into it
    weft_value *gradient; // per value of `to`: d loss / d value so far, -1: none
    parts *parts;         // per value of `to`: what else it receives
} walk;

static bool has_grad_or_no_expansion(const weft_op *op) { return op->grad || op->flags & WEFT_OP_STEP || !op->expand; }

static weft_result receive(walk *w, weft_value v, weft_value gradient)
{
    if (gradient < 0) return WEFT_OK;
    if (!weft_shape_equal(w->to->values[v].shape, w->to->values[gradient].shape)) {
        char a[WEFT_SHAPE_TEXT], b[WEFT_SHAPE_TEXT];
        return weft_fail(WEFT_ERR_UNSUPPORTED, "a gradient of shape %s arrived at a value of shape %s", weft_shape_text(w->to->values[gradient].shape, a),
                         weft_shape_text(w->to->values[v].shape, b));
    }
    if (!weft_grad_is_part(w->to, gradient)) {
        w->gradient[v] = w->gradient[v] < 0 ? gradient : weft_grad_add(w->to, w->gradient[v], gradient);
        return weft_graph_status(w->to);
    }
    parts *p = &w->parts[v];
    weft_value *list = weft_arena_grow(w->to->arena, p->list, p->count, sizeof *list);
    if (!list) return WEFT_ERR_MEMORY;
    p->list = list;
    p->list[p->count++] = gradient;
    return WEFT_OK;
}

// All that the value receives; -1: nothing.
static weft_value settle(walk *w, weft_value v)
{
    parts *p = &w->parts[v];
    if (p->count) {
        const weft_value joined = p->count == 1 ? p->list[0] : weft_grad_join(w->to, p->list, p->count);
        w->gradient[v] = w->gradient[v] < 0 ? joined : weft_grad_add(w->to, w->gradient[v], joined);
        p->count = 0;
    }
    return w->gradient[v];
}

static weft_result step_back(walk *w, int index)
{
    weft_graph *g = w->to;
    const weft_node n = g->nodes[index]; // a copy: the rule adds nodes
    weft_arena *a = g->arena;
    weft_value *dy = weft_arena_new(a, sizeof *dy * (size_t) (n.out_count + 1)), *dx = weft_arena_new(a, sizeof *dx * (size_t) (n.in_count + 1));
    bool *want = weft_arena_new(a, (size_t) n.in_count + 1), flows = false, needed = false;
    if (!dy || !dx || !want) return WEFT_ERR_MEMORY;
    for (int k = 0; k < n.out_count; k++) flows |= (dy[k] = settle(w, n.out[k])) >= 0;
    for (int i = 0; i < n.in_count; i++) {
        dx[i] = -1;
        want[i] = n.in[i] >= 0 && w->live[n.in[i]] && n.in_dtype[i] == WEFT_F32;
        needed |= want[i];
    }
    if (!flows || !needed || n.op->flags & WEFT_OP_STEP) return WEFT_OK;
    if (!n.op->grad) return weft_node_fail(&n, "this operator has no gradient"), WEFT_ERR_UNSUPPORTED;

    const char *prefix = g->name_prefix;
    g->name_prefix = weft_arena_print(a, "d.%s", n.name);
    const weft_result r = weft_graph_fail(g, n.op->grad(&n, g, dy, want, dx));
    g->name_prefix = prefix;
    if (r != WEFT_OK) return weft_graph_status(g);
    WEFT_TRY(weft_graph_status(g));
    for (int i = 0; i < n.in_count; i++) {
        if (!want[i]) continue;
        const weft_result received = receive(w, n.in[i], dx[i]);
        if (received != WEFT_OK) return weft_fail_prefix(received, "gradient of %s '%s', input %d: ", n.op->name, n.name, i);
    }
    return WEFT_OK;
}

// Values that depend on something wanted.
static void mark_live(walk *w)
{
    for (int i = 0; i < w->to->node_count; i++) {
        const weft_node *n = &w->to->nodes[i];
        bool any = false;
        for (int k = 0; k < n->in_count; k++) any |= n->in[k] >= 0 && w->live[n->in[k]];
        for (int k = 0; k < n->out_count; k++) w->live[n->out[k]] = any;
    }
}

static weft_value ones(weft_graph *g, weft_shape s)
{
    const weft_value v = weft_graph_numbers(g, s, NULL);
    if (v < 0) return -1;
    float *f = (float *) (uintptr_t) g->values[v].weight->data;
    for (int64_t i = 0; i < weft_shape_count(s); i++) f[i] = 1;
    return v;
}

// Where the walk begins: the cotangents of the outputs. They are inputs, so they come before every node.
static weft_result seed(walk *w, const weft_graph *from, const weft_grad_request *request, const weft_value *cotangents)
{
    weft_graph *g = w->to;
    for (int i = 0; i < from->output_count; i++) {
        const weft_value y = g->outputs[i].value;
        if (i == request->loss && weft_shape_count(g->values[y].shape) != 1)
            return weft_fail(WEFT_ERR_ARGUMENT, "the loss '%s' has more than one element; sum it, or give a cotangent", g->outputs[i].name);
        if (i == request->loss) WEFT_TRY(receive(w, y, ones(g, g->values[y].shape)));
        else if (cotangents[i] >= 0) WEFT_TRY(receive(w, y, cotangents[i]));
    }
    return WEFT_OK;
}

static weft_result name_results(walk *w, const weft_graph *from, const weft_grad_request *request, const weft_value *map)
{
    weft_graph *g = w->to;
    for (int i = 0; i < request->wrt_count; i++) {
        const weft_value v = map[request->wrt[i]];
        const char *name = g->values[v].weight ? g->values[v].weight->name : NULL;
        for (int k = 0; k < from->input_count; k++)
            if (from->inputs[k].value == request->wrt[i]) name = from->inputs[k].name;
        for (int k = 0; k < from->state_count; k++)
            if (from->states[k].value == request->wrt[i]) name = from->states[k].name;
        const char *whole = weft_arena_print(g->arena, "d.%s", name ? name : "weight");
        if (!whole) return WEFT_ERR_MEMORY;
        const weft_value gradient = settle(w, v);
        weft_graph_output(g, whole, gradient >= 0 ? gradient : weft_graph_numbers(g, g->values[v].shape, NULL));
    }
    return weft_graph_status(g);
}

static weft_result differentiate(const weft_graph *from, const weft_grad_request *request, const weft_value *wrt, weft_graph *to)
{
    weft_value *map = weft_graph_new_map(from, to);
    weft_value *cotangents = weft_arena_new(to->arena, sizeof *cotangents * (size_t) (from->output_count + 1));
    if (!map || !cotangents) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_graph_copy_inputs(from, to, map));
    for (int i = 0; i < from->output_count; i++) {
        const weft_value_def *y = &from->values[from->outputs[i].value];
        const char *name = weft_arena_print(to->arena, "d.%s", from->outputs[i].name);
        cotangents[i] = -1;
        if (request->loss < 0 && request->cotangents[i] && name) cotangents[i] = weft_graph_input(to, name, WEFT_F32, y->shape);
    }
    for (int i = 0; i < from->node_count; i++) WEFT_TRY(weft_graph_copy_node(from, &from->nodes[i], to, map));
    for (int i = 0; i < request->wrt_count; i++) weft_graph_map(from, to, map, wrt[i]); // a constant that nobody uses
    WEFT_TRY(weft_graph_copy_outputs(from, to, map));

    const int values = to->value_count; // of the forward graph: only those receive gradients
    walk w = { .to = to };
    w.live = weft_arena_new(to->arena, (size_t) values + 1);
    w.gradient = weft_arena_new(to->arena, sizeof *w.gradient * (size_t) (values + 1));
    w.parts = weft_arena_new(to->arena, sizeof *w.parts * (size_t) (values + 1));
    if (!w.live || !w.gradient || !w.parts) return WEFT_ERR_MEMORY;
    for (int v = 0; v < values; v++) w.gradient[v] = -1;
    for (int i = 0; i < request->wrt_count; i++) w.live[map[wrt[i]]] = true;
    const int forward = to->node_count;
    mark_live(&w);
    WEFT_TRY(seed(&w, from, request, cotangents));
    for (int i = forward - 1; i >= 0; i--) WEFT_TRY(step_back(&w, i));
    weft_grad_request mapped = *request;
    mapped.wrt = wrt;
    return name_results(&w, from, &mapped, map);
}

weft_result weft_pass_grad(const weft_graph *from, const weft_grad_request *request, weft_graph *to)
{
    weft_graph expanded, unfused, plain; // rows without a gradient of their own replaced by rows that have one
    weft_graph_init(&expanded, to->arena);
    weft_graph_init(&unfused, to->arena);
    weft_graph_init(&plain, to->arena);
    WEFT_TRY(weft_pass_expand(from, has_grad_or_no_expansion, &expanded));
    WEFT_TRY(weft_pass_unfuse(&expanded, &unfused));
    WEFT_TRY(weft_pass_fuse(&unfused, weft_grad_fuse_rules, &plain));
    weft_value *wrt = weft_arena_new(to->arena, sizeof *wrt * (size_t) (request->wrt_count + 1));
    if (!wrt) return WEFT_ERR_MEMORY;
    for (int i = 0; i < request->wrt_count; i++) {
        wrt[i] = -1;
        for (int k = 0; k < from->input_count; k++) // inputs keep their order
            if (from->inputs[k].value == request->wrt[i]) wrt[i] = plain.inputs[k].value;
        for (int k = 0; k < from->state_count; k++)
            if (from->states[k].value == request->wrt[i]) wrt[i] = plain.states[k].value;
        for (int v = 0; v < plain.value_count && wrt[i] < 0; v++)
            if (plain.values[v].weight && plain.values[v].weight == from->values[request->wrt[i]].weight) wrt[i] = v;
        if (wrt[i] < 0 || plain.values[wrt[i]].dtype != WEFT_F32)
            return weft_fail(WEFT_ERR_ARGUMENT, "gradient %d: not an f32 input, state or weight that the outputs depend on", i);
    }
    return differentiate(&plain, request, wrt, to);
}
