// SPDX-License-Identifier: MIT
#include "vk/choose.h"
#include "graph/op.h"
#include "vk/matrix.h"
#include "vk/quirks.h"
#include <stdio.h>
#include <string.h>

static int speed_class(VkPhysicalDeviceType type) // smaller is faster
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return 0;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return 1;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return 4;
    default: return 3;
    }
}

static const char *type_name(VkPhysicalDeviceType type)
{
    static const char *const names[] = { "discrete", "integrated", "virtual", "other", "software" };
    return names[speed_class(type)];
}

// A family with compute; one without graphics first, because it does not wait behind a desktop.
static bool compute_family(const weft_vk_calls *vk, VkPhysicalDevice physical, uint32_t *family)
{
    VkQueueFamilyProperties list[32];
    uint32_t count = 32;
    bool found = false, alone = false;
    vk->vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, list);
    for (uint32_t i = 0; i < count; i++) {
        const bool compute = list[i].queueFlags & VK_QUEUE_COMPUTE_BIT && list[i].queueCount;
        const bool no_graphics = !(list[i].queueFlags & VK_QUEUE_GRAPHICS_BIT);
        if (!compute || (found && (alone || !no_graphics))) continue;
        *family = i, found = true, alone = no_graphics;
    }
    return found;
}

typedef struct extensions { VkExtensionProperties *list; uint32_t count; } extensions;

static weft_result list_extensions(const weft_vk_calls *vk, VkPhysicalDevice physical, extensions *out) // empty before; its list is freed by the caller, whatever comes of it
{
    VkResult r;
    do {
        VK_SET(r, vk, vkEnumerateDeviceExtensionProperties, physical, NULL, &out->count, NULL);
        if (r != VK_SUCCESS) break;
        VkExtensionProperties *more = weft_resize(vk->ctx, out->list, sizeof *more * (out->count + 1));
        if (!more) return WEFT_ERR_MEMORY;
        out->list = more;
        VK_SET(r, vk, vkEnumerateDeviceExtensionProperties, physical, NULL, &out->count, out->list);
    } while (r == VK_INCOMPLETE);
    return r == VK_SUCCESS ? WEFT_OK : weft_vk_fail(r, "vkEnumerateDeviceExtensionProperties");
}

static bool has(const extensions *e, const char *name)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (!strcmp(e->list[i].extensionName, name)) return true;
    return false;
}

static void look_for_subgroups(const weft_vk_instance *i, const extensions *all, weft_vk_candidate *c)
{
    if (!has(all, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME)) return;
    VkPhysicalDeviceSubgroupSizeControlFeatures control = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES };
    VkPhysicalDeviceFeatures2 features = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &control };
    VkPhysicalDeviceSubgroupSizeControlProperties sizes = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES };
    VkPhysicalDeviceProperties2 props = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &sizes };
    i->vk.vkGetPhysicalDeviceFeatures2(c->physical, &features);
    i->vk.vkGetPhysicalDeviceProperties2(c->physical, &props);
    c->full_subgroups = control.computeFullSubgroups;
    c->subgroup_control = c->full_subgroups && control.subgroupSizeControl && sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT;
    if (c->subgroup_control || sizes.minSubgroupSize == sizes.maxSubgroupSize)
        c->subgroup_sizes[0] = sizes.minSubgroupSize, c->subgroup_sizes[1] = sizes.maxSubgroupSize;
}

// SPIR-V 1.6, which the extension wants, comes with Vulkan 1.3.
static void look_for_large_matrices(const weft_vk_instance *i, const extensions *all, weft_vk_candidate *c)
{
    if (!has(all, WEFT_VK_MATRIX2_EXTENSION) || (c->info.api[0] == 1 && c->info.api[1] < 3)) return;
    VkPhysicalDeviceMaintenance4Features sizes = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES };
    weft_vk_matrix2_features large = { WEFT_VK_MATRIX2_FEATURES, &sizes };
    VkPhysicalDeviceFeatures2 features = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &large };
    i->vk.vkGetPhysicalDeviceFeatures2(c->physical, &features);
    if (sizes.maintenance4 && large.flexible_dimensions && large.per_element) weft_vk_matrix_forms(i, large.workgroup_scope, c);
    c->matrix_reduces = c->matrix_form[0].threads && large.reductions && large.conversions;
}

