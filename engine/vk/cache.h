// SPDX-License-Identifier: MIT
// The pipeline cache on disk: drivers' compiled kernels, kept between runs. One file serves several devices.
#pragma once
#include "vk/inside.h"

// The cache of this device in dev->cache_path, or an empty one; the log says why a file was not taken.
// loaded_bytes: what came from there.
weft_result weft_vk_cache_create(weft_vk_device *dev, VkPipelineCache *out, size_t *loaded_bytes);

// Writes dev->cache_path atomically unless nothing came to it since. What goes wrong is a line in the log.
void weft_vk_cache_save(weft_vk_device *dev, VkPipelineCache cache, size_t loaded_bytes);
