// SPDX-License-Identifier: MIT
// Timestamps of a recording: the device's own clock at points between commands. A device may have none, and a driver may fail to
// give them: then times are unknown, and nothing waits for them.
#pragma once
#include "vk/inside.h"

typedef struct weft_vk_stamps {
    VkQueryPool pool; // VK_NULL_HANDLE: none
    int count;
    uint64_t (*value)[2]; // of each: the device's ticks, and whether they are there
} weft_vk_stamps;

// Room for `count`; none, with a line in the log, where the device has no timestamps.
weft_result weft_vk_stamps_create(weft_vk_device *dev, int count, weft_vk_stamps *out);
void weft_vk_stamps_destroy(weft_vk_device *dev, weft_vk_stamps *s); // an empty one is fine

// For command buffers: forgets all of them; notes the time when all commands before are done. No-ops without timestamps.
void weft_vk_stamps_reset(const weft_vk_device *dev, const weft_vk_stamps *s, VkCommandBuffer cmd);
void weft_vk_stamp(const weft_vk_device *dev, const weft_vk_stamps *s, VkCommandBuffer cmd, int index);

// After the commands are known to be done.
weft_result weft_vk_stamps_read(weft_vk_device *dev, weft_vk_stamps *s);
double weft_vk_stamps_ms(const weft_vk_device *dev, const weft_vk_stamps *s, int from, int to); // below 0: not known
