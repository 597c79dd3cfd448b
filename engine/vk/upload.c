// SPDX-License-Identifier: MIT
#include "vk/upload.h"
#include "base/half.h"
#include "base/threads.h"
#include <string.h>

enum { FETCH_BYTES = 16 << 20 };

// The dimensions of a layout from slowest to fastest, with the row-major stride of each.
typedef struct walk {
    int rank;
    int64_t dim[WEFT_MAX_RANK], stride[WEFT_MAX_RANK], at[WEFT_MAX_RANK], row;
} walk;

static walk walk_from(weft_shape s, weft_layout layout, int64_t element)
{
    static const int order[][4] = { [WEFT_ROW] = { 0, 1, 2, 3 }, [WEFT_IMAGE] = { 0, 2, 3, 1 }, [WEFT_KERNEL] = { 2, 3, 1, 0 }, [WEFT_KERNEL_T] = { 2, 3, 0, 1 } };
    int64_t stride[WEFT_MAX_RANK];
    walk w = { .rank = s.rank };
    weft_shape_strides(s, stride);
    for (int d = 0; d < s.rank; d++) {
        const int from = s.rank == 4 ? order[layout][d] : d;
        w.dim[d] = s.dim[from], w.stride[d] = stride[from];
    }
    for (int d = s.rank - 1; d >= 0; d--) {
        w.at[d] = element % w.dim[d], element /= w.dim[d];
        w.row += w.at[d] * w.stride[d];
    }
    return w;
}

static void walk_on(walk *w, int64_t count) // at most to the end of the line
{
    for (int d = w->rank - 1; d >= 0; d--, count = 1) {
        w->row += count * w->stride[d];
        if ((w->at[d] += count) < w->dim[d]) return;
        w->row -= w->dim[d] * w->stride[d];
        w->at[d] = 0;
    }
}

// `count` elements that lie `step` apart in the weight, from element `at` on.
static void pack_line(const weft_value_def *v, int64_t at, int64_t step, int64_t count, void *out)
{
    const weft_weight *w = v->weight;
    const uint16_t *half = (const uint16_t *) w->data + at;
    const float *single = (const float *) w->data + at;
    uint16_t *out16 = out;
    float *out32 = out;
    if (v->dtype == WEFT_I32) {
        for (int64_t i = 0; i < count; i++)
            ((int32_t *) out)[i] = w->dtype == WEFT_U8 ? ((const uint8_t *) w->data)[at + i * step] : ((const int32_t *) w->data)[at + i * step];
    } else if (v->storage == WEFT_F16) {
        if (w->dtype == WEFT_F16) for (int64_t i = 0; i < count; i++) out16[i] = half[i * step];
        else for (int64_t i = 0; i < count; i++) out16[i] = weft_float_to_half(single[i * step]);
    } else {
        if (w->dtype == WEFT_F16) for (int64_t i = 0; i < count; i++) out32[i] = weft_half_to_float(half[i * step]);
        else for (int64_t i = 0; i < count; i++) out32[i] = single[i * step];
    }
}

typedef struct packing {
    const weft_value_def *v;
    int64_t begin; // the element that goes to out[0]
    char *out;
} packing;

static size_t element_bytes(const weft_value_def *v) { return v->storage == WEFT_F16 ? 2 : 4; }

// Elements [from, to) of the packing, line by line.
static void pack_some(void *user, int64_t from, int64_t to)
{
    const packing *p = user;
    const weft_weight *w = p->v->weight;
    const size_t element = element_bytes(p->v);
    if (p->v->layout == WEFT_ROW && w->dtype != WEFT_U8 && (int) w->dtype == p->v->storage) { // as it is
        memcpy(p->out + (size_t) from * element, (const char *) w->data + (size_t) (p->begin + from) * element, (size_t) (to - from) * element);
        return;
    }
    walk at = walk_from(w->shape, (weft_layout) p->v->layout, p->begin + from);
    const int last = at.rank - 1;
    for (int64_t i = from, count; i < to; i += count, walk_on(&at, count)) {
        count = at.rank ? at.dim[last] - at.at[last] : 1;
        if (count > to - i) count = to - i;
        pack_line(p->v, at.row, at.rank ? at.stride[last] : 1, count, p->out + (size_t) i * element);
    }
}

// Elements [begin, end) of the tensor as it lies on the device. A tenth of a millisecond of them for a thread: on a busy machine threads
// wait for each other much longer than that, and a model has hundreds of weights that are small.
enum { LEAST = 1 << 17 };
static void pack(weft_pool *pool, const weft_value_def *v, int64_t begin, int64_t end, void *out)
{
    weft_parallel(pool, end - begin, LEAST, pack_some, &(packing) { v, begin, out });
}

weft_result weft_vk_upload_begin(weft_vk_queue *q, size_t staging_bytes, weft_vk_upload *out)
{
    *out = (weft_vk_upload) { .queue = q };
    WEFT_TRY(weft_vk_queue_commands(q, 1, &out->cmd));
    return weft_vk_block_create(q->dev, WEFT_VK_UPLOAD, staging_bytes, &out->staging);
}

