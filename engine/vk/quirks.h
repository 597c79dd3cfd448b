// SPDX-License-Identifier: MIT
// Everything weft believes about particular drivers, each with its reason. Nowhere else does code ask who made a device.
#pragma once
#include "vk/inside.h"

// Of devices of one class, one with a smaller number is known to be faster.
int weft_vk_driver_rank(const VkPhysicalDeviceDriverProperties *driver);

// Before the device is made; may take away from dev->caps.
void weft_vk_quirks(weft_vk_device *dev, const VkPhysicalDeviceDriverProperties *driver, uint32_t vendor, uint32_t id);
