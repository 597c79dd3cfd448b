// SPDX-License-Identifier: MIT
// Building graphs: values, nodes, ports; and the copying that passes share.
#include "graph/graph.h"
#include "base/half.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void weft_graph_init(weft_graph *g, weft_arena *arena) { *g = (weft_graph) { .arena = arena }; }

weft_result weft_graph_fail(weft_graph *g, weft_result r)
{
    if (r != WEFT_OK && g->failed == WEFT_OK) {
        g->failed = r;
        g->failure = weft_arena_text(g->arena, weft_error_text());
    }
    return r;
}

weft_result weft_graph_status(const weft_graph *g)
{
    if (g->failed != WEFT_OK) return g->failure ? weft_fail(g->failed, "%s", g->failure) : g->failed;
    return g->arena->failed ? WEFT_ERR_MEMORY : WEFT_OK;
}

weft_result weft_node_fail(const weft_node *n, const char *format, ...)
{
    char text[768];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return weft_fail(WEFT_ERR_ARGUMENT, "%s '%s': %s", n->op->name, n->name ? n->name : "", text);
}

void weft_layout_strides(weft_shape s, weft_layout layout, int64_t stride[WEFT_MAX_RANK])
{
    weft_shape_strides(s, stride);
    const int64_t *d = s.dim;
    if (s.rank != 4 || layout == WEFT_ROW) return;
    if (layout == WEFT_IMAGE) stride[0] = d[1] * d[2] * d[3], stride[1] = 1, stride[2] = d[1] * d[3], stride[3] = d[1];
    else if (layout == WEFT_KERNEL) stride[0] = 1, stride[1] = d[0], stride[2] = d[0] * d[1] * d[3], stride[3] = d[0] * d[1];
    else stride[0] = d[1], stride[1] = 1, stride[2] = d[0] * d[1] * d[3], stride[3] = d[0] * d[1];
}

static weft_value add_value(weft_graph *g, weft_value_def def)
{
    if (g->failed || g->arena->failed) return -1;
    weft_value_def *values = weft_arena_grow(g->arena, g->values, g->value_count, sizeof *values);
    if (!values) return -1;
    g->values = values;
    g->values[g->value_count] = def;
    return g->value_count++;
}

weft_value weft_graph_input(weft_graph *g, const char *name, weft_dtype dtype, weft_shape shape)
{
    weft_value v = add_value(g, (weft_value_def) { shape, (int8_t) dtype, WEFT_ROW, (int8_t) dtype, -1, 0, g->value_count, NULL });
    weft_port_def *ports = weft_arena_grow(g->arena, g->inputs, g->input_count, sizeof *ports);
    if (v < 0 || !ports) return -1;
    g->inputs = ports;
    g->inputs[g->input_count++] = (weft_port_def) { weft_arena_text(g->arena, name), v };
    return v;
}

weft_value weft_graph_state(weft_graph *g, const char *name, weft_dtype dtype, weft_shape shape, const weft_weight *init)
{
    weft_value v = add_value(g, (weft_value_def) { shape, (int8_t) dtype, WEFT_ROW, (int8_t) dtype, -1, 0, g->value_count, NULL });
    weft_state_def *states = weft_arena_grow(g->arena, g->states, g->state_count, sizeof *states);
    if (v < 0 || !states) return -1;
    g->states = states;
    g->states[g->state_count++] = (weft_state_def) { weft_arena_text(g->arena, name), v, -1, init };
    return v;
}

void weft_graph_next(weft_graph *g, weft_value state, weft_value next)
{
    int k = 0;
    if (g->failed || g->arena->failed) return;
    while (k < g->state_count && g->states[k].value != state) k++;
    if (k == g->state_count) weft_graph_fail(g, weft_fail(WEFT_ERR_ARGUMENT, "value %d is no state, so nothing can follow it", (int) state));
    else if (next < 0 || next >= g->value_count)
        weft_graph_fail(g, weft_fail(WEFT_ERR_ARGUMENT, "state '%s': what follows it is no value of this graph", g->states[k].name));
    else if (g->states[k].next >= 0) weft_graph_fail(g, weft_fail(WEFT_ERR_ARGUMENT, "state '%s': what follows it is said twice", g->states[k].name));
    else g->states[k].next = next;
}

