// SPDX-License-Identifier: MIT
// Cooperative matrices (VK_KHR_cooperative_matrix, VK_NV_cooperative_matrix2): what a device has, and whether it is right. Newer than some
// Vulkan headers, so declared here.
#pragma once
#include "vk/choose.h"
#include "vk/inside.h"

typedef struct weft_vk_matrix_features { // VkPhysicalDeviceCooperativeMatrixFeaturesKHR
    VkStructureType type;                // WEFT_VK_MATRIX_FEATURES
    void *next;
    VkBool32 matrix, robust;
} weft_vk_matrix_features;
#define WEFT_VK_MATRIX_FEATURES ((VkStructureType) 1000506000)
#define WEFT_VK_MATRIX_EXTENSION "VK_KHR_cooperative_matrix"

typedef struct weft_vk_matrix2_features { // VkPhysicalDeviceCooperativeMatrix2FeaturesNV
    VkStructureType type;                 // WEFT_VK_MATRIX2_FEATURES
    void *next;
    VkBool32 workgroup_scope, flexible_dimensions, reductions, conversions, per_element, tensor_addressing, block_loads;
} weft_vk_matrix2_features;
#define WEFT_VK_MATRIX2_FEATURES ((VkStructureType) 1000593000)
#define WEFT_VK_MATRIX_WORKGROUP 2 // VkScopeKHR
#define WEFT_VK_MATRIX2_EXTENSION "VK_NV_cooperative_matrix2"

// The shape of f16 x f16 -> f32 at subgroup scope: m, n, k; the largest, 0 if there is none.
// The device must have the extension and the feature.
void weft_vk_matrix_shape(const weft_vk_instance *i, VkPhysicalDevice device, uint32_t shape[3]);

// Matrices as large as a workgroup's tile: c->matrix_form and what is beside it, with the scope of the workgroup where `workgroup_scope`.
// The device must have the second extension with flexible dimensions and operations by element; c->subgroup_sizes must be known.
void weft_vk_matrix_forms(const weft_vk_instance *i, bool workgroup_scope, weft_vk_candidate *c);

void weft_vk_matrix_drop(weft_vk_device *dev); // none are used, nor told of; before the device is made

bool weft_vk_matrix_is(weft_vk_matrix_kind kind, const char *kernel); // the kernel has matrices of this kind, perhaps of others too
void weft_vk_matrix_without(weft_vk_matrix_kind kind, weft_caps *caps); // takes it away, and those behind it

// Before the first kernel on matrix units: runs a product (or an attention) of whole numbers on them, once per device and kind, and compares.
// Where it is wrong a warning says so and *right is false: sessions go without. Callable from any thread.
weft_result weft_vk_matrix_check(weft_vk_device *dev, weft_vk_matrix_kind kind, bool *right);
