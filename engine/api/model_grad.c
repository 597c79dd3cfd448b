// SPDX-License-Identifier: MIT
// weft_model_grad: the gradient of an entry as a model of its own, which uses the weights of the first.
#include "graph/grad.h"
#include "graph/model.h"
#include <stdio.h>
#include <string.h>

static int find_output(const weft_graph *g, const char *name)
{
    for (int i = 0; i < g->output_count; i++)
        if (!strcmp(g->outputs[i].name, name)) return i;
    return -1;
}

// An input or a state or, if there is none of that name, a weight.
static weft_value find_wrt(const weft_graph *g, const char *name)
{
    for (int i = 0; i < g->input_count; i++)
        if (!strcmp(g->inputs[i].name, name)) return g->inputs[i].value;
    for (int i = 0; i < g->state_count; i++)
        if (!strcmp(g->states[i].name, name)) return g->states[i].value;
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].weight && g->values[v].weight->name && !strcmp(g->values[v].weight->name, name)) return v;
    return -1;
}

static weft_result make_request(const weft_model_grad_params *p, const weft_graph *g, weft_arena *a, weft_grad_request *out)
{
    bool *cotangents = weft_arena_new(a, sizeof *cotangents * (size_t) (g->output_count + 1));
    weft_value *wrt = weft_arena_new(a, sizeof *wrt * (size_t) (p->wrt_count + 1));
    *out = (weft_grad_request) { cotangents, -1, wrt, p->wrt_count };
    if (!cotangents || !wrt) return WEFT_ERR_MEMORY;
    if (p->loss && (out->loss = find_output(g, p->loss)) < 0) return weft_fail(WEFT_ERR_ARGUMENT, "the loss '%s' is no output of the entry", p->loss);
    for (int i = 0; i < p->cotangent_count; i++) {
        const int k = find_output(g, p->cotangents[i]);
        if (k < 0) return weft_fail(WEFT_ERR_ARGUMENT, "cotangent '%s': the entry has no such output", p->cotangents[i]);
        if (g->values[g->outputs[k].value].dtype != WEFT_F32)
            return weft_fail(WEFT_ERR_ARGUMENT, "cotangent '%s': the output holds integers", p->cotangents[i]);
        cotangents[k] = true;
    }
    for (int i = 0; i < p->wrt_count; i++) {
        wrt[i] = find_wrt(g, p->wrt[i]);
        if (wrt[i] < 0 || g->values[wrt[i]].dtype != WEFT_F32)
            return weft_fail(WEFT_ERR_ARGUMENT, "gradient by '%s': the entry has no such f32 input, state or weight", p->wrt[i]);
        for (int k = 0; k < i; k++)
            if (wrt[k] == wrt[i]) return weft_fail(WEFT_ERR_ARGUMENT, "gradient by '%s' is asked for twice", p->wrt[i]);
    }
    return WEFT_OK;
}

static bool is_taken(const weft_model *m, const char *name)
{
    for (int i = 0; i < m->weight_count; i++)
        if (!strcmp(m->weights[i]->name, name)) return true;
    return false;
}

// Every constant of the graph becomes a weight of the model; those that passes made get a name that no weight of `from` has.
static weft_result list_weight(const weft_model *from, weft_model *m, const weft_weight *weight, int *made)
{
    weft_weight *w = (weft_weight *) (uintptr_t) weight; // nameless ones are this model's own
    bool listed = !w;
    for (int k = m->weight_count - 1; k >= 0 && !listed; k--) listed = m->weights[k] == w;
    if (listed) return WEFT_OK;
    while (!w->name) {
        const char *name = weft_arena_print(&m->arena, "const.%d", (*made)++);
        if (!name) return WEFT_ERR_MEMORY;
        if (!is_taken(from, name)) w->name = name;
    }
    m->weights[m->weight_count++] = w;
    return WEFT_OK;
}

static weft_result list_weights(const weft_model *from, weft_model *m, const weft_graph *g)
{
    int made = 0;
    m->weights = weft_arena_new(&m->arena, sizeof *m->weights * (size_t) (g->value_count + g->state_count + 1));
    if (!m->weights) return WEFT_ERR_MEMORY;
    for (int v = 0; v < g->value_count; v++) WEFT_TRY(list_weight(from, m, g->values[v].weight, &made));
    for (int i = 0; i < g->state_count; i++) WEFT_TRY(list_weight(from, m, g->states[i].init, &made));
    return WEFT_OK;
}

static weft_result differentiate(const weft_model *from, const weft_model_grad_params *p, weft_model *m)
{
    weft_graph bound, whole;
    weft_grad_request request;
    weft_arena *a = &m->arena;
    int64_t *dims = weft_arena_new(a, sizeof *dims * (size_t) (from->dim_count + 1));
    weft_entry *e = weft_arena_new(a, sizeof *e);
    if (!dims || !e) return WEFT_ERR_MEMORY;
    weft_graph_init(&bound, a);
    weft_graph_init(&whole, a);
    *e = (weft_entry) { .name = "main" };
    weft_graph_init(&e->graph, a);
    WEFT_TRY(weft_model_bind_dims(from, p->entry, p->shapes, p->shape_count, dims));
    WEFT_TRY(weft_pass_bind(&from->entries[p->entry].graph, dims, &bound));
    WEFT_TRY(make_request(p, &bound, a, &request));
    WEFT_TRY(weft_pass_grad(&bound, &request, &whole));
    WEFT_TRY(weft_pass_prune(&whole, &e->graph));
    m->entries = e, m->entry_count = 1;
    m->metas = from->metas, m->meta_count = from->meta_count;
    WEFT_TRY(list_weights(from, m, &e->graph));
    return weft_model_seal(m);
}

weft_result weft_model_grad(const weft_model *m, const weft_model_grad_params *params, weft_model **out)
{
    weft_model *made;
    if (!m || !params || !out || (!params->shapes && params->shape_count) || (!params->cotangents && params->cotangent_count))
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_grad: an argument is NULL");
    if (params->entry < 0 || params->entry >= m->entry_count)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_grad: entry %d of %d", params->entry, m->entry_count);
    if (!params->wrt || params->wrt_count < 1) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_grad: name an input or weight in `wrt`");
    if (!params->loss == !params->cotangent_count) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_grad: give either a loss or cotangents");
    WEFT_TRY(weft_model_new(m->ctx, &made));
    weft_result r = weft_model_use(made, m);
    if (r == WEFT_OK) r = differentiate(m, params, made);
    if (r != WEFT_OK) return weft_model_release(made), r;
    *out = made;
    return WEFT_OK;
}
