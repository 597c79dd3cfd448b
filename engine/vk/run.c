// SPDX-License-Identifier: MIT
#include "vk/run.h"
#include "base/clock.h"
#include "graph/lower.h"
#include "graph/place.h"
#include "vk/aliases.h"
#include "vk/kernel.h"
#include "vk/matrix.h"
#include "vk/moves.h"
#include "vk/record.h"
#include "vk/tune.h"
#include "vk/weights.h"
#include <math.h>
#include <string.h>

enum { MAX_BLOCKS = 64, LIST_LEAST = 256 };

struct weft_vk_run {
    weft_vk_device *dev;
    weft_context *ctx;
    weft_caps caps; // of the device, those that are used
    bool forced;
    weft_arena arena;
    weft_graph graph; // physical
    weft_program program;
    weft_vk_place *places; // of every buffer
    weft_vk_block blocks[MAX_BLOCKS];
    int block_count;
    weft_state_update *updates; // per state
    weft_vk_place *aside;       // per state: where what is copied to it waits, where it must
    int workspace_blocks;       // places in blocks from this number on belong to states
    weft_vk_moves moves;        // of states
    weft_vk_line line;          // room for the chunks of a run
    weft_vk_chunk *chunks;      // of it
    weft_vk_block staging_in, staging_out;
    size_t *in_offset, *out_offset, *in_bytes, *out_bytes; // of every port, in staging memory
    weft_vk_queue queue;
    weft_vk_held weights;
    weft_vk_recording recording;
    bool keep_values;
    int (*progress)(void *user, double done);
    void *progress_user;
    void (*timing)(void *user, const weft_node_time *time);
    void *timing_user;
    bool time_device;
    bool refused; // the driver did not compile a kernel for which there are others
    weft_session_facts facts;
};

// Who to name when a buffer does not fit.
static weft_result too_large(const weft_vk_run *run, int b, uint64_t limit, const char *limit_name)
{
    const weft_graph *g = &run->graph;
    const weft_buffer *buffer = &run->program.buffers[b];
    char text[WEFT_SHAPE_TEXT];
    const int node = buffer->value >= 0 ? g->values[buffer->value].node : -1;
    const char *name = node >= 0 ? g->nodes[node].name : buffer->value < 0 ? run->program.steps[buffer->first].node->name
                     : g->values[buffer->value].weight && g->values[buffer->value].weight->name ? g->values[buffer->value].weight->name : "an input or a state";
    return weft_fail(WEFT_ERR_UNSUPPORTED, "'%s': %s of %zu bytes is more than the device's %s of %llu; use a smaller size, `fast` precision or the cpu device",
                     name, buffer->value >= 0 ? weft_shape_text(g->values[buffer->value].shape, text) : "scratch memory", buffer->bytes, limit_name,
                     (unsigned long long) limit);
}

static weft_result check_sizes(const weft_vk_run *run)
{
    const uint64_t range = run->dev->limits.maxStorageBufferRange, block = weft_vk_largest_block(run->dev);
    for (int b = 0; b < run->program.buffer_count; b++) {
        if (run->program.buffers[b].bytes > range) return too_large(run, b, range, "maxStorageBufferRange");
        if (run->program.buffers[b].bytes > block) return too_large(run, b, block, "maxMemoryAllocationSize");
    }
    return WEFT_OK;
}

static weft_result add_block(weft_vk_run *run, size_t bytes)
{
    if (run->block_count == MAX_BLOCKS) return weft_fail(WEFT_ERR_VRAM, "the session needs more than %d blocks of device memory", MAX_BLOCKS);
    WEFT_TRY(weft_vk_block_create(run->dev, WEFT_VK_TENSORS, bytes, &run->blocks[run->block_count]));
    run->block_count++;
    return WEFT_OK;
}