weft_value weft_graph_constant(weft_graph *g, const weft_weight *w)
{
    const int8_t dtype = w->dtype == WEFT_I32 || w->dtype == WEFT_U8 ? WEFT_I32 : WEFT_F32;
    return add_value(g, (weft_value_def) { w->shape, dtype, WEFT_ROW, dtype, -1, 0, g->value_count, w });
}

weft_value weft_graph_numbers(weft_graph *g, weft_shape shape, const float *data)
{
    const size_t bytes = (size_t) weft_shape_count(shape) * 4;
    weft_weight *w = weft_arena_new(g->arena, sizeof *w);
    void *room = data ? weft_arena_copy(g->arena, data, bytes) : weft_arena_new(g->arena, bytes);
    if (!w || !room) return -1;
    *w = (weft_weight) { NULL, WEFT_F32, shape, room, bytes };
    weft_value v = weft_graph_constant(g, w);
    if (v >= 0) g->values[v].origin = -1;
    return v;
}

weft_value weft_graph_scalar(weft_graph *g, double value)
{
    const float f = (float) value;
    return weft_graph_numbers(g, (weft_shape) { 0 }, &f);
}

void weft_graph_output(weft_graph *g, const char *name, weft_value v)
{
    if (g->failed || g->arena->failed) return;
    if (v < 0 || v >= g->value_count) {
        weft_graph_fail(g, weft_fail(WEFT_ERR_ARGUMENT, "output '%s' is no value of this graph", name));
        return;
    }
    weft_port_def *ports = weft_arena_grow(g->arena, g->outputs, g->output_count, sizeof *ports);
    if (!ports) return;
    g->outputs = ports;
    g->outputs[g->output_count++] = (weft_port_def) { weft_arena_text(g->arena, name), v };
}

// How many inputs the row allows: "x w b?" is 2..3, "x..." is 1..any.
static void input_limits(const char *names, int *least, int *most)
{
    *least = *most = 0;
    while (*names) {
        const size_t len = strcspn(names, " ");
        ++*most;
        if (names[len - 1] != '?') ++*least;
        if (names[len - 1] == '.') *most = INT32_MAX;
        names += len + (names[len] == ' ');
    }
}

static int count_names(const char *names)
{
    int n = *names != 0;
    for (; *names; names++) n += *names == ' ';
    return n;
}

int weft_op_outputs(const weft_op *op, const void *attrs) { return op->outputs ? op->outputs(attrs) : count_names(op->out_names); }

static weft_result check_inputs(const weft_graph *g, const weft_op *op, const char *name, const weft_value *in, int count)
{
    int least, most;
    input_limits(op->in_names, &least, &most);
    if (count < least || count > most)
        return weft_fail(WEFT_ERR_ARGUMENT, "%s '%s': has %d inputs, wants '%s'", op->name, name, count, op->in_names);
    for (int i = 0; i < count; i++)
        if (in[i] >= g->value_count || (in[i] < 0 && (i < least || most == INT32_MAX)))
            return weft_fail(WEFT_ERR_ARGUMENT, "%s '%s': input %d of '%s' is missing", op->name, name, i, op->in_names);
    return WEFT_OK;
}

// "x" of "x w b?" for input 0; the last one for all that follow it.
static const char *input_name(const char *names, int input, char text[32])
{
    for (; input > 0 && strchr(names, ' '); input--) names = strchr(names, ' ') + 1;
    snprintf(text, 32, "%.*s", (int) strcspn(names, " ?."), names);
    return text;
}

