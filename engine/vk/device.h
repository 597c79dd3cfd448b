// SPDX-License-Identifier: MIT
// Vulkan devices: finding, choosing, opening.
#pragma once
#include "base/context.h"
#include <weft/session.h>

typedef struct weft_vk_device weft_vk_device;

// Calls `each` for every physical device, fastest first, usable or not. No loader or no driver: WEFT_OK and no call.
weft_result weft_vk_list(weft_context *ctx, void (*each)(void *user, const weft_device_info *info), void *user);

// params->name: "auto" and "vulkan" take the fastest; else index, UUID or part of a name.
// WEFT_ERR_NO_DEVICE: the text says for every device why not.
weft_result weft_vk_open(weft_context *ctx, const weft_device_params *params, weft_vk_device **out);
// For the check of kernels: the same, and pipelines keep what the compiler says about them (VK_KHR_pipeline_executable_properties).
// A driver without it cannot be opened so.
weft_result weft_vk_open_inspected(weft_context *ctx, const weft_device_params *params, weft_vk_device **out);
void weft_vk_close(weft_vk_device *dev); // NULL is fine
const weft_device_info *weft_vk_info(const weft_vk_device *dev);
