// SPDX-License-Identifier: MIT
#include "vk/choose.h"
#include "vk/inside.h"
#include "vk/kernel.h"
#include "vk/matrix.h"
#include "vk/quirks.h"
#include "vk/tune.h"
#include "vk/weights.h"
#include <stdio.h>
#include <string.h>

weft_result weft_vk_list(weft_context *ctx, void (*each)(void *user, const weft_device_info *info), void *user)
{
    weft_vk_instance instance;
    weft_vk_candidate *list = NULL;
    int count = 0;
    weft_result r = weft_vk_instance_create(ctx, false, &instance);
    if (r == WEFT_ERR_NO_DEVICE) return WEFT_OK;
    WEFT_TRY(r);
    r = weft_vk_candidates(&instance, &list, &count);
    for (int i = 0; r == WEFT_OK && i < count; i++) each(user, &list[i].info);
    weft_delete(ctx, list);
    weft_vk_instance_destroy(&instance);
    return r;
}

static uint32_t stamp_bits(const weft_vk_device *dev)
{
    VkQueueFamilyProperties list[32];
    uint32_t count = 32;
    dev->vk.vkGetPhysicalDeviceQueueFamilyProperties(dev->physical, &count, list);
    return dev->family < count ? list[dev->family].timestampValidBits : 0;
}

// What the device can do, and of that what will be used: dev->caps.
static void read_facts(weft_vk_device *dev, const weft_vk_candidate *c, bool no_optional)
{
    const weft_vk_calls *vk = &dev->vk;
    VkPhysicalDeviceDriverProperties driver = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES };
    VkPhysicalDeviceSubgroupProperties subgroup = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, &driver };
    VkPhysicalDeviceMaintenance3Properties most = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, &subgroup };
    VkPhysicalDeviceProperties2 props = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &most };
    VkPhysicalDeviceMemoryProperties2 memory = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2 };
    vk->vkGetPhysicalDeviceProperties2(dev->physical, &props);
    vk->vkGetPhysicalDeviceMemoryProperties2(dev->physical, &memory);
    const VkPhysicalDeviceLimits *l = &props.properties.limits;
    dev->limits = *l;
    dev->max_allocation = most.maxMemoryAllocationSize;
    dev->memory = memory.memoryProperties;
    dev->info = c->info;
    memcpy(dev->name, c->name, sizeof dev->name);
    memcpy(dev->driver, c->driver, sizeof dev->driver);
    dev->info.name = dev->name, dev->info.driver = dev->driver, dev->info.rejected = NULL;
    const VkPhysicalDeviceType type = props.properties.deviceType;
    dev->caps = (weft_caps) { .max_group = 128, .shared_bytes = 16384, .range = l->maxStorageBufferRange, .is_software = type == VK_PHYSICAL_DEVICE_TYPE_CPU };
    if (no_optional) dev->info.f16_storage = dev->info.matrix_units = dev->info.matrix_tiles = 0, memset(dev->info.matrix, 0, sizeof dev->info.matrix);
    else {
        dev->caps.f16_storage = c->info.f16_storage;
        dev->f16_arithmetic = c->info.f16_storage && c->f16_arithmetic;
        dev->caps.int64 = c->int64;
        dev->stamp_bits = stamp_bits(dev);
        dev->caps.subgroup_size = subgroup.subgroupSize;
        const VkSubgroupFeatureFlags adds = VK_SUBGROUP_FEATURE_ARITHMETIC_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
        dev->caps.subgroup_add = subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT && (subgroup.supportedOperations & adds) == adds;
        // Processors: the width of their vectors. GPUs may run narrower subgroups than they report, unless they are asked not to.
        const uint32_t width[2] = { subgroup.subgroupSize, subgroup.subgroupSize };
        if (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT && subgroup.supportedOperations & VK_SUBGROUP_FEATURE_BALLOT_BIT)
            memcpy(dev->caps.subgroup_sizes, dev->caps.is_software ? width : c->subgroup_sizes, sizeof width);
        dev->caps.max_group = l->maxComputeWorkGroupSize[0] < l->maxComputeWorkGroupInvocations ? l->maxComputeWorkGroupSize[0]
                                                                                                : l->maxComputeWorkGroupInvocations;
        dev->caps.shared_bytes = l->maxComputeSharedMemorySize;
        dev->memory_budget = c->memory_budget;
        memcpy(dev->caps.matrix, c->matrix, sizeof dev->caps.matrix);
        dev->caps.matrix_subgroup = c->subgroup_sizes[0]; // where there is a choice, that of the matrix units
        memcpy(dev->caps.matrix_form, c->matrix_form, sizeof dev->caps.matrix_form);
        dev->caps.matrix_most = c->matrix_most, dev->caps.matrix_reserved = c->matrix_reserved;
        dev->caps.matrix_reduces = c->matrix_reduces;
        dev->subgroup_control = c->subgroup_control, dev->full_subgroups = c->full_subgroups;
        dev->shader_objects = c->shader_objects && !dev->inspected; // quirks may not want them
    }
    // Guesses on the slow side, until a run was measured.
    dev->rate = type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ? 1e12 : dev->caps.is_software ? 1e10 : 1e11;
    weft_vk_quirks(dev, &driver, props.properties.vendorID, props.properties.deviceID);
}