// The extension wants dynamic rendering, which comes with Vulkan 1.3.
static void look_for_shader_objects(const weft_vk_instance *i, const extensions *all, weft_vk_candidate *c)
{
    if (i->old_layer || !has(all, VK_EXT_SHADER_OBJECT_EXTENSION_NAME) || (c->info.api[0] == 1 && c->info.api[1] < 3)) return;
    VkPhysicalDeviceShaderObjectFeaturesEXT objects = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_OBJECT_FEATURES_EXT };
    VkPhysicalDeviceFeatures2 features = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &objects };
    i->vk.vkGetPhysicalDeviceFeatures2(c->physical, &features);
    c->shader_objects = objects.shaderObject;
}

static void look_for_matrices(const weft_vk_instance *i, const extensions *all, weft_vk_candidate *c)
{
    if (!has(all, WEFT_VK_MATRIX_EXTENSION) || !c->subgroup_sizes[0]) return;
    weft_vk_matrix_features matrices = { WEFT_VK_MATRIX_FEATURES };
    VkPhysicalDeviceVulkanMemoryModelFeatures model = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES, &matrices };
    VkPhysicalDeviceShaderFloat16Int8Features half = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, &model };
    VkPhysicalDeviceFeatures2 features = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &half };
    i->vk.vkGetPhysicalDeviceFeatures2(c->physical, &features);
    if (matrices.matrix && model.vulkanMemoryModel && half.shaderFloat16) weft_vk_matrix_shape(i, c->physical, c->matrix);
    c->info.matrix_units = c->matrix[0] > 0;
    memcpy(c->info.matrix, c->matrix, sizeof c->info.matrix);
    if (c->matrix[0]) look_for_large_matrices(i, all, c);
    c->info.matrix_tiles = c->matrix_form[0].threads > 0;
}

