// SPDX-License-Identifier: MIT
// Pass: chooses layout and storage of every value, and converts where a maker and a user differ.
// Constants are not converted by kernels: they are declared as wanted, and the upload writes them so.
#include "graph/lower.h"
#include "base/half.h"
#include <string.h>

typedef struct form { weft_layout layout; weft_dtype storage; } form; // how a value lies in device memory

typedef struct ready { // a value of the new graph in a form somebody wanted
    form form;
    weft_value value;
    struct ready *next;
} ready;

typedef struct physical {
    const weft_graph *from;
    weft_graph *to;
    weft_value *map;
    ready **ready; // per old value
    const weft_op *convert;
    weft_half half;
    bool *exact; // per old node: f32 even so
    bool *packed; // per old value: a weight of f16, or that f16 holds, which all its users take so
    int *last;   // as weft_lower_readers has it
} physical;

enum { CHEAP = 16, FEW = 64 };

static bool is_cheap(const weft_node *n) // and so are the conversions in front of it
{
    double moved = 0;
    for (int i = 0; i < n->in_count; i++) moved += (double) weft_shape_count(n->in_shape[i]);
    for (int k = 0; k < n->out_count; k++) moved += (double) weft_shape_count(n->out_shape[k]);
    return weft_node_flops(n) <= CHEAP * moved;
}

static bool makes_few_integers(const weft_node *n)
{
    for (int k = 0; k < n->out_count; k++)
        if (n->out_dtype[k] != WEFT_I32 || weft_shape_count(n->out_shape[k]) > FEW) return false;
    for (int i = 0; i < n->in_count; i++)
        if (weft_shape_count(n->in_shape[i]) > FEW) return false;
    return true;
}

static bool makes_one_number(const weft_node *n) // a loss, most likely: sums leave the range of f16 at 65504
{
    return n->out_count == 1 && weft_shape_count(n->out_shape[0]) == 1;
}

static int64_t pixels(weft_shape s) { return s.rank == 4 ? s.dim[2] * s.dim[3] : 0; }

static int64_t most_pixels(const weft_graph *g)
{
    int64_t most = 0;
    for (int v = 0; v < g->value_count; v++)
        if (!g->values[v].weight && pixels(g->values[v].shape) > most) most = pixels(g->values[v].shape);
    return most;
}

static bool is_large(const weft_graph *g, const weft_node *n, int64_t most)
{
    enum { SHARE = 64 };
    int64_t here = 0;
    for (int k = 0; k < n->out_count; k++)
        if (pixels(n->out_shape[k]) > here) here = pixels(n->out_shape[k]);
    for (int i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && !g->values[n->in[i]].weight && pixels(n->in_shape[i]) > here) here = pixels(n->in_shape[i]);
    return here && here * SHARE >= most;
}

// Nodes on the way to a state or to a row that wants f32, and nowhere else, keep f32: what an optimiser counts, looks up and
// updates would stand still in f16, whose numbers lie 2 apart from 2048 on. So do those that make a few integers, which are an index,
// and cheap ones that make a single number.
static weft_result find_exact(physical *p)
{
    const weft_graph *g = p->from;
    bool *used = weft_arena_new(p->to->arena, (size_t) g->value_count + 1), *rounded = weft_arena_new(p->to->arena, (size_t) g->value_count + 1);
    p->exact = weft_arena_new(p->to->arena, (size_t) g->node_count + 1);
    if (!used || !rounded || !p->exact) return WEFT_ERR_MEMORY;
    for (int i = 0; i < g->output_count; i++) used[g->outputs[i].value] = rounded[g->outputs[i].value] = true;
    for (int i = 0; i < g->state_count; i++)
        if (g->states[i].next >= 0) used[g->states[i].next] = true;
    const int64_t most = most_pixels(g);
    for (int i = g->node_count - 1; i >= 0; i--) {
        const weft_node *n = &g->nodes[i];
        bool any = false, all = true;
        for (int k = 0; k < n->out_count; k++) any |= used[n->out[k]], all &= !rounded[n->out[k]];
        p->exact[i] = n->op->flags & WEFT_OP_F32 || makes_few_integers(n) || (is_cheap(n) && ((any && all) || makes_one_number(n))) ||
                      (p->half == WEFT_HALF_LARGE && !is_large(g, n, most));
        for (int k = 0; k < n->in_count; k++)
            if (n->in[k] >= 0) used[n->in[k]] = true, rounded[n->in[k]] |= !p->exact[i];
    }
    return WEFT_OK;
}

static bool in_half(const physical *p, const weft_node *n, int8_t dtype) { return p->half && dtype == WEFT_F32 && !p->exact[n - p->from->nodes]; }

