// SPDX-License-Identifier: MIT
#include "cpu/run.h"
#include "base/clock.h"
#include "cpu/fast.h"
#include "graph/compute.h"
#include "graph/lower.h"
#include <string.h>
#include <time.h>

struct weft_cpu_run {
    weft_context *ctx;
    weft_arena arena;
    weft_graph graph;
    const void **data; // of every value
    weft_cpu_weights *weights, *own_weights; // own: where there is no device that has them
    weft_cpu_weight **widened; // of every value, NULL: its own numbers
    weft_cpu_taken *taken_wide; // for each of these
    weft_cpu_taken taken;       // for what is packed
    unsigned char *block, *state_block;
    weft_state_update *updates; // per state
    unsigned char **aside;      // per state: where what is copied to it waits, where it must
    int commits;                // the first node that writes a state in place; beyond the last: none does
    const weft_cpu_fast **fast; // per node, NULL: the truth
    void **prepared;            // for it
    double *done;               // per node: how much of the run is over after it
    const void **ins;           // room for the inputs of any node
    size_t *scratch;        // per node: bytes for it
    unsigned char **scratch_at;
    size_t scratch_most;
    int (*progress)(void *user, double done);
    void *progress_user;
    void (*timing)(void *user, const weft_node_time *time);
    void *timing_user;
    weft_session_facts facts;
};

static size_t value_bytes(const weft_value_def *v) { return (size_t) weft_shape_count(v->shape) * 4; }

static unsigned char *aligned(unsigned char *block) { return block + (64 - (uintptr_t) block % 64); }

// States one after another, each with room beside it where its next value must wait; what is made in place lies there too.
static weft_result place_states(weft_cpu_run *run)
{
    const weft_graph *g = &run->graph;
    size_t bytes = 0;
    run->commits = g->node_count;
    for (int i = 0; i < g->state_count; i++) {
        const size_t each = (value_bytes(&g->values[g->states[i].value]) + 63) / 64 * 64;
        bytes += run->updates[i].way == WEFT_STATE_VIA ? 2 * each : each;
    }
    if (!g->state_count) return WEFT_OK;
    if (!(run->state_block = weft_new(run->ctx, bytes + 64))) return WEFT_ERR_MEMORY;
    unsigned char *at = aligned(run->state_block);
    for (int i = 0; i < g->state_count; i++) {
        const weft_state_update *u = &run->updates[i];
        const size_t each = (value_bytes(&g->values[g->states[i].value]) + 63) / 64 * 64;
        run->data[g->states[i].value] = at;
        if (u->way == WEFT_STATE_IN_PLACE) run->data[u->from] = at;
        if (u->way == WEFT_STATE_IN_PLACE && u->maker < run->commits) run->commits = u->maker;
        at += each;
        if (u->way != WEFT_STATE_VIA) continue;
        run->aside[i] = at;
        at += each;
    }
    run->facts.state_bytes = bytes;
    return WEFT_OK;
}

static weft_result check_budget(const weft_cpu_run *run, size_t max_bytes)
{
    const size_t all = run->facts.workspace_bytes + weft_state_bytes(&run->graph);
    if (!max_bytes || all <= max_bytes) return WEFT_OK;
    return weft_fail(WEFT_ERR_VRAM, "the session needs %zu bytes of workspace and states, more than the %zu allowed", all, max_bytes);
}

static weft_result widen(void *user, void *to)
{
    const weft_weight *w = user;
    weft_weight_unpack(w, 0, weft_shape_count(w->shape), to);
    return WEFT_OK;
}