static weft_result look_for_extensions(const weft_vk_instance *i, weft_vk_candidate *c)
{
    extensions all = { NULL, 0 };
    const weft_result r = list_extensions(&i->vk, c->physical, &all);
    if (r == WEFT_OK) {
        c->memory_budget = has(&all, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
        look_for_shader_objects(i, &all, c);
        look_for_subgroups(i, &all, c);
        look_for_matrices(i, &all, c);
    }
    weft_delete(i->vk.ctx, all.list);
    return r;
}

static void reject(weft_vk_candidate *c, const char *why)
{
    snprintf(c->rejected, sizeof c->rejected, "%s", why);
    c->usable = false;
}

static weft_result look_at(const weft_vk_instance *i, VkPhysicalDevice physical, weft_vk_candidate *c)
{
    const weft_vk_calls *vk = &i->vk;
    VkPhysicalDeviceProperties first;
    vk->vkGetPhysicalDeviceProperties(physical, &first);
    *c = (weft_vk_candidate) { .physical = physical, .usable = true };
    c->info = (weft_device_info) { .kind = WEFT_DEVICE_VULKAN, .type = type_name(first.deviceType) };
    c->info.vendor_id = first.vendorID, c->info.device_id = first.deviceID;
    c->info.api[0] = VK_API_VERSION_MAJOR(first.apiVersion), c->info.api[1] = VK_API_VERSION_MINOR(first.apiVersion);
    c->info.api[2] = VK_API_VERSION_PATCH(first.apiVersion);
    c->speed_class = speed_class(first.deviceType);
    snprintf(c->name, sizeof c->name, "%s", first.deviceName);
    if (first.apiVersion < VK_API_VERSION_1_2) { // nothing below may be asked of it
        snprintf(c->rejected, sizeof c->rejected, "its driver has Vulkan %u.%u, weft needs 1.2: a newer driver may help",
                 VK_API_VERSION_MAJOR(first.apiVersion), VK_API_VERSION_MINOR(first.apiVersion));
        c->usable = false;
        return WEFT_OK;
    }
    VkPhysicalDeviceDriverProperties driver = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES };
    VkPhysicalDeviceSubgroupProperties subgroup = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, &driver };
    VkPhysicalDeviceIDProperties id = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, &subgroup };
    VkPhysicalDeviceProperties2 props = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &id };
    VkPhysicalDeviceShaderFloat16Int8Features arithmetic = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES };
    VkPhysicalDevice16BitStorageFeatures half = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, &arithmetic };
    VkPhysicalDeviceFeatures2 features = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &half };
    VkPhysicalDeviceMemoryProperties2 memory = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2 };
    vk->vkGetPhysicalDeviceProperties2(physical, &props);
    vk->vkGetPhysicalDeviceFeatures2(physical, &features);
    vk->vkGetPhysicalDeviceMemoryProperties2(physical, &memory);
    snprintf(c->driver, sizeof c->driver, "%.250s%s%.250s", driver.driverName, *driver.driverInfo ? " " : "", driver.driverInfo);
    c->rank = weft_vk_driver_rank(&driver);
    memcpy(c->info.uuid, id.deviceUUID, sizeof c->info.uuid);
    c->info.subgroup_size = subgroup.subgroupSize;
    c->info.f16_storage = half.storageBuffer16BitAccess;
    c->f16_arithmetic = arithmetic.shaderFloat16;
    c->int64 = features.features.shaderInt64;
    for (uint32_t h = 0; h < memory.memoryProperties.memoryHeapCount; h++) {
        const VkMemoryHeap *heap = &memory.memoryProperties.memoryHeaps[h];
        if (heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT && heap->size > c->info.memory_bytes) c->info.memory_bytes = heap->size;
    }
    // Vulkan promises these numbers; a device below them is no device weft was made for.
    const VkPhysicalDeviceLimits *l = &props.properties.limits;
    if (!compute_family(vk, physical, &c->family)) reject(c, "it has no compute queue");
    else if (l->maxPushConstantsSize < WEFT_MAX_PARAM_BYTES) reject(c, "it takes less than 128 bytes of push constants");
    else if (l->maxComputeWorkGroupInvocations < 128 || l->maxComputeWorkGroupSize[0] < 128) reject(c, "its workgroups are smaller than 128");
    else if (l->maxComputeSharedMemorySize < 16384) reject(c, "its workgroups share less than 16 KiB");
    else if (l->maxComputeWorkGroupCount[0] < 65535 || l->maxComputeWorkGroupCount[1] < 65535) reject(c, "it takes less than 65,535 workgroups");
    else return look_for_extensions(i, c);
    return WEFT_OK;
}

static bool before(const weft_vk_candidate *a, const weft_vk_candidate *b)
{
    return a->speed_class != b->speed_class ? a->speed_class < b->speed_class : a->rank < b->rank;
}

// By insertion, because that leaves alone what is alike: among GPUs the loader's order may be what the user has set.
void weft_vk_order(weft_vk_candidate *list, int count)
{
    for (int i = 1; i < count; i++) {
        const weft_vk_candidate c = list[i];
        int at = i;
        for (; at > 0 && before(&c, &list[at - 1]); at--) list[at] = list[at - 1];
        list[at] = c;
    }
    for (int i = 0; i < count; i++) {
        weft_vk_candidate *c = &list[i];
        c->info.index = i;
        c->info.name = c->name, c->info.driver = c->driver, c->info.rejected = c->usable ? NULL : c->rejected;
    }
}