static weft_result infer(weft_node *n)
{
    char name[32];
    for (int i = 0; !(n->op->flags & WEFT_OP_INTEGERS) && i < n->in_count; i++)
        if (n->in_dtype[i] == WEFT_I32) return weft_node_fail(n, "%s holds integers: cast it to f32", input_name(n->op->in_names, i, name));
    WEFT_TRY(n->op->infer(n));
    for (int k = 0; k < n->out_count; k++) {
        char what[160];
        snprintf(what, sizeof what, "%s '%.80s': output %d", n->op->name, n->name, k);
        WEFT_TRY(weft_shape_check(n->out_shape[k], what));
    }
    return WEFT_OK;
}

weft_value weft_graph_op(weft_graph *g, const weft_op *op, const weft_value *in, int in_count, const void *attrs)
{
    if (g->failed || g->arena->failed) return -1;
    weft_arena *a = g->arena;
    weft_node n = { .op = op, .in_count = in_count };
    n.name = g->name_prefix && *g->name_prefix ? weft_arena_text(a, g->name_prefix) : weft_arena_print(a, "%s.%d", op->name, g->node_count);
    if (!n.name) return -1;
    if (weft_graph_fail(g, check_inputs(g, op, n.name, in, in_count))) return -1;

    void *at = weft_arena_new(a, op->attr_bytes + 1);
    if (at && attrs) memcpy(at, attrs, op->attr_bytes);
    else if (at) weft_attr_defaults(op, at);
    n.attrs = at;
    n.out_count = at ? weft_op_outputs(op, at) : 0;
    if (n.out_count > WEFT_MAX_OUT) {
        weft_graph_fail(g, weft_node_fail(&n, "has %d outputs, more than %d", n.out_count, WEFT_MAX_OUT));
        return -1;
    }
    const int room = in_count < WEFT_MAX_BIND ? WEFT_MAX_BIND : in_count; // optional inputs that were not even mentioned have shapes too: none
    n.in = weft_arena_copy(a, in, sizeof *in * (size_t) in_count);
    n.out = weft_arena_new(a, sizeof *n.out * (size_t) n.out_count);
    n.in_shape = weft_arena_new(a, sizeof(weft_shape) * (size_t) room);
    n.out_shape = weft_arena_new(a, sizeof(weft_shape) * (size_t) n.out_count);
    n.in_dtype = weft_arena_new(a, (size_t) room);
    n.out_dtype = weft_arena_new(a, (size_t) n.out_count);
    n.in_layout = weft_arena_new(a, (size_t) room);
    n.out_layout = weft_arena_new(a, (size_t) n.out_count);
    bool *constant = weft_arena_new(a, (size_t) room * sizeof *constant);
    n.in_constant = constant;
    if (a->failed) return -1;
    for (int i = 0; i < room; i++) {
        n.in_dtype[i] = -1;
        if (i >= in_count || in[i] < 0) continue;
        const weft_value_def *v = &g->values[in[i]];
        n.in_shape[i] = v->shape, n.in_dtype[i] = v->dtype, n.in_layout[i] = v->layout, constant[i] = v->weight != NULL;
    }
    if (g->bound && weft_graph_fail(g, infer(&n))) return -1;
    for (int k = 0; k < n.out_count; k++) {
        n.out[k] = add_value(g, (weft_value_def) { n.out_shape[k], n.out_dtype[k], WEFT_ROW, n.out_dtype[k], g->node_count, k,
                                                   g->value_count, NULL });
        if (n.out[k] < 0) return -1;
    }
    weft_node *nodes = weft_arena_grow(a, g->nodes, g->node_count, sizeof *nodes);
    if (!nodes) return -1;
    g->nodes = nodes;
    g->nodes[g->node_count++] = n;
    return n.out_count ? n.out[0] : -1;
}

weft_value weft_graph_call(weft_graph *g, const char *op, const weft_value *in, int in_count, const void *attrs)
{
    const weft_op *row = weft_op_find(op);
    if (row) return weft_graph_op(g, row, in, in_count, attrs);
    weft_graph_fail(g, weft_fail(WEFT_ERR_UNSUPPORTED, "there is no operator '%s'", op));
    return -1;
}

double weft_node_flops(const weft_node *n)
{
    return n->op->flops ? n->op->flops(n) : (double) weft_shape_count(n->out_shape[0]);
}

