// SPDX-License-Identifier: MIT
#include "vk/record.h"
#include "vk/hazard.h"
#include "vk/kernel.h"
#include "vk/slice.h"

typedef struct recorder {
    weft_vk_device *dev;
    const weft_vk_calls *vk;
    const weft_vk_job *job;
    weft_vk_pipeline *pipelines; // per step
    VkDescriptorSet *sets;
    weft_vk_hazards hazards;
    weft_vk_recording *out;
    VkCommandBuffer cmd;
} recorder;

static weft_result make_pipelines(recorder *c, weft_arena *arena)
{
    const weft_program *p = c->job->program;
    weft_vk_want *wants = weft_arena_new(arena, sizeof *wants * (size_t) (p->step_count + 1));
    c->pipelines = weft_arena_new(arena, sizeof *c->pipelines * (size_t) (p->step_count + 1));
    if (!wants || !c->pipelines) return WEFT_ERR_MEMORY;
    for (int i = 0; i < p->step_count; i++) wants[i] = (weft_vk_want) { p->steps[i].node, &p->steps[i].dispatch, p->steps[i].variant };
    return weft_vk_kernels_get(c->dev->kernels, wants, p->step_count, c->pipelines, NULL);
}

static weft_vk_place place_of(const recorder *c, const weft_bind *b)
{
    weft_vk_place at = c->job->places[b->index];
    at.offset += b->begin;
    at.bytes = b->count ? b->count : at.bytes - b->begin;
    return at;
}

static weft_result make_sets(recorder *c, weft_arena *arena)
{
    const weft_program *p = c->job->program;
    uint32_t buffers = 0;
    VkDescriptorSetLayout *layouts = weft_arena_new(arena, sizeof *layouts * (size_t) (p->step_count + 1));
    c->sets = weft_arena_new(arena, sizeof *c->sets * (size_t) (p->step_count + 1));
    if (!layouts || !c->sets) return WEFT_ERR_MEMORY;
    for (int i = 0; i < p->step_count; i++) {
        buffers += (uint32_t) p->steps[i].dispatch.bind_count;
        layouts[i] = c->pipelines[i].set_layout;
    }
    if (!p->step_count) return WEFT_OK;
    const VkDescriptorPoolSize size = { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, buffers + 1 };
    const VkDescriptorPoolCreateInfo pool = { VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, NULL, 0, (uint32_t) p->step_count, 1, &size };
    VK_TRY(c->vk, vkCreateDescriptorPool, c->dev->device, &pool, NULL, &c->out->sets);
    const VkDescriptorSetAllocateInfo info = { VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, NULL, c->out->sets, (uint32_t) p->step_count, layouts };
    VK_TRY(c->vk, vkAllocateDescriptorSets, c->dev->device, &info, c->sets);
    for (int i = 0; i < p->step_count; i++) {
        const weft_dispatch *d = &p->steps[i].dispatch;
        VkDescriptorBufferInfo range[WEFT_MAX_BIND];
        for (int k = 0; k < d->bind_count; k++) {
            const weft_vk_place at = place_of(c, &d->bind[k]);
            const VkDeviceSize whole = (at.bytes + 15) & ~(VkDeviceSize) 15, most = c->dev->limits.maxStorageBufferRange; // vectors
            range[k] = (VkDescriptorBufferInfo) { at.buffer, at.offset, whole > most ? most : whole };
        }
        const VkWriteDescriptorSet write = { VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, NULL, c->sets[i], 0, 0, (uint32_t) d->bind_count,
                                             VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, NULL, range, NULL };
        c->vk->vkUpdateDescriptorSets(c->dev->device, 1, &write, 0, NULL);
    }
    return WEFT_OK;
}

// Puts the barrier that step needs after all before it, and notes what the step touches.
static weft_result separate(recorder *c, const weft_step *s)
{
    weft_vk_range touched[WEFT_MAX_BIND];
    int count = 0;
    for (int k = 0; k < s->dispatch.bind_count; k++) {
        const weft_vk_place at = place_of(c, &s->dispatch.bind[k]);
        if (at.block >= 0) touched[count++] = (weft_vk_range) { at.block, at.offset, at.offset + at.bytes, s->dispatch.bind[k].writes };
    }
    const weft_vk_barrier need = weft_vk_hazard_check(&c->hazards, touched, count);
    const VkMemoryBarrier visible = { VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT,
                                      VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT };
    if (need != WEFT_VK_NO_BARRIER) {
        c->vk->vkCmdPipelineBarrier(c->cmd, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0,
                                    need == WEFT_VK_VISIBLE, &visible, 0, NULL, 0, NULL);
        c->out->barriers++;
    }
    weft_vk_hazard_passed(&c->hazards, need);
    return weft_vk_hazard_add(c->dev->ctx, &c->hazards, touched, count);
}

