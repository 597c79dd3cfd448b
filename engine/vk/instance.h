// SPDX-License-Identifier: MIT
// A Vulkan instance, with the validation layer on request.
#pragma once
#include "vk/load.h"
#include <stdbool.h>

typedef struct weft_vk_instance {
    weft_vk_calls vk; // up to the instance's functions
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    bool old_layer; // the validation layer is on and does not know VK_EXT_shader_object
} weft_vk_instance;

// validate: messages of the Khronos layer go to the log; a warning there when the layer is missing.
weft_result weft_vk_instance_create(weft_context *ctx, bool validate, weft_vk_instance *out);
void weft_vk_instance_destroy(weft_vk_instance *i);