static weft_result create_device(weft_vk_device *dev)
{
    const weft_vk_calls *vk = &dev->vk;
    const float priority = 1;
    const VkBool32 matrix = dev->caps.matrix[0] > 0, large = dev->caps.matrix_form[0].threads > 0;
    const char *extensions[5];
    uint32_t extension_count = 0;
    if (matrix) extensions[extension_count++] = WEFT_VK_MATRIX_EXTENSION;
    if (large) extensions[extension_count++] = WEFT_VK_MATRIX2_EXTENSION;
    if (dev->full_subgroups) extensions[extension_count++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
    if (dev->shader_objects) extensions[extension_count++] = VK_EXT_SHADER_OBJECT_EXTENSION_NAME;
    if (dev->inspected) extensions[extension_count++] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    const VkDeviceQueueCreateInfo queue = { VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, NULL, 0, dev->family, 1, &priority };
    // What cooperative matrices need besides themselves: the memory model, subgroups of a size that is known, and f16 arithmetic,
    // which is there without them, too. Large ones have SPIR-V 1.6, whose workgroup sizes are maintenance4's.
    VkPhysicalDeviceSubgroupSizeControlFeatures control = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES, NULL,
                                                            dev->subgroup_control, VK_TRUE };
    void *const rest = dev->full_subgroups ? &control : NULL;
    VkPhysicalDeviceMaintenance4Features sizes = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES, rest, VK_TRUE };
    weft_vk_matrix2_features larger = { WEFT_VK_MATRIX2_FEATURES, &sizes, .workgroup_scope = dev->caps.matrix_form[0].scope == WEFT_VK_MATRIX_WORKGROUP,
                                        .flexible_dimensions = VK_TRUE, .per_element = VK_TRUE, .reductions = dev->caps.matrix_reduces,
                                        .conversions = dev->caps.matrix_reduces };
    weft_vk_matrix_features matrices = { WEFT_VK_MATRIX_FEATURES, large ? &larger : rest, VK_TRUE, VK_FALSE };
    VkPhysicalDeviceVulkanMemoryModelFeatures model = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES, &matrices, VK_TRUE };
    VkPhysicalDeviceShaderFloat16Int8Features arithmetic = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, matrix ? &model : rest, VK_TRUE };
    VkPhysicalDevice16BitStorageFeatures half = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
                                                  matrix || dev->f16_arithmetic ? &arithmetic : rest,
                                                  dev->caps.f16_storage };
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR inspect = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, &half, VK_TRUE };
    VkPhysicalDeviceShaderObjectFeaturesEXT objects = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_OBJECT_FEATURES_EXT, &half, VK_TRUE };
    const VkPhysicalDeviceFeatures2 features = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                                 dev->inspected ? (void *) &inspect : dev->shader_objects ? (void *) &objects : &half,
                                                 { .shaderInt64 = dev->caps.int64 } };
    const VkDeviceCreateInfo info = { VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, &features, 0, 1, &queue, 0, NULL, extension_count, extensions, NULL };
    VK_TRY(vk, vkCreateDevice, dev->physical, &info, NULL, &dev->device);
    WEFT_TRY(weft_vk_load_device(&dev->vk, dev->device));
    dev->shader_objects &= weft_vk_makes_shaders(&dev->vk);
    vk->vkGetDeviceQueue(dev->device, dev->family, 0, &dev->queue);
    return WEFT_OK;
}

