// SPDX-License-Identifier: MIT
#include "vk/stamps.h"
#include <string.h>

weft_result weft_vk_stamps_create(weft_vk_device *dev, int count, weft_vk_stamps *out)
{
    const VkQueryPoolCreateInfo info = { VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, NULL, 0, VK_QUERY_TYPE_TIMESTAMP, (uint32_t) count, 0 };
    *out = (weft_vk_stamps) { 0 };
    if (!dev->stamp_bits) {
        weft_log(dev->ctx, WEFT_LOG_INFO, "vulkan: %s has no timestamps: how long kernels take is not known", dev->name);
        return WEFT_OK;
    }
    if (!(out->value = weft_new(dev->ctx, sizeof *out->value * (size_t) count))) return WEFT_ERR_MEMORY;
    out->count = count;
    VK_TRY(&dev->vk, vkCreateQueryPool, dev->device, &info, NULL, &out->pool);
    return WEFT_OK;
}

void weft_vk_stamps_destroy(weft_vk_device *dev, weft_vk_stamps *s)
{
    if (s->pool) dev->vk.vkDestroyQueryPool(dev->device, s->pool, NULL);
    weft_delete(dev->ctx, s->value);
    *s = (weft_vk_stamps) { 0 };
}

void weft_vk_stamps_reset(const weft_vk_device *dev, const weft_vk_stamps *s, VkCommandBuffer cmd)
{
    if (s->pool) dev->vk.vkCmdResetQueryPool(cmd, s->pool, 0, (uint32_t) s->count);
}

void weft_vk_stamp(const weft_vk_device *dev, const weft_vk_stamps *s, VkCommandBuffer cmd, int index)
{
    if (s->pool) dev->vk.vkCmdWriteTimestamp(cmd, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, s->pool, (uint32_t) index);
}

weft_result weft_vk_stamps_read(weft_vk_device *dev, weft_vk_stamps *s)
{
    VkResult r;
    if (!s->pool) return WEFT_OK;
    memset(s->value, 0, sizeof *s->value * (size_t) s->count);
    // Without VK_QUERY_RESULT_WAIT_BIT: drivers without hardware behind them never get that far.
    VK_SET(r, &dev->vk, vkGetQueryPoolResults, dev->device, s->pool, 0, (uint32_t) s->count, sizeof *s->value * (size_t) s->count, s->value,
           sizeof *s->value, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT);
    return r == VK_SUCCESS || r == VK_NOT_READY ? WEFT_OK : weft_vk_fail(r, "vkGetQueryPoolResults");
}

double weft_vk_stamps_ms(const weft_vk_device *dev, const weft_vk_stamps *s, int from, int to)
{
    if (!s->pool || !s->value[from][1] || !s->value[to][1]) return -1;
    if (!s->value[from][0] && !s->value[to][0]) return -1; // a driver that only pretends
    const uint64_t mask = dev->stamp_bits < 64 ? ((uint64_t) 1 << dev->stamp_bits) - 1 : UINT64_MAX; // the clock may pass its end in between
    const uint64_t ticks = (s->value[to][0] - s->value[from][0]) & mask;
    if (dev->stamp_bits == 64 && s->value[to][0] < s->value[from][0]) return -1;
    return (double) ticks * dev->limits.timestampPeriod * 1e-6;
}
