// SPDX-License-Identifier: MIT
#include "vk/moves.h"
#include "graph/compute.h"
#include <string.h>

weft_result weft_vk_moves_create(weft_vk_queue *q, const weft_vk_block *up, const weft_vk_block *down, weft_vk_moves *out)
{
    *out = (weft_vk_moves) { .queue = q, .up = up, .down = down };
    return weft_vk_queue_commands(q, 1, &out->cmd);
}

static weft_result begin(weft_vk_moves *m)
{
    const VkCommandBufferBeginInfo info = { VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, NULL, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, NULL };
    if (!m->recording) VK_TRY(&m->queue->dev->vk, vkBeginCommandBuffer, m->cmd, &info);
    m->recording = true;
    return WEFT_OK;
}

weft_result weft_vk_moves_end(weft_vk_moves *m)
{
    if (!m->recording) return WEFT_OK;
    m->recording = false, m->used = 0;
    VK_TRY(&m->queue->dev->vk, vkEndCommandBuffer, m->cmd);
    WEFT_TRY(weft_vk_block_flush(m->queue->dev, m->up));
    return weft_vk_queue_once(m->queue, m->cmd);
}

weft_result weft_vk_move_in(weft_vk_moves *m, const weft_vk_place *to, const weft_weight *init, const void *data)
{
    const weft_vk_calls *vk = &m->queue->dev->vk;
    if (!data && !init) {
        WEFT_TRY(begin(m));
        vk->vkCmdFillBuffer(m->cmd, to->buffer, to->offset, to->bytes, 0);
        return WEFT_OK;
    }
    for (size_t at = 0, bytes; at < to->bytes; at += bytes) {
        if (m->used == m->up->bytes) WEFT_TRY(weft_vk_moves_end(m));
        const size_t room = m->up->bytes - m->used;
        char *staged = (char *) m->up->mapped + m->used;
        bytes = to->bytes - at < room ? to->bytes - at : room;
        if (data) memcpy(staged, (const char *) data + at, bytes);
        else weft_weight_unpack(init, (int64_t) at / 4, (int64_t) (at + bytes) / 4, staged);
        WEFT_TRY(begin(m));
        vk->vkCmdCopyBuffer(m->cmd, m->up->buffer, to->buffer, 1, &(VkBufferCopy) { m->used, to->offset + at, bytes });
        m->used += bytes;
    }
    return WEFT_OK;
}

// Whatever wrote the tensor was waited for, but its writes need not be visible to copies yet.
static void record_out(weft_vk_moves *m, const weft_vk_place *from, size_t at, size_t bytes)
{
    const weft_vk_calls *vk = &m->queue->dev->vk;
    const VkMemoryBarrier written = { VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                                      VK_ACCESS_TRANSFER_READ_BIT };
    const VkMemoryBarrier host = { VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_TRANSFER_WRITE_BIT, VK_ACCESS_HOST_READ_BIT };
    vk->vkCmdPipelineBarrier(m->cmd, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1,
                             &written, 0, NULL, 0, NULL);
    vk->vkCmdCopyBuffer(m->cmd, from->buffer, m->down->buffer, 1, &(VkBufferCopy) { from->offset + at, 0, bytes });
    vk->vkCmdPipelineBarrier(m->cmd, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &host, 0, NULL, 0, NULL);
}

weft_result weft_vk_move_out(weft_vk_moves *m, const weft_vk_place *from, void *data)
{
    for (size_t at = 0, bytes; at < from->bytes; at += bytes) {
        bytes = from->bytes - at < m->down->bytes ? from->bytes - at : m->down->bytes;
        WEFT_TRY(begin(m));
        record_out(m, from, at, bytes);
        WEFT_TRY(weft_vk_moves_end(m));
        WEFT_TRY(weft_vk_block_invalidate(m->queue->dev, m->down));
        memcpy((char *) data + at, m->down->mapped, bytes);
    }
    return WEFT_OK;
}