static weft_result submit_copies(weft_vk_upload *u)
{
    if (!u->recording) return WEFT_OK;
    u->recording = false;
    u->used = 0;
    VK_TRY(&u->queue->dev->vk, vkEndCommandBuffer, u->cmd);
    WEFT_TRY(weft_vk_block_flush(u->queue->dev, &u->staging));
    return weft_vk_queue_once(u->queue, u->cmd);
}

weft_result weft_vk_upload_weight(weft_vk_upload *u, const weft_value_def *v, const weft_vk_place *to)
{
    const weft_vk_calls *vk = &u->queue->dev->vk;
    const VkCommandBufferBeginInfo begin_info = { VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, NULL, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, NULL };
    const int64_t count = weft_shape_count(v->shape);
    const size_t element = element_bytes(v);
    for (int64_t begin = 0, end; begin < count; begin = end) {
        if (u->staging.bytes - u->used < 64) WEFT_TRY(submit_copies(u));
        const int64_t room = (int64_t) ((u->staging.bytes - u->used) / element);
        end = count - begin < room ? count : begin + room;
        if (!u->recording) VK_TRY(vk, vkBeginCommandBuffer, u->cmd, &begin_info);
        u->recording = true;
        const VkBufferCopy region = { u->used, to->offset + (size_t) begin * element, (size_t) (end - begin) * element };
        pack(u->queue->dev->ctx->pool, v, begin, end, (char *) u->staging.mapped + u->used);
        vk->vkCmdCopyBuffer(u->cmd, u->staging.buffer, to->buffer, 1, &region);
        u->used = (u->used + (size_t) region.size + 15) / 16 * 16;
        if (u->used > u->staging.bytes) u->used = u->staging.bytes;
    }
    return WEFT_OK;
}

weft_result weft_vk_upload_end(weft_vk_upload *u, weft_result so_far)
{
    const weft_result r = so_far == WEFT_OK ? submit_copies(u) : so_far;
    weft_vk_block_destroy(u->queue->dev, &u->staging);
    return r;
}

static void unpack(const weft_value_def *v, int64_t begin, int64_t end, const void *data, float *out)
{
    walk at = walk_from(v->shape, (weft_layout) v->layout, begin);
    for (int64_t i = 0; i < end - begin; i++, walk_on(&at, 1))
        out[at.row] = v->dtype == WEFT_I32       ? (float) ((const int32_t *) data)[i]
                    : v->storage == WEFT_F16 ? weft_half_to_float(((const uint16_t *) data)[i])
                                             : ((const float *) data)[i];
}

static weft_result fetch_piece(weft_vk_queue *q, VkCommandBuffer cmd, const weft_vk_block *staging, const weft_vk_place *from, size_t offset, size_t bytes)
{
    const weft_vk_calls *vk = &q->dev->vk;
    const VkCommandBufferBeginInfo begin = { VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, NULL, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, NULL };
    const VkBufferCopy region = { from->offset + offset, 0, bytes };
    const VkMemoryBarrier host = { VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_TRANSFER_WRITE_BIT, VK_ACCESS_HOST_READ_BIT };
    // Whatever wrote the tensor was waited for, but its writes need not be visible to copies yet.
    const VkMemoryBarrier written = { VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                                      VK_ACCESS_TRANSFER_READ_BIT };
    VK_TRY(vk, vkBeginCommandBuffer, cmd, &begin);
    vk->vkCmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &written, 0,
                             NULL, 0, NULL);
    vk->vkCmdCopyBuffer(cmd, from->buffer, staging->buffer, 1, &region);
    vk->vkCmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &host, 0, NULL, 0, NULL);
    VK_TRY(vk, vkEndCommandBuffer, cmd);
    WEFT_TRY(weft_vk_queue_once(q, cmd));
    return weft_vk_block_invalidate(q->dev, staging);
}

static weft_result fetch(weft_vk_queue *q, VkCommandBuffer cmd, const weft_vk_block *staging, const weft_value_def *v, const weft_vk_place *from, float *out)
{
    const int64_t count = weft_shape_count(v->shape);
    const size_t element = element_bytes(v);
    const int64_t piece = (int64_t) (staging->bytes / element);
    for (int64_t begin = 0; begin < count; begin += piece) {
        const int64_t end = begin + piece < count ? begin + piece : count;
        WEFT_TRY(fetch_piece(q, cmd, staging, from, (size_t) begin * element, (size_t) (end - begin) * element));
        unpack(v, begin, end, staging->mapped, out);
    }
    return WEFT_OK;
}

weft_result weft_vk_fetch(weft_vk_queue *q, const weft_value_def *v, const weft_vk_place *from, float *out)
{
    weft_vk_queue own; // its own pool: the run's commands stay as they are
    weft_vk_block staging = { 0 };
    VkCommandBuffer cmd;
    weft_result r = weft_vk_queue_create(q->dev, &own);
    if (r == WEFT_OK) r = weft_vk_block_create(q->dev, WEFT_VK_DOWNLOAD, from->bytes < FETCH_BYTES ? from->bytes : FETCH_BYTES, &staging);
    if (r == WEFT_OK) r = weft_vk_queue_commands(&own, 1, &cmd);
    if (r == WEFT_OK) r = fetch(&own, cmd, &staging, v, from, out);
    weft_vk_block_destroy(q->dev, &staging);
    weft_vk_queue_destroy(&own);
    return r;
}
