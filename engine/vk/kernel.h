// SPDX-License-Identifier: MIT
// Kernels as pipelines: made once per device and kernel, constants and workgroup size; shared between sessions.
#pragma once
#include "vk/inside.h"

typedef struct weft_vk_pipeline {
    VkPipeline pipeline;
    VkPipelineLayout layout;
    VkDescriptorSetLayout set_layout;
} weft_vk_pipeline;

weft_result weft_vk_kernels_create(weft_vk_device *dev, weft_vk_kernels **out);
void weft_vk_kernels_destroy(weft_vk_kernels *k); // writes the pipeline cache; NULL is fine

// The pipeline of a dispatch; variant: of the kernel, as weft_step has it. Any thread. It lives as long as the device.
// based: it will be dispatched in slices, with vkCmdDispatchBase.
weft_result weft_vk_kernel(weft_vk_kernels *k, const weft_dispatch *d, const char *variant, bool based, weft_vk_pipeline *out);
