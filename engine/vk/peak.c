// SPDX-License-Identifier: MIT
#include "vk/peak.h"
#include "base/clock.h"
#include "params/peak.h"
#include "vk/kernel.h"
#include "vk/matrix.h"
#include "vk/memory.h"
#include "vk/stamps.h"
#include "vk/submit.h"

enum {
    GROUP = 64, LEAST_THREADS = 4096, MOST_THREADS = 1 << 20, MOST_TURNS = 32768,
    FLOPS_A_TURN = 2 * 4 * 3 * 8, // of peak_fma
    PRODUCTS_A_TURN = 8,          // of peak_matrix
    LOADS = 16, COPIES = 4,       // of an invocation, in fours
    LAUNCHES = 256,               // dispatches in a recording
};
static const double LONG_ENOUGH = 0.01; // seconds of a sample
static const size_t BLOCK_MOST = (size_t) 512 << 20, BLOCK_SOFTWARE = (size_t) 128 << 20; // beyond the caches there are

typedef struct shape { // of a kernel
    const char *kernel, *variant;
    uint32_t spec[3]; // constant_id 3 and up
    int spec_count, binds;
    uint32_t group, subgroup; // 0: GROUP, as the device likes
} shape;

typedef struct form { // one way of asking for a peak of arithmetic
    shape shape;
    uint32_t threads, turns;
    double flops_a_turn; // of a thread
    float a, b;
    double flops;        // at the first sample; the better of two forms is kept
} form;

struct weft_vk_peaks {
    weft_vk_device *dev;
    weft_vk_queue queue;
    weft_vk_block from, to;
    weft_vk_stamps stamps; // before and after
    VkDescriptorPool pool;
    VkDescriptorSet sets[2]; // of kernels with one and with two buffers
    VkDescriptorSetLayout layouts[2];
    VkCommandBuffer cmd;
    form fma[2][2]; // f32 and f16, fused and not
    int best[2];    // of them; -1: not known yet
    form matrix;
};

static const weft_op peak_op = { .name = "peak" };
static const weft_node peak_node = { .op = &peak_op, .name = "peak" };

static const shape plain_copy = { "peak_copy", "f32", .binds = 2 }, plain_read = { "peak_read", "f32", .binds = 2 };

static uint32_t group_of(const shape *s) { return s->group ? s->group : GROUP; }

static weft_result pipeline_of(weft_vk_peaks *p, const shape *s, weft_vk_pipeline *out)
{
    const weft_dispatch d = {
        .kernel = s->kernel, .spec = { s->spec[0], s->spec[1], s->spec[2] }, .spec_count = s->spec_count, .group = { group_of(s), 1, 1 },
        .subgroup = s->subgroup, .bind_count = s->binds,
    };
    return weft_vk_kernels_get(p->dev->kernels, &(weft_vk_want) { &peak_node, &d, s->variant }, 1, out, NULL);
}

// --- Objects. ---------------------------------------------------------------------------------------------------

static size_t block_bytes(const weft_vk_device *dev)
{
    size_t bytes = dev->caps.is_software ? BLOCK_SOFTWARE : BLOCK_MOST;
    while (bytes > dev->limits.maxStorageBufferRange || bytes > weft_vk_largest_block(dev) || bytes > dev->info.memory_bytes / 8) bytes /= 2;
    return bytes;
}

static weft_result make_set(weft_vk_peaks *p, int binds, VkDescriptorSet *set)
{
    const weft_vk_calls *vk = &p->dev->vk;
    weft_vk_pipeline pipe;
    WEFT_TRY(pipeline_of(p, binds == 1 ? &p->fma[0][1].shape : &plain_copy, &pipe));
    const VkDescriptorSetAllocateInfo info = { VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, NULL, p->pool, 1, &pipe.set_layout };
    const VkDescriptorBufferInfo range[2] = { { p->to.buffer, 0, p->to.bytes }, { p->from.buffer, 0, p->from.bytes } };
    VK_TRY(vk, vkAllocateDescriptorSets, p->dev->device, &info, set);
    const VkWriteDescriptorSet write = { VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, NULL, *set, 0, 0, (uint32_t) binds, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                         NULL, range, NULL };
    vk->vkUpdateDescriptorSets(p->dev->device, 1, &write, 0, NULL);
    return WEFT_OK;
}

static weft_result begin(weft_vk_peaks *p)
{
    const VkCommandBufferBeginInfo info = { VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, NULL, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, NULL };
    VK_TRY(&p->dev->vk, vkBeginCommandBuffer, p->cmd, &info);
    return WEFT_OK;
}

