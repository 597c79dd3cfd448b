// SPDX-License-Identifier: MIT
#include "vk/upload.h"
#include "base/half.h"
#include <string.h>

enum { FETCH_BYTES = 16 << 20 };

static weft_result copy_now(weft_vk_queue *q, VkCommandBuffer cmd, VkBuffer from, size_t from_offset, VkBuffer to, size_t to_offset, size_t bytes,
                            bool to_host)
{
    const weft_vk_calls *vk = &q->dev->vk;
    const VkCommandBufferBeginInfo begin = { VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, NULL, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, NULL };
    const VkBufferCopy region = { from_offset, to_offset, bytes };
    const VkMemoryBarrier host = { VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_TRANSFER_WRITE_BIT, VK_ACCESS_HOST_READ_BIT };
    VK_TRY(vk, vkBeginCommandBuffer, cmd, &begin);
    vk->vkCmdCopyBuffer(cmd, from, to, 1, &region);
    if (to_host) vk->vkCmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &host, 0, NULL, 0, NULL);
    VK_TRY(vk, vkEndCommandBuffer, cmd);
    return weft_vk_queue_run(q, &(weft_vk_chunk) { cmd, 0 }, 1, NULL, NULL);
}

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

static void walk_on(walk *w)
{
    for (int d = w->rank - 1; d >= 0; d--) {
        w->row += w->stride[d];
        if (++w->at[d] < w->dim[d]) return;
        w->row -= w->dim[d] * w->stride[d];
        w->at[d] = 0;
    }
}

static float number(const weft_weight *w, int64_t i)
{
    return w->dtype == WEFT_F16 ? weft_half_to_float(((const uint16_t *) w->data)[i]) : ((const float *) w->data)[i];
}

// Elements [begin, end) of the tensor as it lies on the device.
static void pack(const weft_value_def *v, int64_t begin, int64_t end, void *out)
{
    const weft_weight *w = v->weight;
    walk at = walk_from(w->shape, (weft_layout) v->layout, begin);
    for (int64_t i = 0; i < end - begin; i++, walk_on(&at)) {
        if (v->dtype == WEFT_I32) ((int32_t *) out)[i] = w->dtype == WEFT_U8 ? ((const uint8_t *) w->data)[at.row] : ((const int32_t *) w->data)[at.row];
        else if (v->storage == WEFT_F16) ((uint16_t *) out)[i] = w->dtype == WEFT_F16 ? ((const uint16_t *) w->data)[at.row] : weft_float_to_half(number(w, at.row));
        else ((float *) out)[i] = number(w, at.row);
    }
}

weft_result weft_vk_upload_weight(weft_vk_queue *q, weft_vk_block *staging, VkCommandBuffer cmd, const weft_value_def *v, const weft_vk_place *to)
{
    const int64_t count = weft_shape_count(v->shape);
    const size_t element = v->storage == WEFT_F16 ? 2 : 4;
    const int64_t piece = (int64_t) (staging->bytes / element);
    for (int64_t begin = 0; begin < count; begin += piece) {
        const int64_t end = begin + piece < count ? begin + piece : count;
        pack(v, begin, end, staging->mapped);
        WEFT_TRY(weft_vk_block_flush(q->dev, staging));
        WEFT_TRY(copy_now(q, cmd, staging->buffer, 0, to->buffer, to->offset + (size_t) begin * element, (size_t) (end - begin) * element, false));
    }
    return WEFT_OK;
}

static void unpack(const weft_value_def *v, int64_t begin, int64_t end, const void *data, float *out)
{
    walk at = walk_from(v->shape, (weft_layout) v->layout, begin);
    for (int64_t i = 0; i < end - begin; i++, walk_on(&at))
        out[at.row] = v->dtype == WEFT_I32       ? (float) ((const int32_t *) data)[i]
                    : v->storage == WEFT_F16 ? weft_half_to_float(((const uint16_t *) data)[i])
                                             : ((const float *) data)[i];
}

static weft_result fetch(weft_vk_queue *q, VkCommandBuffer cmd, weft_vk_block *staging, const weft_value_def *v, const weft_vk_place *from, float *out)
{
    const int64_t count = weft_shape_count(v->shape);
    const size_t element = v->storage == WEFT_F16 ? 2 : 4;
    const int64_t piece = (int64_t) (staging->bytes / element);
    for (int64_t begin = 0; begin < count; begin += piece) {
        const int64_t end = begin + piece < count ? begin + piece : count;
        WEFT_TRY(copy_now(q, cmd, from->buffer, from->offset + (size_t) begin * element, staging->buffer, 0, (size_t) (end - begin) * element, true));
        WEFT_TRY(weft_vk_block_invalidate(q->dev, staging));
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
