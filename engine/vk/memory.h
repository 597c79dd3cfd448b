// SPDX-License-Identifier: MIT
// Device memory: one buffer with memory of its own.
#pragma once
#include "vk/inside.h"

enum weft_vk_use {
    WEFT_VK_TENSORS,  // kernels read and write it; filled and read by copies
    WEFT_VK_UPLOAD,   // mapped, the host writes
    WEFT_VK_DOWNLOAD, // mapped, the host reads
};
typedef struct weft_vk_block {
    VkBuffer buffer;
    VkDeviceMemory memory;
    size_t bytes;
    void *mapped;  // NULL for WEFT_VK_TENSORS
    bool coherent; // otherwise flushed and invalidated by the two calls below
} weft_vk_block;

weft_result weft_vk_block_create(weft_vk_device *dev, enum weft_vk_use use, size_t bytes, weft_vk_block *out);
void weft_vk_block_destroy(weft_vk_device *dev, weft_vk_block *b); // an empty one is fine

weft_result weft_vk_block_flush(weft_vk_device *dev, const weft_vk_block *b);      // after the host wrote
weft_result weft_vk_block_invalidate(weft_vk_device *dev, const weft_vk_block *b); // before the host reads

size_t weft_vk_alignment(const weft_vk_device *dev); // of every tensor in a block, a power of two
size_t weft_vk_largest_block(const weft_vk_device *dev); // a multiple of the alignment