// Moving numbers, or scaling them by a power of two, mostly leaves them such.
static bool f16_holds(const weft_weight *w)
{
    for (int64_t i = 0; i < weft_shape_count(w->shape); i++) {
        float f, back;
        memcpy(&f, (const char *) w->data + i * 4, 4);
        back = weft_half_to_float(weft_float_to_half(f));
        if (memcmp(&f, &back, 4)) return false;
    }
    return true;
}

static bool may_pack(const weft_weight *w) { return w && (w->dtype == WEFT_F16 || (w->dtype == WEFT_F32 && w->from_half)); }

// Weights that a file holds in f16 are widened unless all who read them can do without.
static weft_result find_packed(physical *p)
{
    const weft_graph *g = p->from;
    p->packed = weft_arena_new(p->to->arena, (size_t) g->value_count + 1);
    if (!p->packed) return WEFT_ERR_MEMORY;
    for (int v = 0; v < g->value_count; v++) p->packed[v] = may_pack(g->values[v].weight);
    for (const weft_node *n = g->nodes; n < g->nodes + g->node_count; n++)
        for (int i = 0; i < n->in_count; i++)
            if (n->in[i] >= 0 && !in_half(p, n, WEFT_F32) && !(i < 32 && n->op->half_inputs >> i & 1)) p->packed[n->in[i]] = false;
    for (int i = 0; i < g->output_count; i++) p->packed[g->outputs[i].value] = false;
    for (int i = 0; i < g->state_count; i++)
        if (g->states[i].next >= 0) p->packed[g->states[i].next] = false;
    for (int v = 0; v < g->value_count; v++) p->packed[v] = p->packed[v] && (g->values[v].weight->dtype == WEFT_F16 || f16_holds(g->values[v].weight));
    return WEFT_OK;
}

static bool same_bytes(weft_shape s, weft_layout a, weft_layout b) // whether the two layouts put every element in one place
{
    int64_t p[WEFT_MAX_RANK], q[WEFT_MAX_RANK];
    weft_layout_strides(s, a, p);
    weft_layout_strides(s, b, q);
    for (int d = 0; d < s.rank; d++)
        if (s.dim[d] > 1 && p[d] != q[d]) return false;
    return true;
}

static form form_of(const weft_value_def *v) { return (form) { (weft_layout) v->layout, (weft_dtype) v->storage }; }

void weft_graph_set_form(weft_graph *g, weft_value v, weft_layout layout, weft_dtype storage)
{
    weft_value_def *def = &g->values[v];
    def->layout = (int8_t) layout;
    def->storage = (int8_t) storage;
    if (def->node >= 0) g->nodes[def->node].out_layout[def->slot] = (int8_t) layout;
}

static void set_form(weft_graph *g, weft_value v, form f) { weft_graph_set_form(g, v, f.layout, f.storage); }

static form wanted(const physical *p, const weft_node *n, int input)
{
    const weft_value_def *v = &p->from->values[n->in[input]];
    form f = { WEFT_ROW, (weft_dtype) v->dtype };
    if (in_half(p, n, v->dtype) || p->packed[n->in[input]]) f.storage = WEFT_F16;
    if (v->shape.rank != 4) return f;
    if (input < 32 && n->op->kernel_inputs >> input & 1) f.layout = WEFT_KERNEL;
    else if (input < 32 && n->op->kernel_t_inputs >> input & 1) f.layout = WEFT_KERNEL_T;
    else if (n->op->flags & WEFT_OP_IMAGE) f.layout = WEFT_IMAGE;
    else if (n->op->flags & WEFT_OP_STRIDED && !v->weight) f.layout = (weft_layout) p->to->values[p->map[n->in[input]]].layout;
    return f;
}

// The old value `v` in the form `f`: as it is, converted before, or converted now.
static weft_value obtain(physical *p, weft_value v, form f)
{
    weft_graph *to = p->to;
    const weft_value_def *old = &p->from->values[v];
    if (!old->weight) {
        const form is = form_of(&to->values[p->map[v]]);
        if (is.storage == f.storage && same_bytes(old->shape, is.layout, f.layout)) return p->map[v];
    }
    for (ready *r = p->ready[v]; r; r = r->next)
        if (r->form.storage == f.storage && r->form.layout == f.layout) return r->value;

    ready *r = weft_arena_new(to->arena, sizeof *r);
    if (!r) return -1;
    const char *prefix = to->name_prefix;
    to->name_prefix = NULL;
    *r = (ready) { f, old->weight ? weft_graph_constant(to, old->weight) : weft_graph_op(to, p->convert, &p->map[v], 1, NULL), p->ready[v] };
    to->name_prefix = prefix;
    if (r->value < 0) return -1;
    set_form(to, r->value, f);
    to->values[r->value].origin = -1;
    p->ready[v] = r;
    return r->value;
}