// Weights are used where the model has them, or as f32 and i32 numbers that all sessions share.
static weft_result place_weights(weft_cpu_run *run)
{
    const weft_graph *g = &run->graph;
    run->data = weft_arena_new(&run->arena, sizeof *run->data * (size_t) (g->value_count + 1));
    run->widened = weft_arena_new(&run->arena, sizeof *run->widened * (size_t) (g->value_count + 1));
    run->taken_wide = weft_arena_new(&run->arena, sizeof *run->taken_wide * (size_t) (g->value_count + 1));
    if (!run->data || !run->widened || !run->taken_wide) return WEFT_ERR_MEMORY;
    for (int v = 0; v < g->value_count; v++) {
        const weft_weight *w = g->values[v].weight;
        if (!w) continue;
        run->facts.weight_bytes += w->bytes;
        run->data[v] = w->data;
        if (w->dtype == WEFT_F32 || w->dtype == WEFT_I32) continue;
        const weft_cpu_form form = { w->data, w->bytes, &w->dtype, sizeof w->dtype, value_bytes(&g->values[v]), widen, (void *) (uintptr_t) w };
        WEFT_TRY(weft_cpu_weights_take(run->weights, &form, &run->widened[v], &run->taken_wide[v]));
        run->data[v] = weft_cpu_weight_data(run->widened[v]);
    }
    return WEFT_OK;
}

static weft_result place_values(weft_cpu_run *run, const weft_session_params *p)
{
    const weft_graph *g = &run->graph;
    weft_plan plan;
    weft_life *lives = weft_arena_new(&run->arena, sizeof *lives * (size_t) (g->value_count + g->node_count + 1));
    run->updates = weft_arena_new(&run->arena, sizeof *run->updates * (size_t) (g->state_count + 1));
    run->aside = weft_arena_new(&run->arena, sizeof *run->aside * (size_t) (g->state_count + 1));
    run->scratch_at = weft_arena_new(&run->arena, sizeof *run->scratch_at * (size_t) (g->node_count + 1));
    if (!lives || !run->updates || !run->aside || !run->scratch_at) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_state_plan(g, !p->keep_values, &run->arena, run->updates));
    WEFT_TRY(weft_lower_plan(g, run->updates, run->scratch, 64, p->keep_values, lives, &plan));
    run->facts.workspace_bytes = plan.bytes, run->facts.workspace_least_bytes = plan.least;
    WEFT_TRY(check_budget(run, p->max_bytes));
    run->block = weft_new(run->ctx, plan.bytes + 64);
    if (!run->block) return WEFT_ERR_MEMORY;
    unsigned char *start = aligned(run->block);
    WEFT_TRY(place_states(run));
    for (int v = 0; v < g->value_count; v++)
        if (lives[v].bytes) run->data[v] = start + lives[v].offset;
    for (int i = 0; run->scratch && i < g->node_count; i++) run->scratch_at[i] = start + lives[g->value_count + i].offset;
    // A caller's input may be gone when runs are repeated or kept values asked for.
    for (int i = 0; i < g->input_count; i++) {
        const weft_value v = g->inputs[i].value;
        if (!(run->data[v] = weft_arena_new(&run->arena, value_bytes(&g->values[v])))) return WEFT_ERR_MEMORY;
    }
    for (int v = 0; v < g->value_count; v++) // makers before users: a root is never moved
        if (weft_lower_root(g, v) != v) run->data[v] = (const char *) run->data[weft_lower_root(g, v)] + 4 * weft_lower_begin(g, v);
    return WEFT_OK;
}

// Numbers that were widened only to be packed have done their part.
static weft_result drop_unread(weft_cpu_run *run, const uint32_t *unread)
{
    const weft_graph *g = &run->graph;
    bool *read = weft_arena_new(&run->arena, (size_t) g->value_count + 1);
    if (!read) return WEFT_ERR_MEMORY;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in_count; k++)
            if (g->nodes[i].in[k] >= 0 && (k >= 32 || !(unread[i] >> k & 1))) read[g->nodes[i].in[k]] = true;
    for (int i = 0; i < g->output_count; i++) read[g->outputs[i].value] = true;
    for (int i = 0; i < g->state_count; i++)
        if (g->states[i].next >= 0) read[g->states[i].next] = true;
    for (int v = 0; v < g->value_count; v++) {
        if (!run->widened[v] || read[v]) continue;
        weft_cpu_weights_give_back(run->weights, run->widened[v]);
        run->widened[v] = NULL, run->data[v] = NULL;
    }
    return WEFT_OK;
}