weft_result weft_vk_candidates(const weft_vk_instance *i, weft_vk_candidate **out, int *out_count)
{
    const weft_vk_calls *vk = &i->vk;
    VkPhysicalDevice *devices = NULL;
    uint32_t count = 0;
    VkResult r;
    do {
        VK_SET(r, vk, vkEnumeratePhysicalDevices, i->instance, &count, NULL);
        VkPhysicalDevice *more = r == VK_SUCCESS ? weft_resize(vk->ctx, devices, sizeof *devices * (count + 1)) : NULL;
        if (!more) break;
        devices = more;
        VK_SET(r, vk, vkEnumeratePhysicalDevices, i->instance, &count, devices);
    } while (r == VK_INCOMPLETE);
    weft_vk_candidate *list = r == VK_SUCCESS && devices ? weft_new(vk->ctx, sizeof *list * (count + 1)) : NULL;
    weft_result looked = WEFT_OK;
    for (uint32_t k = 0; list && k < count && looked == WEFT_OK; k++) looked = look_at(i, devices[k], &list[k]);
    if (list && looked == WEFT_OK) weft_vk_order(list, (int) count);
    weft_delete(vk->ctx, devices);
    // A loader without any driver says VK_ERROR_INITIALIZATION_FAILED here: that is "no devices".
    if (r == VK_ERROR_INITIALIZATION_FAILED) return *out = NULL, *out_count = 0, WEFT_OK;
    if (r != VK_SUCCESS) return weft_vk_fail(r, "vkEnumeratePhysicalDevices");
    if (!list) return WEFT_ERR_MEMORY;
    if (looked != WEFT_OK) return weft_delete(vk->ctx, list), looked;
    *out = list, *out_count = (int) count;
    return WEFT_OK;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c; }

static bool contains(const char *text, const char *part) // without regard to case
{
    for (; *text; text++) {
        size_t k = 0;
        while (part[k] && lower(text[k]) == lower(part[k])) k++;
        if (!part[k]) return true;
    }
    return false;
}

static bool parse_uuid(const char *text, uint8_t uuid[16]) // 32 hexadecimal digits, dashes anywhere
{
    int digits = 0;
    memset(uuid, 0, 16);
    for (; *text; text++) {
        const char c = lower(*text);
        const int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (c == '-') continue;
        if (d < 0 || digits == 32) return false;
        uuid[digits / 2] = (uint8_t) (uuid[digits / 2] << 4 | d);
        digits++;
    }
    return digits == 32;
}

static bool parse_index(const char *text, int *index)
{
    *index = 0;
    if (!*text || strlen(text) > 4) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        *index = *index * 10 + (*text - '0');
    }
    return true;
}

weft_result weft_vk_choose(const weft_vk_candidate *list, int count, const char *name, const weft_vk_candidate **out)
{
    uint8_t uuid[16];
    int index = -1;
    const bool any = !name || !*name || !strcmp(name, "auto") || !strcmp(name, "vulkan");
    const bool by_uuid = !any && parse_uuid(name, uuid), by_index = !any && !by_uuid && parse_index(name, &index);
    char why[900] = "";
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        const weft_vk_candidate *c = &list[i];
        const bool wanted = any || (by_uuid ? !memcmp(uuid, c->info.uuid, 16) : by_index ? index == i : contains(c->name, name));
        if (wanted && c->usable) return *out = c, WEFT_OK;
        if (used < sizeof why - 1)
            used += (size_t) snprintf(why + used, sizeof why - used, "%s%d (%.80s): %s", i ? "; " : "", i, c->name,
                                      !c->usable ? c->rejected : "does not match");
    }
    if (!count) return weft_fail(WEFT_ERR_NO_DEVICE, "no Vulkan device: no driver reports one");
    return weft_fail(WEFT_ERR_NO_DEVICE, "no Vulkan device matches '%.60s': %s", name ? name : "auto", why);
}
