// SPDX-License-Identifier: MIT
// What a weft_device is, for the files of this floor.
#pragma once
#include "base/context.h"
#include "cpu/weights.h"
#include "vk/device.h"

struct weft_device {
    weft_context *ctx;
    weft_device_info info;
    weft_vk_device *vk; // of WEFT_DEVICE_VULKAN
    weft_cpu_weights *weights; // of the others
};