static weft_result prepare_fast(weft_cpu_run *run)
{
    const weft_graph *g = &run->graph;
    run->fast = weft_arena_new(&run->arena, sizeof *run->fast * (size_t) (g->node_count + 1));
    run->prepared = weft_arena_new(&run->arena, sizeof *run->prepared * (size_t) (g->node_count + 1));
    run->scratch = weft_arena_new(&run->arena, sizeof *run->scratch * (size_t) (g->node_count + 1));
    uint32_t *unread = weft_arena_new(&run->arena, sizeof *unread * (size_t) (g->node_count + 1));
    if (!run->fast || !run->prepared || !run->scratch || !unread) return WEFT_ERR_MEMORY;
    for (int i = 0; i < g->node_count; i++) {
        const weft_node *n = &g->nodes[i];
        const weft_cpu_fast *f = weft_cpu_fast_next(n->op->name, NULL);
        const void **constant = weft_arena_new(&run->arena, sizeof *constant * (size_t) (n->in_count + 1));
        if (!f) continue;
        if (!constant) return WEFT_ERR_MEMORY;
        for (int k = 0; k < n->in_count; k++) constant[k] = n->in[k] >= 0 && n->in_constant[k] ? run->data[n->in[k]] : NULL;
        for (; f; f = weft_cpu_fast_next(n->op->name, f)) {
            WEFT_TRY(f->prepare(run->ctx, n, constant, &run->prepared[i], &run->scratch[i]));
            if (run->prepared[i]) break;
        }
        if (!f) continue;
        run->fast[i] = f;
        if (f->pack) WEFT_TRY(f->pack(run->prepared[i], run->ctx, n, run->weights, &run->taken, &unread[i]));
        if (run->scratch[i] > run->scratch_most) run->scratch_most = run->scratch[i];
    }
    return drop_unread(run, unread);
}

static weft_result prepare_nodes(weft_cpu_run *run)
{
    const weft_graph *g = &run->graph;
    int most = 0;
    double all = 1, done = 0;
    run->done = weft_arena_new(&run->arena, sizeof *run->done * (size_t) (g->node_count + 1));
    if (!run->done) return WEFT_ERR_MEMORY;
    for (int i = 0; i < g->node_count; i++) {
        all += weft_node_flops(&g->nodes[i]);
        if (g->nodes[i].in_count > most) most = g->nodes[i].in_count;
    }
    for (int i = 0; i < g->node_count; i++) run->done[i] = (done += weft_node_flops(&g->nodes[i])) / all;
    run->ins = weft_arena_new(&run->arena, sizeof *run->ins * (size_t) (most + 1));
    return run->ins ? WEFT_OK : WEFT_ERR_MEMORY;
}

static weft_result fit(weft_cpu_run *run, size_t max_bytes)
{
    weft_graph smaller;
    bool changed;
    weft_graph_init(&smaller, &run->arena);
    WEFT_TRY(weft_lower_fit(&run->graph, max_bytes, &smaller, &changed));
    if (!changed) return WEFT_OK;
    run->facts.recomputed = smaller.node_count - run->graph.node_count;
    run->graph = smaller;
    return WEFT_OK;
}

// `fit_bytes`: what the plan is to be brought down to; 0: no limit.
static weft_result prepare(weft_cpu_run *run, const weft_graph *bound, const weft_session_params *p, bool fast, size_t fit_bytes)
{
    weft_graph_init(&run->graph, &run->arena);
    WEFT_TRY(fast ? weft_lower(bound, run->ctx->pool, !p->no_fuse, &run->graph) : weft_pass_prune(bound, &run->graph));
    if (fit_bytes && !p->keep_values) WEFT_TRY(fit(run, fit_bytes));
    WEFT_TRY(place_weights(run));
    if (fast) WEFT_TRY(prepare_fast(run));
    WEFT_TRY(place_values(run, p));
    return prepare_nodes(run);
}

static void count_weights(weft_cpu_run *run)
{
    weft_cpu_taken all = run->taken;
    for (int v = 0; v < run->graph.value_count; v++)
        if (run->widened[v]) all.bytes += run->taken_wide[v].bytes, all.shared_bytes += run->taken_wide[v].shared_bytes;
    run->facts.weight_bytes += all.bytes;
    run->facts.weight_shared_bytes = all.shared_bytes;
}