static form made(const physical *p, const weft_node *n, const weft_value *in, int output)
{
    const weft_value_def *v = &p->from->values[n->out[output]];
    form f = { WEFT_ROW, (weft_dtype) v->dtype };
    if (n->op->flags & WEFT_OP_ALIAS) return (form) { WEFT_ROW, (weft_dtype) p->to->values[in[0]].storage };
    if (in_half(p, n, v->dtype)) f.storage = WEFT_F16;
    if (v->shape.rank != 4 || n->op->row_outputs >> output & 1) return f;
    if (n->op->flags & WEFT_OP_IMAGE) f.layout = WEFT_IMAGE;
    for (int i = 0; n->op->flags & WEFT_OP_STRIDED && i < n->in_count; i++)
        if (in[i] >= 0 && !p->to->values[in[i]].weight && p->to->values[in[i]].layout == WEFT_IMAGE) f.layout = WEFT_IMAGE;
    return f;
}

static weft_result place_node(physical *p, const weft_node *n)
{
    weft_graph *to = p->to;
    weft_value *in = weft_arena_new(to->arena, sizeof *in * (size_t) (n->in_count + 1));
    if (!in) return WEFT_ERR_MEMORY;
    for (int i = 0; i < n->in_count; i++) {
        in[i] = -1;
        if (n->in[i] < 0) continue;
        form f = wanted(p, n, i);
        if (n->op->flags & WEFT_OP_ALIAS && !p->from->values[n->in[i]].weight) f.storage = (weft_dtype) to->values[p->map[n->in[i]]].storage;
        if ((in[i] = obtain(p, n->in[i], f)) < 0) return weft_graph_fail(to, WEFT_ERR_MEMORY), weft_graph_status(to);
    }
    to->name_prefix = n->name;
    const weft_value out = weft_graph_op(to, n->op, in, n->in_count, n->attrs);
    to->name_prefix = NULL;
    WEFT_TRY(weft_graph_status(to));
    for (int k = 0; k < n->out_count; k++) {
        p->map[n->out[k]] = out + k;
        to->values[out + k].origin = p->from->values[n->out[k]].origin;
        set_form(to, out + k, made(p, n, in, k));
    }
    return WEFT_OK;
}

// Outputs that the host wants in another layout are converted when nothing else reads them any more, unless that makes them larger:
// waiting for the end would have both forms of the last ones alive with all the others.
static weft_result convert_outputs(physical *p, int node)
{
    const weft_graph *g = p->from;
    for (int i = 0; i < g->output_count; i++) {
        const weft_value v = g->outputs[i].value;
        if (p->last[weft_lower_root(g, v)] != node || p->map[v] < 0 || p->to->values[p->map[v]].storage != g->values[v].dtype) continue;
        if (obtain(p, v, (form) { WEFT_ROW, (weft_dtype) g->values[v].dtype }) < 0) return weft_graph_fail(p->to, WEFT_ERR_MEMORY), weft_graph_status(p->to);
    }
    return WEFT_OK;
}

weft_result weft_pass_physical(const weft_graph *from, weft_half half, weft_graph *to)
{
    physical p = { .from = from, .to = to, .half = half, .map = weft_graph_new_map(from, to) };
    p.ready = weft_arena_new(to->arena, sizeof *p.ready * (size_t) (from->value_count + 1));
    p.last = weft_arena_new(to->arena, sizeof *p.last * (size_t) (from->value_count + 1));
    if (!p.map || !p.ready || !p.last) return WEFT_ERR_MEMORY;
    for (int i = 0; (p.convert = weft_op_at(i)) && !(p.convert->flags & WEFT_OP_CONVERT); i++) {}
    if (!p.convert) return weft_fail(WEFT_ERR_UNSUPPORTED, "there is no operator that converts layouts");

    WEFT_TRY(find_exact(&p));
    WEFT_TRY(find_packed(&p));
    WEFT_TRY(weft_graph_copy_inputs(from, to, p.map)); // ports and states lie as the host has them: row order, f32
    weft_lower_readers(from, false, p.last);
    for (int i = 0; i < from->node_count; i++) {
        WEFT_TRY(place_node(&p, &from->nodes[i]));
        WEFT_TRY(convert_outputs(&p, i));
    }
    for (int i = 0; i < from->output_count; i++) {
        const weft_value v = from->outputs[i].value;
        const weft_value out = obtain(&p, v, (form) { WEFT_ROW, (weft_dtype) from->values[v].dtype });
        if (out < 0) return weft_graph_fail(to, WEFT_ERR_MEMORY), weft_graph_status(to);
        weft_graph_output(to, from->outputs[i].name, out);
    }
    for (int i = 0; i < from->state_count; i++) {
        const weft_value v = from->states[i].next;
        if (v < 0) continue;
        const weft_value next = obtain(&p, v, (form) { WEFT_ROW, (weft_dtype) from->values[v].dtype });
        if (next < 0) return weft_graph_fail(to, WEFT_ERR_MEMORY), weft_graph_status(to);
        weft_graph_next(to, p.map[from->states[i].value], next);
    }
    return weft_graph_status(to);
}
