// SPDX-License-Identifier: MIT
// Facts about an entry without running it: what it weighs, what it computes, what it needs.
#include "graph/lower.h"
#include "graph/model.h"

// What a device without kernels of its own for expanded rows would run.
static weft_result measure_workspace(const weft_model *m, const weft_graph *needed, weft_model_facts *out)
{
    weft_graph lowered;
    weft_plan plan;
    weft_graph_init(&lowered, needed->arena);
    WEFT_TRY(weft_lower(needed, m->ctx->pool, true, &lowered));
    weft_life *lives = weft_arena_new(needed->arena, sizeof *lives * (size_t) (lowered.value_count + 1));
    weft_state_update *updates = weft_arena_new(needed->arena, sizeof *updates * (size_t) (lowered.state_count + 1));
    if (!lives || !updates) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_state_plan(&lowered, true, needed->arena, updates));
    WEFT_TRY(weft_lower_plan(&lowered, updates, NULL, 64, false, lives, &plan));
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
    out->state_bytes = weft_state_bytes(&bound);
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