static void dispatch(recorder *c, const weft_vk_piece *p)
{
    const weft_dispatch *d = &c->job->program->steps[p->step].dispatch;
    const weft_vk_pipeline *pipe = &c->pipelines[p->step];
    const uint32_t *b = p->base, *n = p->size;
    weft_vk_bind_kernel(c->dev, c->cmd, pipe);
    c->vk->vkCmdBindDescriptorSets(c->cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipe->layout, 0, 1, &c->sets[p->step], 0, NULL);
    if (d->params_bytes) c->vk->vkCmdPushConstants(c->cmd, pipe->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, (uint32_t) d->params_bytes, d->params);
    if (p->sliced) c->vk->vkCmdDispatchBase(c->cmd, b[0], b[1], b[2], n[0], n[1], n[2]);
    else c->vk->vkCmdDispatch(c->cmd, n[0], n[1], n[2]);
}

static void copy(recorder *c, const weft_vk_copy *list, int count)
{
    for (int i = 0; i < count; i++)
        c->vk->vkCmdCopyBuffer(c->cmd, list[i].from, list[i].to, 1, &(VkBufferCopy) { list[i].from_offset, list[i].to_offset, list[i].bytes });
}

static void barrier(recorder *c, VkPipelineStageFlags from, VkAccessFlags wrote, VkPipelineStageFlags to, VkAccessFlags uses)
{
    const VkMemoryBarrier b = { VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, wrote, uses };
    c->vk->vkCmdPipelineBarrier(c->cmd, from, to, 0, 1, &b, 0, NULL, 0, NULL);
}

static const VkPipelineStageFlags ALL_STAGES = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
static const VkAccessFlags ALL_WRITES = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;

