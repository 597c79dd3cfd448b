// SPDX-License-Identifier: MIT
// Models: their life, their ports, their named dimensions.
#include "graph/model.h"
#include <stdio.h>
#include <string.h>

weft_result weft_model_new(weft_context *ctx, weft_model **out)
{
    weft_model *m = weft_new(ctx, sizeof *m);
    if (!m) return WEFT_ERR_MEMORY;
    m->ctx = m->arena.ctx = ctx;
    atomic_store(&m->references, 1);
    *out = m;
    return WEFT_OK;
}

void weft_model_keep(weft_model *m) { atomic_fetch_add(&m->references, 1); }

void weft_model_release(weft_model *m)
{
    if (!m || atomic_fetch_sub(&m->references, 1) > 1) return;
    weft_file_unmap(&m->mapping);
    for (int i = 0; i < m->base_count; i++) weft_model_release(m->bases[i]);
    weft_arena_free(&m->arena);
    weft_delete(m->ctx, m);
}

weft_result weft_model_use(weft_model *m, const weft_model *base)
{
    for (int i = 0; i < m->base_count; i++)
        if (m->bases[i] == base) return WEFT_OK;
    weft_model **bases = weft_arena_grow(&m->arena, m->bases, m->base_count, sizeof *bases);
    if (!bases) return WEFT_ERR_MEMORY;
    m->bases = bases;
    m->bases[m->base_count++] = (weft_model *) (uintptr_t) base; // counted, otherwise as it was
    weft_model_keep(m->bases[m->base_count - 1]);
    return WEFT_OK;
}

static weft_port *public_ports(weft_arena *a, const weft_graph *g, const weft_port_def *defs, int count, const weft_graph *bound)
{
    weft_port *ports = weft_arena_new(a, sizeof *ports * (size_t) (count + 1));
    for (int i = 0; ports && i < count; i++) {
        const weft_value_def *v = &g->values[defs[i].value];
        // What an output's named dimensions are is known only once bound: at the presets it is shown as numbers.
        ports[i] = (weft_port) { defs[i].name, (weft_dtype) v->dtype, bound ? bound->values[bound->outputs[i].value].shape : v->shape };
        if (bound) ports[i].dtype = (weft_dtype) bound->values[bound->outputs[i].value].dtype;
    }
    return ports;
}

static weft_port *public_states(weft_arena *a, const weft_graph *g)
{
    weft_port *ports = weft_arena_new(a, sizeof *ports * (size_t) (g->state_count + 1));
    for (int i = 0; ports && i < g->state_count; i++) {
        const weft_value_def *v = &g->values[g->states[i].value];
        ports[i] = (weft_port) { g->states[i].name, (weft_dtype) v->dtype, v->shape };
    }
    return ports;
}

static weft_result seal_entry(weft_model *m, weft_entry *e)
{
    weft_arena scratch = { .ctx = m->ctx };
    weft_graph bound;
    int64_t *dims = weft_arena_new(&scratch, sizeof *dims * (size_t) (m->dim_count + 1));
    weft_graph_init(&bound, &scratch);
    for (int i = 0; dims && i < m->dim_count; i++) dims[i] = m->dims[i].preset;
    weft_result r = dims ? weft_pass_bind(&e->graph, dims, &bound) : WEFT_ERR_MEMORY;
    if (r == WEFT_OK) {
        e->inputs = public_ports(&m->arena, &e->graph, e->graph.inputs, e->graph.input_count, NULL);
        e->outputs = public_ports(&m->arena, &e->graph, e->graph.outputs, e->graph.output_count, &bound);
        e->states = public_states(&m->arena, &e->graph);
        if (!e->inputs || !e->outputs || !e->states) r = WEFT_ERR_MEMORY;
    }
    weft_arena_free(&scratch);
    return r;
}

weft_result weft_model_seal(weft_model *m)
{
    if (!m->entry_count) return weft_fail(WEFT_ERR_ARGUMENT, "the model has no entry");
    WEFT_TRY(weft_model_check_names(m));
    for (int i = 0; i < m->entry_count; i++) {
        weft_entry *e = &m->entries[i];
        if (!e->graph.output_count) return weft_fail(WEFT_ERR_ARGUMENT, "entry '%s' has no output", e->name);
        weft_result r = seal_entry(m, e);
        if (r != WEFT_OK) return weft_fail_prefix(r, "entry '%s': ", e->name);
    }
    return m->arena.failed ? WEFT_ERR_MEMORY : WEFT_OK;
}

static weft_result bind_shape(const weft_model *m, const weft_port *port, weft_shape given, int64_t *dims)
{
    char a[WEFT_SHAPE_TEXT];
    if (given.rank != port->shape.rank)
        return weft_fail(WEFT_ERR_ARGUMENT, "input '%s' wants rank %d, not %s", port->name, port->shape.rank, weft_shape_text(given, a));
    for (int i = 0; i < given.rank; i++) {
        const int64_t want = port->shape.dim[i];
        if (want >= 0 && want != given.dim[i])
            return weft_fail(WEFT_ERR_ARGUMENT, "input '%s': dimension %d is %lld, wants %lld", port->name, i,
                             (long long) given.dim[i], (long long) want);
        if (want >= 0) continue;
        const weft_dim *d = &m->dims[-want - 1];
        if (dims[-want - 1] && dims[-want - 1] != given.dim[i])
            return weft_fail(WEFT_ERR_ARGUMENT, "input '%s': dimension '%s' is %lld, but another input made it %lld", port->name,
                             d->name, (long long) given.dim[i], (long long) dims[-want - 1]);
        if (given.dim[i] < 1 || given.dim[i] % d->multiple)
            return weft_fail(WEFT_ERR_ARGUMENT, "input '%s': dimension '%s' is %lld, not a positive multiple of %lld", port->name,
                             d->name, (long long) given.dim[i], (long long) d->multiple);
        dims[-want - 1] = given.dim[i];
    }
    return WEFT_OK;
}

weft_result weft_model_bind_dims(const weft_model *m, int entry, const weft_port_shape *shapes, int shape_count, int64_t *dims)
{
    const weft_entry *e = &m->entries[entry];
    for (int i = 0; i < m->dim_count; i++) dims[i] = 0;
    for (int i = 0; i < shape_count; i++) {
        int k = 0;
        while (k < e->graph.input_count && strcmp(e->inputs[k].name, shapes[i].port)) k++;
        if (k == e->graph.input_count)
            return weft_fail(WEFT_ERR_ARGUMENT, "entry '%s' has no input '%s'", e->name, shapes[i].port);
        WEFT_TRY(bind_shape(m, &e->inputs[k], shapes[i].shape, dims));
    }
    for (int i = 0; i < m->dim_count; i++)
        if (!dims[i]) dims[i] = m->dims[i].preset;
    return WEFT_OK;
}
