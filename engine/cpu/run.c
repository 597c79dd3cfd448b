// SPDX-License-Identifier: MIT
#include "cpu/run.h"
#include "cpu/fast.h"
#include "graph/compute.h"
#include "graph/lower.h"
#include <string.h>

struct weft_cpu_run {
    weft_context *ctx;
    weft_arena arena;
    weft_graph graph;
    const void **data; // of every value
    unsigned char *block;
    const weft_cpu_fast **fast; // per node, NULL: the truth
    void **state;
    bool keep_values;
    unsigned char *scratch; // for the fast versions, one node at a time
    int (*progress)(void *user, double done);
    void *progress_user;
    weft_session_facts facts;
};

static size_t value_bytes(const weft_value_def *v) { return (size_t) weft_shape_count(v->shape) * 4; }

static weft_result place_values(weft_cpu_run *run, const weft_session_params *p)
{
    const weft_graph *g = &run->graph;
    weft_life *lives = weft_arena_new(&run->arena, sizeof *lives * (size_t) (g->value_count + 1));
    run->data = weft_arena_new(&run->arena, sizeof *run->data * (size_t) (g->value_count + 1));
    if (!lives || !run->data) return WEFT_ERR_MEMORY;
    weft_plan plan;
    WEFT_TRY(weft_lower_plan(g, 64, p->keep_values, lives, &plan));
    run->facts.workspace_bytes = plan.bytes, run->facts.workspace_least_bytes = plan.least;
    if (p->max_bytes && plan.bytes > p->max_bytes)
        return weft_fail(WEFT_ERR_VRAM, "the session needs %zu bytes of workspace, more than the %zu allowed", plan.bytes, p->max_bytes);
    run->block = weft_new(run->ctx, plan.bytes + 64);
    if (!run->block) return WEFT_ERR_MEMORY;
    unsigned char *start = run->block + (64 - (uintptr_t) run->block % 64);
    for (int v = 0; v < g->value_count; v++) {
        if (lives[v].bytes) run->data[v] = start + lives[v].offset;
        if (!g->values[v].weight) continue;
        run->data[v] = weft_weight_numbers(&run->arena, g->values[v].weight);
        if (!run->data[v]) return WEFT_ERR_MEMORY;
        run->facts.weight_bytes += g->values[v].weight->bytes;
    }
    // A caller's input may be gone when kept values are asked for, and values that are it in other clothes with it.
    run->keep_values = p->keep_values;
    for (int i = 0; run->keep_values && i < g->input_count; i++) {
        const weft_value v = g->inputs[i].value;
        if (!(run->data[v] = weft_arena_new(&run->arena, value_bytes(&g->values[v])))) return WEFT_ERR_MEMORY;
    }
    for (int v = 0; v < g->value_count; v++) run->data[v] = run->data[weft_lower_root(g, v)];
    return WEFT_OK;
}

static weft_result prepare_fast(weft_cpu_run *run)
{
    const weft_graph *g = &run->graph;
    size_t most = 0;
    run->fast = weft_arena_new(&run->arena, sizeof *run->fast * (size_t) (g->node_count + 1));
    run->state = weft_arena_new(&run->arena, sizeof *run->state * (size_t) (g->node_count + 1));
    if (!run->fast || !run->state) return WEFT_ERR_MEMORY;
    for (int i = 0; i < g->node_count; i++) {
        const weft_node *n = &g->nodes[i];
        const weft_cpu_fast *f = weft_cpu_fast_find(n->op->name);
        const void **constant = weft_arena_new(&run->arena, sizeof *constant * (size_t) (n->in_count + 1));
        if (!f) continue;
        if (!constant) return WEFT_ERR_MEMORY;
        for (int k = 0; k < n->in_count; k++) constant[k] = n->in[k] >= 0 && n->in_constant[k] ? run->data[n->in[k]] : NULL;
        size_t scratch = 0;
        WEFT_TRY(f->prepare(run->ctx, n, constant, &run->state[i], &scratch));
        if (run->state[i]) run->fast[i] = f;
        if (scratch > most) most = scratch;
    }
    run->scratch = weft_new(run->ctx, most + 64);
    run->facts.workspace_bytes += most;
    return run->scratch ? WEFT_OK : WEFT_ERR_MEMORY;
}