// --- Copying. ------------------------------------------------------------------------------------------------

weft_value *weft_graph_new_map(const weft_graph *from, weft_graph *to)
{
    *to = (weft_graph) { .arena = to->arena, .bound = from->bound };
    weft_value *map = weft_arena_new(to->arena, sizeof *map * (size_t) (from->value_count + 1));
    for (int i = 0; map && i < from->value_count; i++) map[i] = -1;
    return map;
}

// A copied value keeps where it came from, how it lies and how it is stored.
static void copy_facts(const weft_graph *from, weft_value v, weft_graph *to, weft_value w)
{
    if (w < 0) return;
    to->values[w].origin = from->values[v].origin;
    to->values[w].layout = from->values[v].layout;
    to->values[w].storage = from->values[v].storage;
}

weft_result weft_graph_copy_inputs(const weft_graph *from, weft_graph *to, weft_value *map)
{
    for (int i = 0; i < from->input_count; i++) {
        const weft_value v = from->inputs[i].value;
        map[v] = weft_graph_input(to, from->inputs[i].name, (weft_dtype) from->values[v].dtype, from->values[v].shape);
        copy_facts(from, v, to, map[v]);
    }
    for (int i = 0; i < from->state_count; i++) {
        const weft_value v = from->states[i].value;
        map[v] = weft_graph_state(to, from->states[i].name, (weft_dtype) from->values[v].dtype, from->values[v].shape, from->states[i].init);
        copy_facts(from, v, to, map[v]);
    }
    return weft_graph_status(to);
}

weft_value weft_graph_map(const weft_graph *from, weft_graph *to, weft_value *map, weft_value v)
{
    if (v < 0) return -1;
    if (map[v] < 0 && from->values[v].weight) {
        map[v] = weft_graph_constant(to, from->values[v].weight);
        copy_facts(from, v, to, map[v]);
    }
    return map[v];
}

weft_result weft_graph_copy_node(const weft_graph *from, const weft_node *n, weft_graph *to, weft_value *map)
{
    weft_value *in = weft_arena_new(to->arena, sizeof *in * (size_t) (n->in_count + 1));
    if (!in) return WEFT_ERR_MEMORY;
    for (int i = 0; i < n->in_count; i++) in[i] = weft_graph_map(from, to, map, n->in[i]);
    const char *prefix = to->name_prefix;
    to->name_prefix = n->name;
    weft_value out = weft_graph_op(to, n->op, in, n->in_count, n->attrs);
    to->name_prefix = prefix;
    WEFT_TRY(weft_graph_status(to));
    for (int k = 0; k < n->out_count; k++) {
        map[n->out[k]] = out + k;
        copy_facts(from, n->out[k], to, out + k);
    }
    return WEFT_OK;
}

weft_result weft_graph_make(const weft_graph *from, int index, const weft_value *map, const int *at, int *stack,
                            weft_result (*make)(void *user, int index), void *user)
{
    int top = 0;
    stack[top++] = index;
    while (top) {
        const weft_node *n = &from->nodes[stack[top - 1]];
        int wait = -1;
        for (int k = 0; k < n->in_count && wait < 0; k++)
            if (n->in[k] >= 0 && map[n->in[k]] < 0) wait = from->values[n->in[k]].node;
        if (wait >= 0) stack[top++] = at ? at[wait] : wait; // nothing waits for itself: the stack holds each once
        else WEFT_TRY(make(user, stack[--top]));
    }
    return WEFT_OK;
}

weft_result weft_graph_copy_outputs(const weft_graph *from, weft_graph *to, weft_value *map)
{
    for (int i = 0; i < from->output_count; i++)
        weft_graph_output(to, from->outputs[i].name, weft_graph_map(from, to, map, from->outputs[i].value));
    for (int i = 0; i < from->state_count; i++)
        if (from->states[i].next >= 0) weft_graph_next(to, map[from->states[i].value], weft_graph_map(from, to, map, from->states[i].next));
    return weft_graph_status(to);
}