static weft_result create(weft_context *ctx, weft_cpu_weights *weights, const weft_graph *bound, const weft_session_params *p, bool fast,
                          size_t fit_bytes, weft_cpu_run **out)
{
    weft_cpu_run *run = weft_new(ctx, sizeof *run);
    if (!run) return WEFT_ERR_MEMORY;
    run->ctx = run->arena.ctx = ctx;
    run->weights = weights;
    run->progress = p->progress, run->progress_user = p->progress_user;
    run->timing = p->timing, run->timing_user = p->timing_user;
    const int before = weft_pool_adopt(ctx->pool); // libraries plan for the threads that will run
    const weft_result r = prepare(run, bound, p, fast, fit_bytes);
    weft_pool_restore(before);
    // The passes know nothing of what libraries need beside: once more, with that much less for them.
    const size_t beside = run->scratch_most;
    const bool again = r == WEFT_ERR_VRAM && beside && fit_bytes == p->max_bytes && beside < fit_bytes;
    if (r != WEFT_OK) weft_cpu_run_destroy(run);
    if (again) return create(ctx, weights, bound, p, fast, fit_bytes - beside, out);
    if (r != WEFT_OK) return r;
    run->facts.gpu_ms = -1;
    count_weights(run);
    run->facts.dispatches = run->graph.node_count;
    for (int i = 0; i < run->graph.state_count; i++) weft_cpu_run_set_state(run, i, NULL);
    *out = run;
    return WEFT_OK;
}

weft_result weft_cpu_run_create_shared(weft_context *ctx, weft_cpu_weights *weights, const weft_graph *bound, const weft_session_params *p,
                                       bool fast, weft_cpu_run **out)
{
    return create(ctx, weights, bound, p, fast, p->max_bytes, out);
}

weft_result weft_cpu_run_create(weft_context *ctx, const weft_graph *bound, const weft_session_params *p, bool fast, weft_cpu_run **out)
{
    weft_cpu_weights *own;
    WEFT_TRY(weft_cpu_weights_create(ctx, &own));
    const weft_result r = create(ctx, own, bound, p, fast, p->max_bytes, out);
    if (r == WEFT_OK) (*out)->own_weights = own;
    else weft_cpu_weights_destroy(own);
    return r;
}

void weft_cpu_run_destroy(weft_cpu_run *run)
{
    if (!run) return;
    for (int i = 0; run->fast && run->prepared && i < run->graph.node_count; i++)
        if (run->fast[i] && run->fast[i]->destroy) run->fast[i]->destroy(run->ctx, run->prepared[i]);
    for (int v = 0; run->widened && v < run->graph.value_count; v++) weft_cpu_weights_give_back(run->weights, run->widened[v]);
    weft_cpu_weights_destroy(run->own_weights);
    weft_delete(run->ctx, run->block);
    weft_delete(run->ctx, run->state_block);
    weft_arena_free(&run->arena);
    weft_delete(run->ctx, run);
}

static weft_result compute(weft_cpu_run *run, int index)
{
    const weft_node *n = &run->graph.nodes[index];
    void *to[WEFT_MAX_OUT];
    if (n->op->flags & WEFT_OP_ALIAS) return WEFT_OK;
    for (int k = 0; k < n->in_count; k++) run->ins[k] = n->in[k] < 0 ? NULL : run->data[n->in[k]];
    for (int k = 0; k < n->out_count; k++) to[k] = (void *) (uintptr_t) run->data[n->out[k]];
    if (run->fast && run->fast[index]) return run->fast[index]->run(run->prepared[index], run->ctx, n, to, run->ins, run->scratch_at[index]);
    weft_node_compute(run->ctx->pool, n, to, run->ins);
    return WEFT_OK;
}

static double node_bytes(const weft_cpu_run *run, const weft_node *n)
{
    double bytes = 0;
    for (int k = 0; k < n->in_count; k++) {
        bool before = n->in[k] < 0;
        for (int i = 0; i < k; i++) before |= n->in[i] == n->in[k];
        if (!before) bytes += (double) value_bytes(&run->graph.values[n->in[k]]);
    }
    for (int k = 0; k < n->out_count; k++) bytes += (double) value_bytes(&run->graph.values[n->out[k]]);
    return bytes;
}