static weft_result prepare(weft_vk_peaks *p)
{
    const weft_vk_calls *vk = &p->dev->vk;
    const size_t bytes = block_bytes(p->dev);
    const VkDescriptorPoolSize size = { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 3 };
    const VkDescriptorPoolCreateInfo pool = { VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, NULL, 0, 2, 1, &size };
    WEFT_TRY(weft_vk_queue_create(p->dev, &p->queue));
    WEFT_TRY(weft_vk_queue_commands(&p->queue, 1, &p->cmd));
    WEFT_TRY(weft_vk_block_create(p->dev, WEFT_VK_TENSORS, bytes, &p->from));
    WEFT_TRY(weft_vk_block_create(p->dev, WEFT_VK_TENSORS, bytes, &p->to));
    WEFT_TRY(weft_vk_stamps_create(p->dev, 2, &p->stamps));
    VK_TRY(vk, vkCreateDescriptorPool, p->dev->device, &pool, NULL, &p->pool);
    for (int i = 0; i < 2; i++) WEFT_TRY(make_set(p, 1 + i, &p->sets[i]));
    WEFT_TRY(begin(p)); // pages that nobody wrote may not be there
    vk->vkCmdFillBuffer(p->cmd, p->from.buffer, 0, VK_WHOLE_SIZE, 0x24002400); // two times 2^-6 in f16
    vk->vkCmdFillBuffer(p->cmd, p->to.buffer, 0, VK_WHOLE_SIZE, 0x24002400);
    VK_TRY(vk, vkEndCommandBuffer, p->cmd);
    return weft_vk_queue_once(&p->queue, p->cmd);
}

weft_result weft_vk_peaks_create(weft_vk_device *dev, weft_vk_peaks **out)
{
    weft_vk_peaks *p = weft_new(dev->ctx, sizeof *p);
    if (!p) return WEFT_ERR_MEMORY;
    p->dev = dev;
    for (int half = 0; half < 2; half++) {
        p->best[half] = -1;
        for (int fused = 0; fused < 2; fused++)
            p->fma[half][fused] = (form) { { "peak_fma", half ? "f16" : "f32", { (uint32_t) fused }, 1, 1, 0, 0 }, LEAST_THREADS, 16, FLOPS_A_TURN, 0.75f, 0.125f, 0 };
    }
    const weft_caps *c = &dev->caps;
    if (c->matrix[0]) // a subgroup multiplies; two of them are a group
        p->matrix = (form) { { "peak_matrix", "f16", { c->matrix[0], c->matrix[1], c->matrix[2] }, 3, 1, 2 * c->matrix_subgroup, c->matrix_subgroup }, LEAST_THREADS, 16,
                             PRODUCTS_A_TURN * 2.0 * c->matrix[0] * c->matrix[1] * c->matrix[2] / c->matrix_subgroup, 0, 0, 0 };
    const weft_result r = prepare(p);
    if (r != WEFT_OK) return weft_vk_peaks_destroy(p), r;
    *out = p;
    return WEFT_OK;
}

void weft_vk_peaks_destroy(weft_vk_peaks *p)
{
    if (!p) return;
    weft_vk_device *dev = p->dev;
    weft_vk_queue_destroy(&p->queue);
    if (p->pool) dev->vk.vkDestroyDescriptorPool(dev->device, p->pool, NULL);
    weft_vk_stamps_destroy(dev, &p->stamps);
    weft_vk_block_destroy(dev, &p->from);
    weft_vk_block_destroy(dev, &p->to);
    weft_delete(dev->ctx, p);
}

// --- Samples. ---------------------------------------------------------------------------------------------------

typedef struct job {
    const shape *shape;
    uint32_t threads;
    int dispatches;
    struct peak_params params;
} job;

static void barrier(weft_vk_peaks *p)
{
    const VkMemoryBarrier visible = { VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                                      VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT };
    p->dev->vk.vkCmdPipelineBarrier(p->cmd, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1,
                                    &visible, 0, NULL, 0, NULL);
}

static weft_result record(weft_vk_peaks *p, const job *j)
{
    const weft_vk_calls *vk = &p->dev->vk;
    const uint32_t group = group_of(j->shape), groups = (j->threads + group - 1) / group, row = 32768; // LINEAR_ID
    weft_vk_pipeline pipe;
    WEFT_TRY(pipeline_of(p, j->shape, &pipe));
    WEFT_TRY(begin(p));
    weft_vk_stamps_reset(p->dev, &p->stamps, p->cmd);
    weft_vk_bind_kernel(p->dev, p->cmd, &pipe);
    vk->vkCmdBindDescriptorSets(p->cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipe.layout, 0, 1, &p->sets[j->shape->binds - 1], 0, NULL);
    vk->vkCmdPushConstants(p->cmd, pipe.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof j->params, &j->params);
    barrier(p);
    weft_vk_stamp(p->dev, &p->stamps, p->cmd, 0);
    for (int i = 0; i < j->dispatches; i++) {
        if (i) barrier(p);
        vk->vkCmdDispatch(p->cmd, groups > row ? row : groups, groups > row ? (groups + row - 1) / row : 1, 1);
    }
    weft_vk_stamp(p->dev, &p->stamps, p->cmd, 1);
    VK_TRY(vk, vkEndCommandBuffer, p->cmd);
    return WEFT_OK;
}