// Inputs and, in the first run, weights come by copies; states from the run before, which may just be over.
static void begin_program(recorder *c)
{
    barrier(c, ALL_STAGES, ALL_WRITES, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
}

// Repeated runs are one submission: the one before may still have its own data in the inputs' memory.
static void record_in(recorder *c)
{
    barrier(c, ALL_STAGES, ALL_WRITES, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT);
    copy(c, c->job->in, c->job->in_count);
}

static void record_out(recorder *c, int index)
{
    barrier(c, ALL_STAGES, ALL_WRITES, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT);
    copy(c, &c->job->out[index], 1);
    barrier(c, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
}

static void record_commit(recorder *c)
{
    const VkAccessFlags copies = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
    barrier(c, ALL_STAGES, ALL_WRITES, VK_PIPELINE_STAGE_TRANSFER_BIT, copies);
    copy(c, c->job->aside, c->job->aside_count);
    if (c->job->aside_count) barrier(c, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, copies);
    copy(c, c->job->on, c->job->on_count);
}

static bool changes_state(const recorder *c, const weft_step *s)
{
    for (int k = 0; k < s->dispatch.bind_count; k++)
        if (s->dispatch.bind[k].writes && c->job->places[s->dispatch.bind[k].index].block >= c->job->state_block) return true;
    return false;
}

static void stamp(recorder *c, int index) { weft_vk_stamp(c->dev, &c->out->stamps, c->cmd, index); }

static weft_result make_stamps(recorder *c, const weft_vk_slices *slices)
{
    c->out->pieces = slices->pieces, c->out->piece_count = slices->piece_count;
    if (c->job->timing == WEFT_VK_NOT_TIMED || !slices->chunk_count) return WEFT_OK;
    return weft_vk_stamps_create(c->dev, c->job->timing == WEFT_VK_PIECES_TIMED ? 2 + 2 * slices->piece_count : 2, &c->out->stamps);
}

// A piece on its own, between two timestamps.
static void dispatch_timed(recorder *c, const weft_vk_piece *p, int index)
{
    barrier(c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    stamp(c, 2 + 2 * index);
    dispatch(c, p);
    stamp(c, 3 + 2 * index);
}

static const VkCommandBufferBeginInfo again = { VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, NULL, VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT, NULL };

static weft_result record_chunks(recorder *c, const weft_vk_slices *slices)
{
    for (int k = 0, i = 0; k < c->out->chunk_count; k++) {
        weft_vk_chunk *chunk = &c->out->chunks[k];
        c->cmd = chunk->cmd;
        VK_TRY(c->vk, vkBeginCommandBuffer, c->cmd, &again);
        if (k == 0) weft_vk_stamps_reset(c->dev, &c->out->stamps, c->cmd);
        if (k == 0) begin_program(c);
        if (k == 0) stamp(c, 0);
        for (bool first = true; i < slices->piece_count && (first || !slices->pieces[i].starts_chunk); i++, first = false) {
            const weft_vk_piece *p = &slices->pieces[i];
            const weft_step *step = &c->job->program->steps[p->step];
            const bool first_of_step = i == 0 || slices->pieces[i - 1].step != p->step;
            if (first_of_step) WEFT_TRY(separate(c, step));
            if (c->job->timing == WEFT_VK_PIECES_TIMED) dispatch_timed(c, p, i);
            else dispatch(c, p);
            chunk->cost += p->cost;
            chunk->changes |= changes_state(c, step);
        }
        if (k == c->out->chunk_count - 1) stamp(c, 1);
        VK_TRY(c->vk, vkEndCommandBuffer, c->cmd);
    }
    return WEFT_OK;
}

static weft_result record_copies(recorder *c)
{
    c->cmd = c->out->in.cmd;
    VK_TRY(c->vk, vkBeginCommandBuffer, c->cmd, &again);
    record_in(c);
    VK_TRY(c->vk, vkEndCommandBuffer, c->cmd);
    for (int i = 0; i < c->job->out_count; i++) {
        c->cmd = c->out->out[i].cmd;
        VK_TRY(c->vk, vkBeginCommandBuffer, c->cmd, &again);
        record_out(c, i);
        VK_TRY(c->vk, vkEndCommandBuffer, c->cmd);
    }
    if (!(c->cmd = c->out->commit.cmd)) return WEFT_OK;
    VK_TRY(c->vk, vkBeginCommandBuffer, c->cmd, &again);
    record_commit(c);
    VK_TRY(c->vk, vkEndCommandBuffer, c->cmd);
    return WEFT_OK;
}

static weft_result make_commands(recorder *c, weft_vk_queue *q, int chunks, weft_arena *arena)
{
    const int outs = c->job->out_count, all = 1 + chunks + outs + (c->job->on_count > 0);
    VkCommandBuffer *cmds = weft_arena_new(arena, sizeof *cmds * (size_t) all);
    c->out->chunks = weft_arena_new(arena, sizeof *c->out->chunks * (size_t) (chunks + 1));
    c->out->out = weft_arena_new(arena, sizeof *c->out->out * (size_t) (outs + 1));
    if (!cmds || !c->out->chunks || !c->out->out) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_vk_queue_commands(q, all, cmds));
    c->out->chunk_count = chunks;
    c->out->in.cmd = *cmds++;
    for (int k = 0; k < chunks; k++) c->out->chunks[k].cmd = *cmds++;
    for (int i = 0; i < outs; i++) c->out->out[i].cmd = *cmds++;
    if (c->job->on_count > 0) c->out->commit = (weft_vk_chunk) { *cmds, 0, true };
    return WEFT_OK;
}

weft_result weft_vk_record(weft_vk_queue *q, const weft_vk_job *job, double chunk_cost, weft_arena *arena, weft_vk_recording *out)
{
    recorder c = { .dev = q->dev, .vk = &q->dev->vk, .job = job, .out = out };
    weft_vk_slices slices;
    *out = (weft_vk_recording) { 0 };
    WEFT_TRY(weft_vk_slice(job->program, chunk_cost, c.dev->limits.maxComputeWorkGroupCount, arena, &slices));
    WEFT_TRY(make_pipelines(&c, arena));
    WEFT_TRY(make_sets(&c, arena));
    WEFT_TRY(make_commands(&c, q, slices.chunk_count, arena));
    WEFT_TRY(make_stamps(&c, &slices));
    weft_result r = record_chunks(&c, &slices);
    if (r == WEFT_OK) r = record_copies(&c);
    weft_vk_hazard_free(c.dev->ctx, &c.hazards);
    return r;
}

void weft_vk_recording_destroy(weft_vk_device *dev, weft_vk_recording *r)
{
    weft_vk_stamps_destroy(dev, &r->stamps);
    if (r->sets) dev->vk.vkDestroyDescriptorPool(dev->device, r->sets, NULL);
    *r = (weft_vk_recording) { 0 };
}