static weft_result compute_timed(weft_cpu_run *run, int index)
{
    const weft_node *n = &run->graph.nodes[index];
    const clock_t busy = clock(); // which takes longer than the other
    const double begin = weft_seconds();
    const weft_result r = compute(run, index);
    const double wall = weft_seconds() - begin;
    const weft_node_time t = {
        .op = n->op->name, .node = n->name, .flops = weft_node_flops(n), .bytes = node_bytes(run, n), .gpu_ms = -1,
        .busy_ms = 1e3 * (double) (clock() - busy) / CLOCKS_PER_SEC,
        .wall_ms = 1e3 * wall,
    };
    if (r == WEFT_OK) run->timing(run->timing_user, &t);
    return r;
}

// The states become what follows them.
static void commit(weft_cpu_run *run)
{
    const weft_graph *g = &run->graph;
    for (int i = 0; i < g->state_count; i++)
        if (run->aside[i]) memcpy(run->aside[i], run->data[run->updates[i].from], value_bytes(&g->values[g->states[i].value]));
    for (int i = 0; i < g->state_count; i++) {
        const weft_state_update *u = &run->updates[i];
        const weft_value_def *v = &g->values[g->states[i].value];
        if (u->way == WEFT_STATE_COPY || u->way == WEFT_STATE_VIA)
            memcpy((void *) (uintptr_t) run->data[g->states[i].value], run->aside[i] ? run->aside[i] : run->data[u->from], value_bytes(v));
    }
    run->facts.runs++;
}

// One run of `count`. A stop between the first state that is written and the last would leave half a step: it has to wait.
static weft_result step(weft_cpu_run *run, void *const *out, int64_t index, int64_t count)
{
    const weft_graph *g = &run->graph;
    bool stop = false;
    for (int i = 0; i < g->node_count; i++) {
        WEFT_TRY(run->timing ? compute_timed(run, i) : compute(run, i));
        if (run->progress && !stop) stop = run->progress(run->progress_user, ((double) index + run->done[i]) / (double) count) != 0;
        if (stop && i < run->commits) return weft_fail(WEFT_ERR_CANCELLED, "stopped after '%s'", g->nodes[i].name);
    }
    for (int i = 0; i < g->output_count && out && !stop; i++) {
        const weft_value v = g->outputs[i].value;
        if (out[i]) memcpy(out[i], run->data[v], value_bytes(&g->values[v]));
    }
    commit(run);
    return stop ? weft_fail(WEFT_ERR_CANCELLED, "stopped after a whole run") : WEFT_OK;
}

weft_result weft_cpu_run_go(weft_cpu_run *run, const void *const *in, void *const *out)
{
    const weft_graph *g = &run->graph;
    const int before = weft_pool_adopt(run->ctx->pool);
    for (int i = 0; i < g->input_count; i++) {
        const weft_value v = g->inputs[i].value;
        memcpy((void *) (uintptr_t) run->data[v], in[i], value_bytes(&g->values[v]));
    }
    const weft_result r = step(run, out, 0, 1);
    weft_pool_restore(before);
    return r;
}

weft_result weft_cpu_run_repeat(weft_cpu_run *run, int64_t count)
{
    const int before = weft_pool_adopt(run->ctx->pool);
    weft_result r = WEFT_OK;
    for (int64_t i = 0; i < count && r == WEFT_OK; i++) r = step(run, NULL, i, count);
    weft_pool_restore(before);
    return r;
}

void weft_cpu_run_set_state(weft_cpu_run *run, int index, const void *data)
{
    const weft_state_def *s = &run->graph.states[index];
    const size_t bytes = value_bytes(&run->graph.values[s->value]);
    void *to = (void *) (uintptr_t) run->data[s->value];
    if (data) memcpy(to, data, bytes);
    else if (s->init) weft_weight_unpack(s->init, 0, weft_shape_count(s->init->shape), to);
    else memset(to, 0, bytes);
}

void weft_cpu_run_get_state(const weft_cpu_run *run, int index, void *data)
{
    const weft_value v = run->graph.states[index].value;
    memcpy(data, run->data[v], value_bytes(&run->graph.values[v]));
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
