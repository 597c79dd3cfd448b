// SPDX-License-Identifier: MIT
// weft_build_call: an entry of a finished model inside the one being built.
#include "api/builder.h"
#include "graph/insert.h"
#include <string.h>

// The values' shapes and types as they are at the preset dimensions. The graph being built has none yet, so it is bound for the purpose.
static weft_result look_at(const weft_model *m, const weft_graph *g, const weft_value *values, int count, weft_arena *a, weft_value_def *out)
{
    weft_graph view = *g, bound;
    weft_port_def *ports = weft_arena_new(a, sizeof *ports * (size_t) (count + 1));
    int64_t *dims = weft_arena_new(a, sizeof *dims * (size_t) (m->dim_count + 1));
    if (!ports || !dims) return WEFT_ERR_MEMORY;
    for (int i = 0; i < m->dim_count; i++) dims[i] = m->dims[i].preset;
    for (int i = 0; i < count; i++) {
        if (values[i] < 0 || values[i] >= g->value_count) return weft_fail(WEFT_ERR_ARGUMENT, "argument %d is no value of this entry", i);
        ports[i] = (weft_port_def) { "", values[i] };
    }
    view.outputs = ports, view.output_count = count;
    weft_graph_init(&bound, a);
    WEFT_TRY(weft_pass_bind(&view, dims, &bound));
    for (int i = 0; i < count; i++) out[i] = bound.values[bound.outputs[i].value];
    return WEFT_OK;
}

static int find_port(const weft_graph *g, const char *name)
{
    for (int i = 0; i < g->input_count; i++)
        if (!strcmp(g->inputs[i].name, name)) return i;
    return -1;
}

static weft_value find_weight_value(const weft_graph *g, const char *name)
{
    for (int v = 0; name && v < g->value_count; v++)
        if (g->values[v].weight && !strcmp(g->values[v].weight->name, name)) return v;
    return -1;
}

// Which input each argument is for; every input once.
static weft_result match_inputs(const weft_call *c, const weft_graph *g, int *port, weft_value *map)
{
    for (int i = 0, next = 0; i < c->in_count; i++) {
        port[i] = c->in[i].port ? find_port(g, c->in[i].port) : next < g->input_count ? next : -1;
        if (port[i] < 0 && c->in[i].port) return weft_fail(WEFT_ERR_ARGUMENT, "there is no input '%s'", c->in[i].port);
        if (port[i] < 0) return weft_fail(WEFT_ERR_ARGUMENT, "%d arguments for %d inputs", c->in_count, g->input_count);
        next = port[i] + 1;
        weft_value *to = &map[g->inputs[port[i]].value];
        if (*to >= 0) return weft_fail(WEFT_ERR_ARGUMENT, "input '%s' is given twice", g->inputs[port[i]].name);
        *to = c->in[i].value;
    }
    for (int i = 0; i < g->input_count; i++)
        if (map[g->inputs[i].value] < 0) return weft_fail(WEFT_ERR_ARGUMENT, "input '%s' is not given", g->inputs[i].name);
    return WEFT_OK;
}

static weft_result check_inputs(const weft_call *c, const int *port, const weft_value_def *arg, weft_arena *a, int64_t *dims)
{
    const weft_graph *g = &c->model->entries[c->entry].graph;
    weft_port_shape *shapes = weft_arena_new(a, sizeof *shapes * (size_t) (c->in_count + 1));
    if (!shapes) return WEFT_ERR_MEMORY;
    for (int i = 0; i < c->in_count; i++) {
        const weft_port_def *p = &g->inputs[port[i]];
        shapes[i] = (weft_port_shape) { p->name, arg[i].shape };
        if (arg[i].dtype != g->values[p->value].dtype)
            return weft_fail(WEFT_ERR_ARGUMENT, "input '%s' wants %s: cast the value", p->name, g->values[p->value].dtype == WEFT_I32 ? "integers" : "f32");
    }
    return weft_model_bind_dims(c->model, c->entry, shapes, c->in_count, dims);
}