static weft_result place_tensors(weft_vk_run *run, size_t max_bytes)
{
    weft_program *p = &run->program;
    const size_t most = weft_vk_largest_block(run->dev);
    weft_life *lives = weft_arena_new(&run->arena, sizeof *lives * (size_t) (p->buffer_count + 1));
    if (!lives) return WEFT_ERR_MEMORY;
    weft_plan plan;
    const weft_place_params params = { weft_vk_alignment(run->dev), most, run->keep_values, max_bytes > 0 };
    WEFT_TRY(weft_program_plan(p, &run->graph, run->updates, &params, lives, &plan));
    run->facts.workspace_bytes = plan.bytes, run->facts.workspace_least_bytes = plan.least;
    for (int b = 0; b < p->buffer_count; b++)
        if (lives[b].bytes)
            run->places[b] = (weft_vk_place) { .block = (int) (lives[b].offset / most), .offset = lives[b].offset % most, .bytes = p->buffers[b].bytes };
    run->workspace_blocks = (int) ((plan.bytes + most - 1) / most);
    return WEFT_OK;
}

// The next `bytes` of the memory of states, none across the end of a block. facts.state_bytes is where it ends so far.
static weft_vk_place next_state_place(weft_vk_run *run, size_t bytes)
{
    const size_t align = weft_vk_alignment(run->dev), most = weft_vk_largest_block(run->dev), room = (bytes + align - 1) / align * align;
    size_t at = run->facts.state_bytes;
    if (at / most != (at + room - 1) / most) at = (at / most + 1) * most;
    run->facts.state_bytes = at + room;
    return (weft_vk_place) { .block = run->workspace_blocks + (int) (at / most), .offset = at % most, .bytes = bytes };
}

static void place_states(weft_vk_run *run)
{
    const weft_graph *g = &run->graph;
    for (int i = 0; i < g->state_count; i++) {
        const weft_value v = g->states[i].value;
        run->places[v] = next_state_place(run, run->program.buffers[v].bytes);
        if (run->updates[i].way == WEFT_STATE_IN_PLACE) run->places[run->updates[i].from] = run->places[v];
        if (run->updates[i].way == WEFT_STATE_VIA) run->aside[i] = next_state_place(run, run->program.buffers[v].bytes);
    }
}

static weft_result add_blocks(weft_vk_run *run, size_t all)
{
    const size_t most = weft_vk_largest_block(run->dev);
    for (size_t at = 0; at < all; at += most) WEFT_TRY(add_block(run, all - at < most ? all - at : most));
    return WEFT_OK;
}

// Gives the places of activations their memory, blocks 0.. of the plan, and those of states, the blocks after them.
static weft_result make_workspace(weft_vk_run *run)
{
    const int first = run->block_count;
    WEFT_TRY(add_blocks(run, run->facts.workspace_bytes));
    WEFT_TRY(add_blocks(run, run->facts.state_bytes));
    for (int i = 0; i < run->graph.state_count; i++)
        if (run->aside[i].bytes) run->aside[i].buffer = run->blocks[first + run->aside[i].block].buffer;
    for (int b = 0; b < run->program.buffer_count; b++) {
        weft_vk_place *place = &run->places[b];
        if (place->bytes && place->block >= 0) place->buffer = run->blocks[first + place->block].buffer;
    }
    return WEFT_OK;
}

static weft_result check_budget(const weft_vk_run *run, size_t max_bytes)
{
    const size_t need = run->facts.workspace_bytes + run->facts.weight_bytes + run->facts.state_bytes;
    if (!max_bytes || need <= max_bytes) return WEFT_OK;
    return weft_fail(WEFT_ERR_VRAM, "the session needs %zu bytes of device memory (%zu of them weights), more than the %zu allowed", need,
                     run->facts.weight_bytes, max_bytes);
}

static weft_result take_weights(weft_vk_run *run)
{
    WEFT_TRY(weft_vk_weights_take(run->dev->weights, &run->queue, &run->graph, &run->arena, run->places, &run->weights));
    run->facts.weight_bytes = run->weights.bytes, run->facts.weight_shared_bytes = run->weights.shared_bytes;
    return WEFT_OK;
}

static weft_result make_memory(weft_vk_run *run)
{
    weft_result r = take_weights(run);
    if (r == WEFT_OK) r = make_workspace(run);
    if (r != WEFT_ERR_VRAM) return r;
    return weft_fail_prefix(r, "the session needs %zu bytes for weights and %zu for tensors in between and states: ", run->facts.weight_bytes,
                            run->facts.workspace_bytes + run->facts.state_bytes);
}

