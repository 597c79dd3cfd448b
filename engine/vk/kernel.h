// SPDX-License-Identifier: MIT
// Kernels as drivers compile them: made once per device and kernel, constants and workgroup size; shared between sessions. All can be dispatched in
// slices, so that what a session needs does not depend on how fast the device has turned out to be.
#pragma once
#include "vk/compile.h"

extern const uint64_t weft_kernels_hash; // of all kernels as they were built

typedef struct weft_vk_pipeline {
    weft_vk_compiled made;
    VkPipelineLayout layout;
    VkDescriptorSetLayout set_layout;
} weft_vk_pipeline;

weft_result weft_vk_kernels_create(weft_vk_device *dev, weft_vk_kernels **out);
void weft_vk_kernels_destroy(weft_vk_kernels *k); // writes the cache file; NULL is fine

typedef struct weft_vk_want {
    const weft_node *node; // for error texts
    const weft_dispatch *dispatch;
    const char *variant; // as weft_step has it
    bool refused; // after a failure: the driver does not compile it
} weft_vk_want;

// The pipelines of dispatches, those that are new compiled on all threads at once, large ones first; `made` (or NULL): how many were. Callable
// from any thread. They live as long as the device. WEFT_ERR_UNSUPPORTED: wants say which ones cannot be.
weft_result weft_vk_kernels_get(weft_vk_kernels *k, weft_vk_want *wants, int count, weft_vk_pipeline *out, int *made);

void weft_vk_bind_kernel(const weft_vk_device *dev, VkCommandBuffer cmd, const weft_vk_pipeline *kernel);