weft_result weft_cpu_run_create(weft_context *ctx, const weft_graph *bound, const weft_session_params *p, bool fast, weft_cpu_run **out)
{
    weft_cpu_run *run = weft_new(ctx, sizeof *run);
    if (!run) return WEFT_ERR_MEMORY;
    run->ctx = run->arena.ctx = ctx;
    run->progress = p->progress, run->progress_user = p->progress_user;
    const int before = weft_pool_adopt(ctx->pool); // libraries plan for the threads that will run
    weft_graph_init(&run->graph, &run->arena);
    weft_result r = fast ? weft_lower(bound, ctx->pool, !p->no_fuse, &run->graph) : weft_pass_prune(bound, &run->graph);
    if (r == WEFT_OK) r = place_values(run, p);
    if (r == WEFT_OK && fast) r = prepare_fast(run);
    weft_pool_restore(before);
    if (r != WEFT_OK) return weft_cpu_run_destroy(run), r;
    run->facts.dispatches = run->graph.node_count;
    *out = run;
    return WEFT_OK;
}

void weft_cpu_run_destroy(weft_cpu_run *run)
{
    if (!run) return;
    for (int i = 0; run->fast && run->state && i < run->graph.node_count; i++)
        if (run->fast[i]) run->fast[i]->destroy(run->ctx, run->state[i]);
    weft_delete(run->ctx, run->scratch);
    weft_delete(run->ctx, run->block);
    weft_arena_free(&run->arena);
    weft_delete(run->ctx, run);
}

static weft_result go(weft_cpu_run *run, const void *const *in, void *const *out)
{
    const weft_graph *g = &run->graph;
    double total = 1, done = 0;
    for (int i = 0; i < g->input_count; i++) {
        const weft_value v = g->inputs[i].value;
        if (run->keep_values) memcpy((void *) (uintptr_t) run->data[v], in[i], value_bytes(&g->values[v]));
        else run->data[v] = in[i];
    }
    for (int v = 0; v < g->value_count; v++) run->data[v] = run->data[weft_lower_root(g, v)];
    for (int i = 0; i < g->node_count; i++) total += weft_node_flops(&g->nodes[i]);
    for (int i = 0; i < g->node_count; i++) {
        const weft_node *n = &g->nodes[i];
        const void *from[64], **ins = from;
        void *to[WEFT_MAX_OUT];
        if (n->op->flags & WEFT_OP_ALIAS) continue;
        if (n->in_count > 64 && !(ins = weft_new(run->ctx, sizeof *ins * (size_t) n->in_count))) return WEFT_ERR_MEMORY;
        for (int k = 0; k < n->in_count; k++) ins[k] = n->in[k] < 0 ? NULL : run->data[n->in[k]];
        for (int k = 0; k < n->out_count; k++) to[k] = (void *) (uintptr_t) run->data[n->out[k]];
        weft_result r = WEFT_OK;
        if (run->fast && run->fast[i]) r = run->fast[i]->run(run->state[i], run->ctx, n, to, ins, run->scratch + (64 - (uintptr_t) run->scratch % 64));
        else weft_node_compute(run->ctx->pool, n, to, ins);
        if (ins != from) weft_delete(run->ctx, ins);
        WEFT_TRY(r);
        done += weft_node_flops(n);
        if (run->progress && run->progress(run->progress_user, done / total)) return weft_fail(WEFT_ERR_CANCELLED, "stopped after '%s'", n->name);
    }
    for (int i = 0; i < g->output_count; i++) {
        const weft_value v = g->outputs[i].value;
        memcpy(out[i], run->data[v], value_bytes(&g->values[v]));
    }
    return WEFT_OK;
}

weft_result weft_cpu_run_go(weft_cpu_run *run, const void *const *in, void *const *out)
{
    const int before = weft_pool_adopt(run->ctx->pool);
    const weft_result r = go(run, in, out);
    weft_pool_restore(before);
    return r;
}

void weft_cpu_run_measure(const weft_cpu_run *run, weft_session_facts *facts) { *facts = run->facts; }

const void *weft_cpu_run_value(const weft_cpu_run *run, int origin, const weft_node **node, weft_value_def *def)
{
    for (int v = 0; v < run->graph.value_count; v++) {
        if (run->graph.values[v].origin != origin) continue;
        *def = run->graph.values[v];
        *node = def->node < 0 ? NULL : &run->graph.nodes[def->node];
        return run->data[v];
    }
    return NULL;
}