static weft_result open_device(weft_vk_device *dev, const weft_device_params *params)
{
    weft_vk_candidate *list = NULL;
    const weft_vk_candidate *chosen;
    int count = 0;
    WEFT_TRY(weft_vk_instance_create(dev->ctx, params->validate, &dev->instance));
    dev->vk = dev->instance.vk;
    WEFT_TRY(weft_vk_candidates(&dev->instance, &list, &count));
    weft_result r = weft_vk_choose(list, count, params->name, &chosen);
    if (r == WEFT_OK) {
        dev->physical = chosen->physical, dev->family = chosen->family;
        read_facts(dev, chosen, params->no_optional);
    }
    weft_delete(dev->ctx, list);
    WEFT_TRY(r);
    WEFT_TRY(create_device(dev));
    if (params->cache_path && !(dev->cache_path = weft_strdup(dev->ctx, params->cache_path))) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_vk_kernels_create(dev, &dev->kernels));
    WEFT_TRY(weft_vk_weights_create(dev, &dev->weights));
    return weft_vk_tuner_create(dev, params->tune, &dev->tuner);
}

static weft_result open_as(weft_context *ctx, const weft_device_params *params, bool inspected, weft_vk_device **out)
{
    weft_vk_device *dev = weft_new(ctx, sizeof *dev);
    if (!dev) return WEFT_ERR_MEMORY;
    dev->ctx = ctx, dev->inspected = inspected;
    pthread_mutex_init(&dev->queue_lock, NULL);
    pthread_mutex_init(&dev->matrix_lock, NULL);
    const weft_result r = open_device(dev, params);
    if (r != WEFT_OK) return weft_vk_close(dev), r;
    *out = dev;
    return WEFT_OK;
}

weft_result weft_vk_open(weft_context *ctx, const weft_device_params *params, weft_vk_device **out) { return open_as(ctx, params, false, out); }

weft_result weft_vk_open_inspected(weft_context *ctx, const weft_device_params *params, weft_vk_device **out)
{
    return open_as(ctx, params, true, out);
}

void weft_vk_close(weft_vk_device *dev)
{
    if (!dev) return;
    weft_vk_tuner_destroy(dev->tuner);
    weft_vk_kernels_destroy(dev->kernels);
    weft_vk_weights_destroy(dev->weights);
    if (dev->device && !dev->vk.vkDestroyDevice) // its functions could not be looked up
        dev->vk.vkDestroyDevice = (PFN_vkDestroyDevice) dev->vk.vkGetDeviceProcAddr(dev->device, "vkDestroyDevice");
    if (dev->device && dev->vk.vkDestroyDevice) dev->vk.vkDestroyDevice(dev->device, NULL);
    weft_vk_instance_destroy(&dev->instance);
    pthread_mutex_destroy(&dev->queue_lock);
    pthread_mutex_destroy(&dev->matrix_lock);
    weft_delete(dev->ctx, dev->cache_path);
    weft_delete(dev->ctx, dev);
}

const weft_device_info *weft_vk_info(const weft_vk_device *dev) { return &dev->info; }