// Room for all ports in one staging buffer, and for states piece by piece; `copies` lead from there, or (out) to there.
static weft_result stage(weft_vk_run *run, const weft_port_def *ports, int count, bool out, weft_vk_block *staging, size_t **offset, size_t **bytes,
                         weft_vk_copy **copies)
{
    size_t used = 0;
    *offset = weft_arena_new(&run->arena, sizeof **offset * (size_t) (count + 1));
    *bytes = weft_arena_new(&run->arena, sizeof **bytes * (size_t) (count + 1));
    *copies = weft_arena_new(&run->arena, sizeof **copies * (size_t) (count + 1));
    if (!*offset || !*bytes || !*copies) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        (*offset)[i] = used;
        (*bytes)[i] = run->places[ports[i].value].bytes;
        used += ((*bytes)[i] + 63) / 64 * 64;
    }
    for (int i = 0; i < run->graph.state_count; i++) {
        const size_t state = run->places[run->graph.states[i].value].bytes, piece = state < WEFT_VK_MOVE_PIECE ? state : WEFT_VK_MOVE_PIECE;
        if (used < piece) used = piece;
    }
    WEFT_TRY(weft_vk_block_create(run->dev, out ? WEFT_VK_DOWNLOAD : WEFT_VK_UPLOAD, used, staging));
    for (int i = 0; i < count; i++) {
        const weft_vk_place *at = &run->places[ports[i].value];
        (*copies)[i] = out ? (weft_vk_copy) { at->buffer, staging->buffer, at->offset, (*offset)[i], (*bytes)[i] }
                           : (weft_vk_copy) { staging->buffer, at->buffer, (*offset)[i], at->offset, (*bytes)[i] };
    }
    return WEFT_OK;
}

static weft_vk_copy copy_between(const weft_vk_place *from, const weft_vk_place *to)
{
    return (weft_vk_copy) { from->buffer, to->buffer, from->offset, to->offset, to->bytes };
}

static weft_result list_commit(weft_vk_run *run, weft_vk_job *job)
{
    const weft_graph *g = &run->graph;
    weft_vk_copy *aside = weft_arena_new(&run->arena, sizeof *aside * (size_t) (g->state_count + 1));
    weft_vk_copy *on = weft_arena_new(&run->arena, sizeof *on * (size_t) (g->state_count + 1));
    if (!aside || !on) return WEFT_ERR_MEMORY;
    job->aside = aside, job->on = on;
    for (int i = 0; i < g->state_count; i++) {
        const weft_state_update *u = &run->updates[i];
        const weft_vk_place *state = &run->places[g->states[i].value];
        if (u->way == WEFT_STATE_VIA) aside[job->aside_count++] = copy_between(&run->places[u->from], &run->aside[i]);
        if (u->way == WEFT_STATE_VIA) on[job->on_count++] = copy_between(&run->aside[i], state);
        if (u->way == WEFT_STATE_COPY) on[job->on_count++] = copy_between(&run->places[u->from], state);
    }
    return WEFT_OK;
}

// Without a watchdog there is nothing to cut steps for; where there are no states, chunks let a long run be watched and stopped.
static bool runs_whole(const weft_vk_run *run)
{
    return run->graph.state_count && run->dev->caps.is_software && !run->dev->rate_fixed;
}

static weft_result record(weft_vk_run *run, const weft_vk_copy *in, const weft_vk_copy *out)
{
    const weft_graph *g = &run->graph;
    weft_vk_job job = { .program = &run->program, .places = run->places, .in = in, .out = out, .in_count = g->input_count, .out_count = g->output_count,
                        .timing = run->timing ? WEFT_VK_PIECES_TIMED : run->time_device ? WEFT_VK_RUNS_TIMED : WEFT_VK_NOT_TIMED,
                        .state_block = run->workspace_blocks };
    WEFT_TRY(list_commit(run, &job));
    const double cost = runs_whole(run) ? INFINITY : weft_vk_chunk_cost(run->dev);
    WEFT_TRY(weft_vk_record(&run->queue, &job, cost, &run->arena, &run->recording));
    const int most = 2 + run->recording.chunk_count + g->output_count;
    run->line.whole = runs_whole(run);
    run->line.most = most > LIST_LEAST ? most : LIST_LEAST;
    run->line.list = weft_arena_new(&run->arena, sizeof *run->line.list * (size_t) run->line.most);
    run->line.chunks = run->chunks = weft_arena_new(&run->arena, sizeof *run->chunks * (size_t) most);
    if (!run->line.list || !run->chunks) return WEFT_ERR_MEMORY;
    if (!g->state_count) return WEFT_OK;
    WEFT_TRY(weft_vk_moves_create(&run->queue, &run->staging_in, &run->staging_out, &run->moves));
    return weft_vk_run_reset_states(run);
}