// Seconds by the device's clock, or where there is none by ours, with the submission.
static weft_result run(weft_vk_peaks *p, const job *j, double *seconds)
{
    WEFT_TRY(record(p, j));
    const double start = weft_seconds();
    WEFT_TRY(weft_vk_queue_once(&p->queue, p->cmd));
    *seconds = weft_seconds() - start;
    WEFT_TRY(weft_vk_stamps_read(p->dev, &p->stamps));
    const double ms = weft_vk_stamps_ms(p->dev, &p->stamps, 0, 1);
    if (ms > 0) *seconds = ms * 1e-3;
    return WEFT_OK;
}

// Larger and larger until a sample is long enough; the last one is the sample.
static weft_result fma_sample(weft_vk_peaks *p, form *f, double *rate)
{
    for (bool again = false;; again = true) {
        const job j = { &f->shape, f->threads, 1, { .turns = f->turns, .a = f->a, .b = f->b } };
        double seconds;
        WEFT_TRY(run(p, &j, &seconds));
        *rate = (double) f->threads * f->turns * f->flops_a_turn / seconds;
        if (seconds >= LONG_ENOUGH && (again || f->flops > 0)) return WEFT_OK; // the first run may hold a compilation
        if (seconds >= LONG_ENOUGH) continue;
        if (f->threads < MOST_THREADS) f->threads *= 2;
        else if (f->turns < MOST_TURNS) f->turns *= 2;
        else return WEFT_OK;
    }
}

static weft_result arithmetic(weft_vk_peaks *p, int half, double *rate)
{
    form *forms = p->fma[half];
    if (half && !p->dev->f16_arithmetic) return weft_fail(WEFT_ERR_UNSUPPORTED, "%s does not compute in f16", p->dev->name);
    if (p->best[half] < 0) {
        for (int i = 0; i < 2; i++) WEFT_TRY(fma_sample(p, &forms[i], &forms[i].flops));
        p->best[half] = forms[1].flops >= forms[0].flops;
    }
    return fma_sample(p, &forms[p->best[half]], rate);
}

static weft_result products(weft_vk_peaks *p, double *rate)
{
    bool right = false;
    if (p->dev->caps.matrix[0]) WEFT_TRY(weft_vk_matrix_check(p->dev, WEFT_VK_MATRIX_FIXED, &right));
    if (!right) return weft_fail(WEFT_ERR_UNSUPPORTED, "%s has no matrix units that can be used", p->dev->name);
    if (p->matrix.flops == 0) WEFT_TRY(fma_sample(p, &p->matrix, &p->matrix.flops));
    return fma_sample(p, &p->matrix, rate);
}

static weft_result memory(weft_vk_peaks *p, bool copy, double *rate)
{
    const uint32_t fours = (uint32_t) (p->from.bytes / 16), each = copy ? COPIES : LOADS, threads = fours / each;
    const job j = { copy ? &plain_copy : &plain_read, threads, 1, { .turns = each, .stride = threads, .count = fours } };
    double seconds;
    WEFT_TRY(run(p, &j, &seconds));
    *rate = (copy ? 2.0 : 1.0) * 16.0 * threads * each / seconds;
    return WEFT_OK;
}

static weft_result launch(weft_vk_peaks *p, double *seconds)
{
    WEFT_TRY(run(p, &(job) { &plain_copy, GROUP, LAUNCHES, { .turns = 1 } }, seconds));
    *seconds /= LAUNCHES;
    return WEFT_OK;
}

static weft_result submission(weft_vk_peaks *p, bool handed_over, double *seconds)
{
    WEFT_TRY(record(p, &(job) { &plain_copy, GROUP, 1, { .turns = 1 } }));
    const double start = weft_seconds();
    WEFT_TRY(weft_vk_queue_once(&p->queue, p->cmd));
    *seconds = handed_over ? p->queue.submit_seconds : weft_seconds() - start;
    return WEFT_OK;
}

weft_result weft_vk_peaks_sample(weft_vk_peaks *p, weft_peak what, double *value)
{
    switch (what) {
    case WEFT_PEAK_F32: return arithmetic(p, 0, value);
    case WEFT_PEAK_F16: return arithmetic(p, 1, value);
    case WEFT_PEAK_MATRIX: return products(p, value);
    case WEFT_PEAK_READ: return memory(p, false, value);
    case WEFT_PEAK_COPY: return memory(p, true, value);
    case WEFT_PEAK_LAUNCH: return launch(p, value);
    case WEFT_PEAK_SUBMIT: return submission(p, false, value);
    case WEFT_PEAK_HAND_OVER: return submission(p, true, value);
    default: return weft_fail(WEFT_ERR_UNSUPPORTED, "%s: there is no measure of that", p->dev->name);
    }
}
