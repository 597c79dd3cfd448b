// SPDX-License-Identifier: MIT
#include "vk/trial.h"
#include "base/clock.h"
#include "vk/aliases.h"
#include "vk/record.h"
#include <math.h>

enum { LIST = 64, SAMPLES = 4, MOST_TIMES = 64, MOST_BLOCKS = 16 };
static const double SAMPLE_SECONDS = 0.004; // long against what a submission costs
static const uint32_t SMALL = 0x2c002c00;   // what fills the tensors: 0.0625 twice in f16, 1.8e-12 in f32. Zeros would flatter a device that skips them.

typedef struct trial {
    weft_vk_device *dev;
    weft_arena arena;
    weft_graph graph; // of the one node
    weft_program program;
    weft_vk_place *places;
    weft_vk_block blocks[MOST_BLOCKS];
    int block_count;
    weft_vk_queue queue;
    weft_vk_recording recording;
} trial;

// Weights stay weights, since rows look at that; all else becomes an input as it lies.
static weft_result copy_node(trial *t, const weft_graph *from, const weft_node *n)
{
    weft_value *in = weft_arena_new(&t->arena, sizeof *in * (size_t) (n->in_count + 1));
    if (!in) return WEFT_ERR_MEMORY;
    weft_graph_init(&t->graph, &t->arena);
    t->graph.bound = true;
    for (int i = 0; i < n->in_count; i++) {
        in[i] = -1;
        if (n->in[i] < 0) continue;
        const weft_value_def *v = &from->values[n->in[i]];
        in[i] = v->weight ? weft_graph_constant(&t->graph, v->weight) : weft_graph_input(&t->graph, "x", (weft_dtype) v->dtype, v->shape);
        if (in[i] < 0) return weft_graph_status(&t->graph);
        weft_graph_set_form(&t->graph, in[i], (weft_layout) v->layout, (weft_dtype) v->storage);
    }
    const weft_value out = weft_graph_op(&t->graph, n->op, in, n->in_count, n->attrs);
    WEFT_TRY(weft_graph_status(&t->graph));
    for (int k = 0; k < n->out_count; k++)
        weft_graph_set_form(&t->graph, out + k, (weft_layout) from->values[n->out[k]].layout, (weft_dtype) from->values[n->out[k]].storage);
    return weft_graph_status(&t->graph);
}

// Every buffer has memory of its own, none across the end of a block.
static weft_result place(trial *t)
{
    const weft_program *p = &t->program;
    const size_t align = weft_vk_alignment(t->dev), most = weft_vk_largest_block(t->dev), range = t->dev->limits.maxStorageBufferRange;
    size_t end = 0;
    t->places = weft_arena_new(&t->arena, sizeof *t->places * (size_t) (p->buffer_count + 1));
    if (!t->places) return WEFT_ERR_MEMORY;
    for (int b = 0; b < p->buffer_count; b++) {
        const size_t bytes = (p->buffers[b].bytes + align - 1) / align * align;
        if (p->buffers[b].same_as >= 0) continue;
        if (bytes > most || p->buffers[b].bytes > range) return weft_fail(WEFT_ERR_VRAM, "a trial's tensor of %zu bytes is more than the device takes", bytes);
        if (bytes && end / most != (end + bytes - 1) / most) end = (end / most + 1) * most;
        t->places[b] = (weft_vk_place) { .block = (int) (end / most), .offset = end % most, .bytes = p->buffers[b].bytes };
        end += bytes;
    }
    for (size_t at = 0; at < end; at += most) {
        if (t->block_count == MOST_BLOCKS) return weft_fail(WEFT_ERR_VRAM, "a trial needs more than %d blocks of device memory", MOST_BLOCKS);
        WEFT_TRY(weft_vk_block_create(t->dev, WEFT_VK_TENSORS, end - at < most ? end - at : most, &t->blocks[t->block_count]));
        t->block_count++;
    }
    for (int b = 0; b < p->buffer_count; b++) t->places[b].buffer = t->blocks[t->places[b].block].buffer;
    weft_vk_place_aliases(p, t->places);
    return WEFT_OK;
}

static weft_result fill(trial *t)
{
    const weft_vk_calls *vk = &t->dev->vk;
    const VkCommandBufferBeginInfo info = { VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, NULL, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, NULL };
    VkCommandBuffer cmd;
    WEFT_TRY(weft_vk_queue_commands(&t->queue, 1, &cmd));
    VK_TRY(vk, vkBeginCommandBuffer, cmd, &info);
    for (int i = 0; i < t->block_count; i++) vk->vkCmdFillBuffer(cmd, t->blocks[i].buffer, 0, VK_WHOLE_SIZE, SMALL);
    VK_TRY(vk, vkEndCommandBuffer, cmd);
    return weft_vk_queue_once(&t->queue, cmd);
}

static weft_result time_runs(trial *t, int64_t times, double *seconds)
{
    VkCommandBuffer list[LIST];
    const weft_vk_line line = { t->recording.chunks, t->recording.chunk_count, times, false, list, LIST };
    const double before = weft_seconds();
    WEFT_TRY(weft_vk_queue_run(&t->queue, &line, NULL, NULL));
    *seconds = (weft_seconds() - before) / (double) times;
    return WEFT_OK;
}

static weft_result measure(trial *t, double enough, double *seconds)
{
    double first;
    WEFT_TRY(time_runs(t, 1, &first)); // some drivers compile only now
    WEFT_TRY(time_runs(t, 1, seconds));
    if (*seconds > enough) return WEFT_OK;
    const double times = fmin(fmax(SAMPLE_SECONDS / *seconds, 1), MOST_TIMES);
    for (int i = 0; i < SAMPLES; i++) {
        double s;
        WEFT_TRY(time_runs(t, (int64_t) times, &s));
        if (s < *seconds) *seconds = s;
    }
    return WEFT_OK;
}

static weft_result run(trial *t, const weft_graph *from, const weft_node *n, const weft_way *way, double enough, double *seconds)
{
    weft_caps caps = t->dev->caps;
    char text[WEFT_WAY_TEXT];
    caps.force = weft_way_text(way, text);
    WEFT_TRY(copy_node(t, from, n));
    WEFT_TRY(weft_program_build(&t->graph, &caps, NULL, &t->arena, &t->program));
    WEFT_TRY(place(t));
    WEFT_TRY(weft_vk_queue_create(t->dev, &t->queue));
    WEFT_TRY(fill(t));
    const weft_vk_job job = { .program = &t->program, .places = t->places, .state_block = t->block_count };
    WEFT_TRY(weft_vk_record(&t->queue, &job, weft_vk_chunk_cost(t->dev), &t->arena, &t->recording));
    return measure(t, enough, seconds);
}

weft_result weft_vk_trial(weft_vk_device *dev, const weft_graph *physical, const weft_node *n, const weft_way *way, double enough, double *seconds)
{
    trial t = { .dev = dev, .arena = { .ctx = dev->ctx } };
    const weft_result r = run(&t, physical, n, way, enough, seconds);
    weft_vk_recording_destroy(dev, &t.recording);
    weft_vk_queue_destroy(&t.queue);
    for (int i = 0; i < t.block_count; i++) weft_vk_block_destroy(dev, &t.blocks[i]);
    weft_arena_free(&t.arena);
    return r;
}