// True: the driver's refusal is news, so that nodes are made another way next time.
static bool note_refused(weft_vk_run *run, const weft_step *s)
{
    char key[WEFT_NODE_KEY];
    if (!*s->way || !weft_vk_tuner_refuse(run->dev->tuner, weft_node_key(&run->graph, s->node, key), s->way)) return false;
    weft_log(run->ctx, WEFT_LOG_WARN, "%s '%s': the driver does not compile kernel %s: another way than %s is taken", s->node->op->name, s->node->name,
             s->dispatch.kernel, s->way);
    return true;
}

// All at once, so that the driver compiles on all threads: those of what weights are made into before the first run, too.
static weft_result make_pipelines(weft_vk_run *run)
{
    const weft_program *p = &run->program;
    const int count = p->step_count + p->once_count;
    const double begin = weft_seconds();
    weft_vk_want *wants = weft_arena_new(&run->arena, sizeof *wants * (size_t) (count + 1));
    weft_vk_pipeline *pipelines = weft_arena_new(&run->arena, sizeof *pipelines * (size_t) (count + 1));
    if (!wants || !pipelines) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        const weft_step *s = i < p->step_count ? &p->steps[i] : &p->once[i - p->step_count];
        wants[i] = (weft_vk_want) { s->node, &s->dispatch, s->variant };
    }
    const weft_result r = weft_vk_kernels_get(run->dev->kernels, wants, count, pipelines, &run->facts.pipelines_new);
    run->facts.pipelines_ms = 1e3 * (weft_seconds() - begin);
    for (int i = 0; i < count && !run->forced; i++)
        if (wants[i].refused) run->refused |= note_refused(run, i < p->step_count ? &p->steps[i] : &p->once[i - p->step_count]);
    return r;
}

// What weights are made into before the first run.
static weft_result prepare_weights(weft_vk_run *run)
{
    weft_program once = run->program;
    weft_vk_recording recording = { 0 };
    if (!once.once_count) return WEFT_OK;
    once.steps = once.once, once.step_count = once.once_count;
    const weft_vk_job job = { .program = &once, .places = run->places, .state_block = run->workspace_blocks };
    weft_result r = weft_vk_record(&run->queue, &job, weft_vk_chunk_cost(run->dev), &run->arena, &recording);
    for (int k = 0; r == WEFT_OK && k < recording.chunk_count; k++) r = weft_vk_queue_once(&run->queue, recording.chunks[k].cmd);
    weft_vk_recording_destroy(run->dev, &recording);
    return r;
}

static weft_half half_of(const weft_vk_device *dev, weft_precision p)
{
    return !dev->caps.f16_storage || p == WEFT_EXACT ? WEFT_HALF_NONE : p == WEFT_MIXED ? WEFT_HALF_LARGE : WEFT_HALF_ALL;
}

static bool uses_matrices(const weft_vk_run *run, weft_vk_matrix_kind kind)
{
    for (int i = 0; i < run->program.step_count && run->caps.matrix[0]; i++)
        if (weft_vk_matrix_is(kind, run->program.steps[i].dispatch.kernel)) return true;
    return false;
}

// Matrix units are tried before a session relies on them, the simplest last: what it does without the others relies on those.
static weft_result build_program(weft_vk_run *run)
{
    const weft_chooser chooser = { weft_vk_tuner_choose, &(weft_vk_tuning) { run->dev->tuner, &run->graph } };
    WEFT_TRY(weft_program_build(&run->graph, &run->caps, &chooser, &run->arena, &run->program));
    for (int kind = WEFT_VK_MATRIX_KINDS - 1; kind >= 0 && !run->forced; kind--) {
        bool right;
        if (!uses_matrices(run, (weft_vk_matrix_kind) kind)) continue;
        WEFT_TRY(weft_vk_matrix_check(run->dev, (weft_vk_matrix_kind) kind, &right));
        if (right) continue;
        weft_vk_matrix_without((weft_vk_matrix_kind) kind, &run->caps);
        WEFT_TRY(weft_program_build(&run->graph, &run->caps, &chooser, &run->arena, &run->program));
    }
    return WEFT_OK;
}

