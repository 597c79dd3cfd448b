// SPDX-License-Identifier: MIT
#include "vk/choose.h"
#include "vk/inside.h"
#include "vk/kernel.h"
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

// Facts of the device and what is switched on: dev->caps.
static void read_facts(weft_vk_device *dev, const weft_vk_candidate *c, bool no_optional)
{
    const weft_vk_calls *vk = &dev->vk;
    VkPhysicalDeviceSubgroupProperties subgroup = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES };
    VkPhysicalDeviceMaintenance3Properties most = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, &subgroup };
    VkPhysicalDeviceProperties2 props = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &most };
    VkPhysicalDeviceMemoryProperties2 memory = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2 };
    vk->vkGetPhysicalDeviceProperties2(dev->physical, &props);
    vk->vkGetPhysicalDeviceMemoryProperties2(dev->physical, &memory);
    dev->limits = props.properties.limits;
    dev->max_allocation = most.maxMemoryAllocationSize;
    dev->memory = memory.memoryProperties;
    dev->info = c->info;
    memcpy(dev->name, c->name, sizeof dev->name);
    memcpy(dev->driver, c->driver, sizeof dev->driver);
    dev->info.name = dev->name, dev->info.driver = dev->driver, dev->info.rejected = NULL;
    if (no_optional) dev->info.f16_storage = 0, dev->info.matrix_units = 0;
    const uint32_t width = dev->limits.maxComputeWorkGroupSize[0], all = dev->limits.maxComputeWorkGroupInvocations;
    dev->caps = (weft_caps) {
        .f16_storage = dev->info.f16_storage, .max_group = 128, .shared_bytes = 16384,
        .is_software = props.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU,
    };
    if (!no_optional) {
        dev->caps.subgroup_size = subgroup.subgroupSize;
        dev->caps.max_group = width < all ? width : all;
        dev->caps.shared_bytes = dev->limits.maxComputeSharedMemorySize;
    }
    // Guesses, each on the slow side, until a run was measured.
    atomic_store(&dev->rate, props.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ? 1e12 : dev->caps.is_software ? 2e9 : 1e11);
}

static weft_result create_device(weft_vk_device *dev)
{
    const weft_vk_calls *vk = &dev->vk;
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = { VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, NULL, 0, dev->family, 1, &priority };
    VkPhysicalDevice16BitStorageFeatures half = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
                                                  .storageBuffer16BitAccess = dev->caps.f16_storage };
    const VkPhysicalDeviceFeatures2 features = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &half };
    const VkDeviceCreateInfo info = { VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, &features, 0, 1, &queue, 0, NULL, 0, NULL, NULL };
    VK_TRY(vk, vkCreateDevice, dev->physical, &info, NULL, &dev->device);
    WEFT_TRY(weft_vk_load_device(&dev->vk, dev->device));
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
    return weft_vk_kernels_create(dev, &dev->kernels);
}

weft_result weft_vk_open(weft_context *ctx, const weft_device_params *params, weft_vk_device **out)
{
    weft_vk_device *dev = weft_new(ctx, sizeof *dev);
    if (!dev) return WEFT_ERR_MEMORY;
    dev->ctx = ctx;
    pthread_mutex_init(&dev->queue_lock, NULL);
    const weft_result r = open_device(dev, params);
    if (r != WEFT_OK) return weft_vk_close(dev), r;
    *out = dev;
    return WEFT_OK;
}

void weft_vk_close(weft_vk_device *dev)
{
    if (!dev) return;
    weft_vk_kernels_destroy(dev->kernels);
    if (dev->device && !dev->vk.vkDestroyDevice) // its functions could not be looked up
        dev->vk.vkDestroyDevice = (PFN_vkDestroyDevice) dev->vk.vkGetDeviceProcAddr(dev->device, "vkDestroyDevice");
    if (dev->device && dev->vk.vkDestroyDevice) dev->vk.vkDestroyDevice(dev->device, NULL);
    weft_vk_instance_destroy(&dev->instance);
    pthread_mutex_destroy(&dev->queue_lock);
    weft_delete(dev->ctx, dev->cache_path);
    weft_delete(dev->ctx, dev);
}

const weft_device_info *weft_vk_info(const weft_vk_device *dev) { return &dev->info; }
