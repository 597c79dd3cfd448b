// SPDX-License-Identifier: MIT
// Facts about an entry without running it: what it weighs, what it computes, what it needs.
#include "graph/model.h"
#include "graph/plan.h"
#include "graph/rules.h"

// Whose memory a value lies in: its own, unless an alias row made it.
static weft_value root_of(const weft_graph *g, weft_value v)
{
    while (g->values[v].node >= 0 && g->nodes[g->values[v].node].op->flags & WEFT_OP_ALIAS) v = g->nodes[g->values[v].node].in[0];
    return v;
}

// Every value a node makes, from there to its last use; outputs live to the end.
static weft_result plan_values(const weft_model *m, const weft_graph *g, weft_plan *plan)
{
    weft_life *lives = weft_arena_new(g->arena, sizeof *lives * (size_t) (g->value_count + 1));
    if (!lives) return WEFT_ERR_MEMORY;
    for (int v = 0; v < g->value_count; v++) {
        const bool here = g->values[v].node >= 0 && root_of(g, v) == v;
        lives[v] = (weft_life) { here ? (size_t) weft_shape_count(g->values[v].shape) * 4 : 0, g->values[v].node, g->values[v].node, 0 };
    }
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in_count; k++)
            if (g->nodes[i].in[k] >= 0) lives[root_of(g, g->nodes[i].in[k])].last = i;
    for (int i = 0; i < g->output_count; i++) lives[root_of(g, g->outputs[i].value)].last = g->node_count;
    return weft_plan_memory(m->ctx, lives, g->value_count, 64, plan);
}

// What a device without kernels of its own for expanded rows would run.
static weft_result measure_workspace(const weft_model *m, const weft_graph *needed, weft_model_facts *out)
{
    weft_graph step[4];
    weft_plan plan;
    for (int i = 0; i < 4; i++) weft_graph_init(&step[i], needed->arena);
    WEFT_TRY(weft_pass_expand(needed, NULL, &step[0]));
    WEFT_TRY(weft_pass_fold(&step[0], m->ctx->pool, &step[1]));
    WEFT_TRY(weft_pass_fuse(&step[1], weft_fuse_rules, &step[2]));
    WEFT_TRY(weft_pass_prune(&step[2], &step[3]));
    WEFT_TRY(plan_values(m, &step[3], &plan));
    out->workspace_bytes = plan.bytes, out->workspace_least_bytes = plan.least;
    return WEFT_OK;
}

static weft_result measure(const weft_model *m, int entry, const weft_port_shape *shapes, int shape_count, weft_arena *a, weft_model_facts *out)
{
    weft_graph bound, needed;
    int64_t *dims = weft_arena_new(a, sizeof *dims * (size_t) (m->dim_count + 1));
    weft_graph_init(&bound, a);
    weft_graph_init(&needed, a);
    if (!dims) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_model_bind_dims(m, entry, shapes, shape_count, dims));
    WEFT_TRY(weft_pass_bind(&m->entries[entry].graph, dims, &bound));
    WEFT_TRY(weft_pass_prune(&bound, &needed));
    out->node_count = bound.node_count;
    for (int v = 0; v < needed.value_count; v++)
        if (needed.values[v].weight) {
            out->parameters += weft_shape_count(needed.values[v].shape);
            out->weight_bytes += needed.values[v].weight->bytes;
        }
    for (int i = 0; i < needed.node_count; i++) out->flops += weft_node_flops(&needed.nodes[i]);
    return measure_workspace(m, &needed, out);
}

weft_result weft_entry_measure(const weft_model *m, int entry, const weft_port_shape *shapes, int shape_count, weft_model_facts *out)
{
    weft_arena scratch = { .ctx = m->ctx };
    weft_model_facts facts = { 0 };
    const weft_result r = measure(m, entry, shapes, shape_count, &scratch, &facts);
    weft_arena_free(&scratch);
    if (r == WEFT_OK) *out = facts;
    return r;
}