// From a lowered graph to dispatches and where everything lies; nothing is made on the device yet.
static weft_result lay_out(weft_vk_run *run, const weft_graph *lowered, const weft_session_params *p)
{
    run->facts = (weft_session_facts) { .recomputed = run->facts.recomputed };
    weft_graph_init(&run->graph, &run->arena);
    WEFT_TRY(weft_pass_physical(lowered, half_of(run->dev, p->precision), &run->graph));
    WEFT_TRY(build_program(run));
    WEFT_TRY(check_sizes(run));
    run->places = weft_arena_new(&run->arena, sizeof *run->places * (size_t) (run->program.buffer_count + 1));
    run->updates = weft_arena_new(&run->arena, sizeof *run->updates * (size_t) (run->graph.state_count + 1));
    run->aside = weft_arena_new(&run->arena, sizeof *run->aside * (size_t) (run->graph.state_count + 1));
    if (!run->places || !run->updates || !run->aside) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_state_plan(&run->graph, !p->keep_values, &run->arena, run->updates));
    run->facts.weight_bytes = weft_vk_weights_room(run->dev, &run->graph);
    WEFT_TRY(place_tensors(run, p->max_bytes));
    place_states(run);
    return check_budget(run, p->max_bytes);
}

// Where max_bytes is not kept: computes again what takes the memory. The passes count 4 bytes an element and know nothing of scratch
// memory, so what they are to reach is scaled by what became of the last try.
static weft_result lay_out_within(weft_vk_run *run, const weft_graph *lowered, const weft_session_params *p)
{
    weft_result r = lay_out(run, lowered, p);
    size_t cap = 0;
    double flops;
    for (int i = 0; i < 3 && r == WEFT_ERR_VRAM && !p->keep_values && run->facts.weight_bytes < p->max_bytes; i++) {
        weft_graph smaller;
        bool changed;
        const size_t here = run->facts.workspace_bytes + run->facts.state_bytes;
        if (i == 0) WEFT_TRY(weft_lower_measure(lowered, &cap, &flops));
        cap = (size_t) (0.98 * (double) cap * (double) (p->max_bytes - run->facts.weight_bytes) / (double) here);
        weft_graph_init(&smaller, &run->arena);
        WEFT_TRY(weft_lower_fit(lowered, cap, &smaller, &changed));
        if (!changed) return check_budget(run, p->max_bytes);
        run->facts.recomputed = smaller.node_count - lowered->node_count;
        r = lay_out(run, &smaller, p);
    }
    return r;
}

static weft_result prepare(weft_vk_run *run, const weft_graph *bound, const weft_session_params *p)
{
    weft_graph lowered;
    weft_graph_init(&lowered, &run->arena);
    WEFT_TRY(weft_lower_device(bound, run->ctx->pool, !p->no_fuse, &lowered));
    WEFT_TRY(lay_out_within(run, &lowered, p));
    WEFT_TRY(weft_vk_queue_create(run->dev, &run->queue));
    WEFT_TRY(make_memory(run));
    weft_vk_place_aliases(&run->program, run->places);
    weft_vk_copy *in, *out;
    WEFT_TRY(stage(run, run->graph.inputs, run->graph.input_count, false, &run->staging_in, &run->in_offset, &run->in_bytes, &in));
    WEFT_TRY(stage(run, run->graph.outputs, run->graph.output_count, true, &run->staging_out, &run->out_offset, &run->out_bytes, &out));
    WEFT_TRY(make_pipelines(run));
    WEFT_TRY(prepare_weights(run));
    return record(run, in, out);
}

weft_result weft_vk_run_create(weft_vk_device *dev, const weft_graph *bound, const weft_session_params *params, weft_vk_run **out)
{
    return weft_vk_run_create_forced(dev, bound, params, NULL, out);
}

