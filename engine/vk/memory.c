// SPDX-License-Identifier: MIT
#include "vk/memory.h"
#include <stdio.h>

size_t weft_vk_alignment(const weft_vk_device *dev)
{
    const size_t least = (size_t) dev->limits.minStorageBufferOffsetAlignment;
    return least > 256 ? least : 256; // 256 also suits copies and every vector load
}

size_t weft_vk_largest_block(const weft_vk_device *dev)
{
    const size_t align = weft_vk_alignment(dev);
    const uint64_t most = dev->max_allocation < SIZE_MAX / 2 ? dev->max_allocation : SIZE_MAX / 2;
    return (size_t) most / align * align;
}

// How well a memory type suits; below 0: not at all.
static int suits(enum weft_vk_use use, VkMemoryPropertyFlags f)
{
    const int local = f & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT ? 1 : 0, visible = f & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT ? 1 : 0;
    const int cached = f & VK_MEMORY_PROPERTY_HOST_CACHED_BIT ? 1 : 0, coherent = f & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT ? 1 : 0;
    if (f & (VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT)) return -1;
    if (use == WEFT_VK_TENSORS) return 2 * local + !visible; // mappable device memory is scarce on some machines
    if (!visible) return -1;
    return use == WEFT_VK_UPLOAD ? 4 * coherent + 2 * !cached + !local : 4 * cached + 2 * coherent + !local;
}

// What the driver says is left on device-local heaps, where it can say so.
static const char *free_text(const weft_vk_device *dev, char text[64])
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT };
    VkPhysicalDeviceMemoryProperties2 memory = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, &budget };
    uint64_t left = 0;
    if (!dev->memory_budget) return "";
    dev->vk.vkGetPhysicalDeviceMemoryProperties2(dev->physical, &memory);
    for (uint32_t h = 0; h < memory.memoryProperties.memoryHeapCount; h++)
        if (memory.memoryProperties.memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT && budget.heapBudget[h] > budget.heapUsage[h])
            left += budget.heapBudget[h] - budget.heapUsage[h];
    snprintf(text, 64, " (%llu are free)", (unsigned long long) left);
    return text;
}

static weft_result allocate(weft_vk_device *dev, enum weft_vk_use use, const VkMemoryRequirements *need, weft_vk_block *b)
{
    VkResult r = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    for (int level = 7; level >= 0; level--) // best first; the next when that heap is full
        for (uint32_t i = 0; i < dev->memory.memoryTypeCount; i++) {
            const VkMemoryPropertyFlags flags = dev->memory.memoryTypes[i].propertyFlags;
            if (!(need->memoryTypeBits >> i & 1) || suits(use, flags) != level) continue;
            const VkMemoryAllocateInfo info = { VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, NULL, need->size, i };
            VK_SET(r, &dev->vk, vkAllocateMemory, dev->device, &info, NULL, &b->memory);
            b->coherent = flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
            if (r == VK_SUCCESS) return WEFT_OK;
            b->memory = VK_NULL_HANDLE;
            if (r != VK_ERROR_OUT_OF_DEVICE_MEMORY) return weft_vk_fail(r, "vkAllocateMemory");
        }
    return weft_fail(WEFT_ERR_VRAM, "the device has no room for %llu bytes more%s; its largest heap has %llu", (unsigned long long) need->size,
                     free_text(dev, (char[64]) { 0 }), (unsigned long long) dev->info.memory_bytes);
}

static weft_result create(weft_vk_device *dev, enum weft_vk_use use, weft_vk_block *b)
{
    const VkBufferCreateInfo info = {
        VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = b->bytes,
        .usage = (use == WEFT_VK_TENSORS ? VK_BUFFER_USAGE_STORAGE_BUFFER_BIT : 0)
               | (use != WEFT_VK_DOWNLOAD ? VK_BUFFER_USAGE_TRANSFER_SRC_BIT : 0) | (use != WEFT_VK_UPLOAD ? VK_BUFFER_USAGE_TRANSFER_DST_BIT : 0),
    };
    VkMemoryRequirements need;
    VK_TRY(&dev->vk, vkCreateBuffer, dev->device, &info, NULL, &b->buffer);
    dev->vk.vkGetBufferMemoryRequirements(dev->device, b->buffer, &need);
    WEFT_TRY(allocate(dev, use, &need, b));
    VK_TRY(&dev->vk, vkBindBufferMemory, dev->device, b->buffer, b->memory, 0);
    if (use != WEFT_VK_TENSORS) VK_TRY(&dev->vk, vkMapMemory, dev->device, b->memory, 0, VK_WHOLE_SIZE, 0, &b->mapped);
    return WEFT_OK;
}

weft_result weft_vk_block_create(weft_vk_device *dev, enum weft_vk_use use, size_t bytes, weft_vk_block *out)
{
    const size_t align = weft_vk_alignment(dev);
    *out = (weft_vk_block) { .bytes = ((bytes ? bytes : 1) + align - 1) / align * align };
    const weft_result r = create(dev, use, out);
    if (r != WEFT_OK) weft_vk_block_destroy(dev, out);
    return r;
}

void weft_vk_block_destroy(weft_vk_device *dev, weft_vk_block *b)
{
    if (b->buffer) dev->vk.vkDestroyBuffer(dev->device, b->buffer, NULL);
    if (b->memory) dev->vk.vkFreeMemory(dev->device, b->memory, NULL); // unmaps
    *b = (weft_vk_block) { 0 };
}

weft_result weft_vk_block_flush(weft_vk_device *dev, const weft_vk_block *b)
{
    const VkMappedMemoryRange range = { VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, b->memory, 0, VK_WHOLE_SIZE };
    if (!b->coherent) VK_TRY(&dev->vk, vkFlushMappedMemoryRanges, dev->device, 1, &range);
    return WEFT_OK;
}

weft_result weft_vk_block_invalidate(weft_vk_device *dev, const weft_vk_block *b)
{
    const VkMappedMemoryRange range = { VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, b->memory, 0, VK_WHOLE_SIZE };
    if (!b->coherent) VK_TRY(&dev->vk, vkInvalidateMappedMemoryRanges, dev->device, 1, &range);
    return WEFT_OK;
}
