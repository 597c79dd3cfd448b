// SPDX-License-Identifier: MIT
// Cooperative matrices (VK_KHR_cooperative_matrix): what a device has. Newer than some Vulkan headers, so declared here.
#pragma once
#include "vk/instance.h"

typedef struct weft_vk_matrix_features { // VkPhysicalDeviceCooperativeMatrixFeaturesKHR
    VkStructureType type;                // WEFT_VK_MATRIX_FEATURES
    void *next;
    VkBool32 matrix, robust;
} weft_vk_matrix_features;
#define WEFT_VK_MATRIX_FEATURES ((VkStructureType) 1000506000)
#define WEFT_VK_MATRIX_EXTENSION "VK_KHR_cooperative_matrix"

// The shape of f16 x f16 -> f32 at subgroup scope: m, n, k; the largest, 0 if there is none.
// The device must have the extension and the feature.
void weft_vk_matrix_shape(const weft_vk_instance *i, VkPhysicalDevice device, uint32_t shape[3]);