static weft_result create(weft_vk_device *dev, const weft_graph *bound, const weft_session_params *params, const char *force, bool *refused, weft_vk_run **out)
{
    weft_vk_run *run = weft_new(dev->ctx, sizeof *run);
    *refused = false;
    if (!run) return WEFT_ERR_MEMORY;
    run->dev = dev, run->ctx = run->arena.ctx = dev->ctx;
    run->caps = dev->caps;
    if (force) run->caps.force = force, run->forced = true;
    run->keep_values = params->keep_values;
    run->progress = params->progress, run->progress_user = params->progress_user;
    run->timing = params->timing, run->timing_user = params->timing_user;
    run->time_device = params->time_device;
    const weft_result r = prepare(run, bound, params);
    weft_vk_tuner_save(dev->tuner); // what took minutes to find out
    *refused = run->refused;
    if (r != WEFT_OK) return weft_vk_run_destroy(run), r;
    run->facts.dispatches = run->program.step_count;
    run->facts.gpu_ms = -1;
    run->facts.precision = dev->caps.f16_storage ? params->precision : WEFT_EXACT;
    *out = run;
    return WEFT_OK;
}

weft_result weft_vk_run_create_forced(weft_vk_device *dev, const weft_graph *bound, const weft_session_params *params, const char *force, weft_vk_run **out)
{
    bool refused = false;
    weft_result r;
    do r = create(dev, bound, params, force, &refused, out);
    while (r == WEFT_ERR_UNSUPPORTED && refused);
    return r;
}

void weft_vk_run_destroy(weft_vk_run *run)
{
    if (!run) return;
    weft_vk_recording_destroy(run->dev, &run->recording);
    weft_vk_queue_destroy(&run->queue);
    weft_vk_weights_give_back(run->dev->weights, &run->weights);
    weft_vk_block_destroy(run->dev, &run->staging_in);
    weft_vk_block_destroy(run->dev, &run->staging_out);
    for (int i = 0; i < run->block_count; i++) weft_vk_block_destroy(run->dev, &run->blocks[i]);
    weft_arena_free(&run->arena);
    weft_delete(run->ctx, run);
}

// What the kernels of a node took and had to move.
static weft_node_time node_time(const weft_vk_run *run, const weft_node *n)
{
    weft_node_time t = { .op = n->op->name, .node = n->name, .flops = weft_node_flops(n) };
    for (int k = 0; k < n->in_count; k++) {
        bool before = n->in[k] < 0;
        for (int i = 0; i < k; i++) before |= n->in[i] == n->in[k];
        if (!before) t.bytes += (double) run->program.buffers[n->in[k]].bytes;
    }
    for (int k = 0; k < n->out_count; k++) t.bytes += (double) run->program.buffers[n->out[k]].bytes;
    return t;
}

static void tell_nodes(const weft_vk_run *run)
{
    const weft_program *p = &run->program;
    const weft_vk_recording *r = &run->recording;
    for (int i = 0, piece = 0; i < p->step_count;) {
        weft_node_time t = node_time(run, p->steps[i].node);
        const int first = i;
        double most = -1;
        for (; i < p->step_count && p->steps[i].node == p->steps[first].node; i++) {
            if (p->steps[i].flops > most) t.kernel = p->steps[i].dispatch.kernel, most = p->steps[i].flops;
            for (; piece < r->piece_count && r->pieces[piece].step == i; piece++) {
                const double ms = weft_vk_stamps_ms(run->dev, &r->stamps, 2 + 2 * piece, 3 + 2 * piece);
                t.gpu_ms = ms < 0 || t.gpu_ms < 0 ? -1 : t.gpu_ms + ms;
            }
        }
        t.way = *p->steps[first].way ? p->steps[first].way : t.kernel;
        run->timing(run->timing_user, &t);
    }
}

// After a whole run: what its timestamps say.
static weft_result tell_times(weft_vk_run *run)
{
    if ((!run->timing && !run->time_device) || !run->recording.chunk_count) return WEFT_OK;
    WEFT_TRY(weft_vk_stamps_read(run->dev, &run->recording.stamps));
    run->facts.gpu_ms = weft_vk_stamps_ms(run->dev, &run->recording.stamps, 0, 1);
    if (run->timing) tell_nodes(run);
    return WEFT_OK;
}