static weft_result replace_weights(const weft_call *c, const weft_value_def *by, weft_value *map)
{
    const weft_graph *g = &c->model->entries[c->entry].graph;
    char want[WEFT_SHAPE_TEXT], got[WEFT_SHAPE_TEXT];
    for (int i = 0; i < c->replace_count; i++) {
        const char *name = c->replace[i].port;
        const weft_value v = find_weight_value(g, name);
        if (v < 0) return weft_fail(WEFT_ERR_ARGUMENT, "there is no weight '%s' to replace", name ? name : "");
        if (map[v] >= 0) return weft_fail(WEFT_ERR_ARGUMENT, "weight '%s' is replaced twice", name);
        if (by[i].dtype != g->values[v].dtype || !weft_shape_equal(by[i].shape, g->values[v].shape))
            return weft_fail(WEFT_ERR_ARGUMENT, "weight '%s' is %s %s, what replaces it %s %s", name, g->values[v].dtype == WEFT_I32 ? "integers" : "f32",
                             weft_shape_text(g->values[v].shape, want), by[i].dtype == WEFT_I32 ? "integers" : "f32", weft_shape_text(by[i].shape, got));
        map[v] = c->replace[i].value;
    }
    return WEFT_OK;
}

static weft_result insert(weft_builder *b, weft_graph *g, const weft_call *c, weft_arena *a, weft_value **map)
{
    const weft_graph *from = &c->model->entries[c->entry].graph;
    const int count = c->in_count + c->replace_count;
    weft_value *values = weft_arena_new(a, sizeof *values * (size_t) (count + 1));
    weft_value_def *defs = weft_arena_new(a, sizeof *defs * (size_t) (count + 1));
    int *port = weft_arena_new(a, sizeof *port * (size_t) (c->in_count + 1));
    int64_t *dims = weft_arena_new(a, sizeof *dims * (size_t) (c->model->dim_count + 1));
    *map = weft_arena_new(a, sizeof **map * (size_t) (from->value_count + 1));
    if (!values || !defs || !port || !dims || !*map) return WEFT_ERR_MEMORY;
    for (int v = 0; v < from->value_count; v++) (*map)[v] = -1;
    for (int i = 0; i < count; i++) values[i] = i < c->in_count ? c->in[i].value : c->replace[i - c->in_count].value;
    WEFT_TRY(look_at(b->model, g, values, count, a, defs));
    WEFT_TRY(match_inputs(c, from, port, *map));
    WEFT_TRY(check_inputs(c, port, defs, a, dims));
    WEFT_TRY(replace_weights(c, defs + c->in_count, *map));
    WEFT_TRY(weft_model_use(b->model, c->model));
    return weft_graph_insert(from, g, *map, dims, c->prefix, b->model);
}

int weft_build_call(weft_builder *b, const weft_call *c, weft_value *out, int out_count)
{
    weft_graph *g = current(b);
    for (int i = 0; i < out_count; i++) out[i] = -1;
    if (!g) return -1;
    if (!c->model || c->entry < 0 || c->entry >= c->model->entry_count)
        return broken(b, weft_fail(WEFT_ERR_ARGUMENT, "weft_build_call: no model, or entry %d of %d", c->entry, c->model ? c->model->entry_count : 0)), -1;
    const weft_entry *e = &c->model->entries[c->entry];
    weft_arena scratch = { .ctx = b->ctx };
    weft_value *map;
    const weft_result r = insert(b, g, c, &scratch, &map);
    if (r != WEFT_OK) broken(b, weft_fail_prefix(r, "call of '%s%s%s': ", c->prefix ? c->prefix : "", c->prefix ? "/" : "", e->name));
    for (int i = 0; i < out_count && i < e->graph.output_count && !b->failed; i++) out[i] = map[e->graph.outputs[i].value];
    weft_arena_free(&scratch);
    return b->failed ? -1 : e->graph.output_count;
}