// Submits `times` runs and waits: [inputs] program [outputs] commit.
static weft_result go(weft_vk_run *run, bool in, void *const *out, int64_t times)
{
    const weft_vk_recording *r = &run->recording;
    int count = 0;
    if (in) run->chunks[count++] = r->in;
    for (int k = 0; k < r->chunk_count; k++) run->chunks[count++] = r->chunks[k];
    for (int i = 0; i < run->graph.output_count && out; i++)
        if (out[i]) run->chunks[count++] = r->out[i];
    if (r->commit.cmd) run->chunks[count++] = r->commit;
    if (!count) return run->facts.runs += times, WEFT_OK;
    run->line.count = count, run->line.times = times;
    const weft_result result = weft_vk_queue_run(&run->queue, &run->line, run->progress, run->progress_user);
    run->facts.submissions = run->queue.submissions, run->facts.submit_ms = 1e3 * run->queue.submit_seconds;
    run->facts.runs += run->queue.times_done;
    return result == WEFT_OK ? tell_times(run) : result;
}

weft_result weft_vk_run_go(weft_vk_run *run, const void *const *in, void *const *out)
{
    for (int i = 0; i < run->graph.input_count; i++) memcpy((char *) run->staging_in.mapped + run->in_offset[i], in[i], run->in_bytes[i]);
    WEFT_TRY(weft_vk_block_flush(run->dev, &run->staging_in));
    WEFT_TRY(go(run, true, out, 1));
    WEFT_TRY(weft_vk_block_invalidate(run->dev, &run->staging_out));
    for (int i = 0; i < run->graph.output_count; i++)
        if (out[i]) memcpy(out[i], (char *) run->staging_out.mapped + run->out_offset[i], run->out_bytes[i]);
    return WEFT_OK;
}

// Where there are no states, the memory of inputs is used for other things in a run.
static weft_result go_again(weft_vk_run *run, int64_t count) { return go(run, !run->graph.state_count, NULL, count); }

typedef struct share { // one of several runs, each submitted on its own
    int (*progress)(void *user, double done);
    void *user;
    int64_t index, count;
} share;

static int share_progress(void *user, double done)
{
    const share *s = user;
    return s->progress(s->user, ((double) s->index + done) / (double) s->count);
}

// Every run has its own times, which are to be told before the next writes over them.
static weft_result repeat_timed(weft_vk_run *run, int64_t count)
{
    share s = { run->progress, run->progress_user, 0, count };
    weft_result r = WEFT_OK;
    if (run->progress) run->progress = share_progress, run->progress_user = &s;
    for (; s.index < count && r == WEFT_OK; s.index++) r = go_again(run, 1);
    run->progress = s.progress, run->progress_user = s.user;
    return r;
}

weft_result weft_vk_run_repeat(weft_vk_run *run, int64_t count) { return run->timing ? repeat_timed(run, count) : go_again(run, count); }

static const weft_vk_place *state_place(const weft_vk_run *run, int index) { return &run->places[run->graph.states[index].value]; }

weft_result weft_vk_run_set_state(weft_vk_run *run, int index, const void *data)
{
    WEFT_TRY(weft_vk_move_in(&run->moves, state_place(run, index), run->graph.states[index].init, data));
    return weft_vk_moves_end(&run->moves);
}

weft_result weft_vk_run_reset_states(weft_vk_run *run)
{
    for (int i = 0; i < run->graph.state_count; i++) WEFT_TRY(weft_vk_move_in(&run->moves, state_place(run, i), run->graph.states[i].init, NULL));
    return weft_vk_moves_end(&run->moves);
}

weft_result weft_vk_run_get_state(weft_vk_run *run, int index, void *data) { return weft_vk_move_out(&run->moves, state_place(run, index), data); }

void weft_vk_run_measure(const weft_vk_run *run, weft_session_facts *facts) { *facts = run->facts; }

weft_result weft_vk_run_value(weft_vk_run *run, int origin, weft_shape *shape, float *data, size_t count)
{
    const weft_graph *g = &run->graph;
    for (int v = 0; v < g->value_count; v++) {
        if (g->values[v].origin != origin || !run->places[v].buffer) continue;
        *shape = g->values[v].shape;
        if (!data) return WEFT_OK;
        if (count < (size_t) weft_shape_count(*shape))
            return weft_fail(WEFT_ERR_ARGUMENT, "value %d has %lld elements, there is room for %zu", origin, (long long) weft_shape_count(*shape), count);
        return weft_vk_fetch(&run->queue, &g->values[v], &run->places[v], data);
    }
    return weft_fail(WEFT_ERR_UNSUPPORTED, "value %d was fused into another or is not needed", origin);
}
