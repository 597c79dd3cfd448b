// SPDX-License-Identifier: MIT
#include "vk/kernel.h"
#include "base/arena.h"
#include <string.h>

extern const struct weft_kernel_spirv { // made at build time by tools/build/spvpack.c; ends with {0}
    const char *name; // "kernel.variant"
    const uint32_t *words;
    size_t bytes;
} weft_kernels_spirv[];

typedef struct key {
    int32_t kernel; // in the table
    uint32_t bind_count, spec_count, based;
    uint32_t group[3], spec[WEFT_MAX_SPEC];
} key;

typedef struct entry {
    key key;
    VkPipeline pipeline;
} entry;

struct weft_vk_kernels {
    weft_vk_device *dev;
    pthread_mutex_t lock; // of all below
    VkShaderModule *modules; // by position in the table
    int kernel_count;
    VkDescriptorSetLayout set_layout[WEFT_MAX_BIND + 1]; // by number of bindings
    VkPipelineLayout layout[WEFT_MAX_BIND + 1];
    VkPipelineCache cache;
    entry *entries;
    int count, room;
};

weft_result weft_vk_kernels_create(weft_vk_device *dev, weft_vk_kernels **out)
{
    weft_vk_kernels *k = weft_new(dev->ctx, sizeof *k);
    if (!k) return WEFT_ERR_MEMORY;
    *out = k;
    k->dev = dev;
    pthread_mutex_init(&k->lock, NULL);
    while (weft_kernels_spirv[k->kernel_count].name) k->kernel_count++;
    k->modules = weft_new(dev->ctx, sizeof *k->modules * (size_t) (k->kernel_count + 1));
    return k->modules ? WEFT_OK : WEFT_ERR_MEMORY;
}

void weft_vk_kernels_destroy(weft_vk_kernels *k)
{
    if (!k) return;
    weft_vk_device *dev = k->dev;
    for (int i = 0; i < k->count; i++) dev->vk.vkDestroyPipeline(dev->device, k->entries[i].pipeline, NULL);
    for (int i = 0; i < k->kernel_count && k->modules; i++)
        if (k->modules[i]) dev->vk.vkDestroyShaderModule(dev->device, k->modules[i], NULL);
    for (int i = 0; i <= WEFT_MAX_BIND; i++) {
        if (k->layout[i]) dev->vk.vkDestroyPipelineLayout(dev->device, k->layout[i], NULL);
        if (k->set_layout[i]) dev->vk.vkDestroyDescriptorSetLayout(dev->device, k->set_layout[i], NULL);
    }
    weft_delete(dev->ctx, k->entries);
    weft_delete(dev->ctx, k->modules);
    pthread_mutex_destroy(&k->lock);
    weft_delete(dev->ctx, k);
}

// A kernel with a single variant, f32, binds nothing that is stored as the session wishes: sums, indices.
static weft_result find_kernel(const char *kernel, const char *variant, int *out)
{
    const size_t n = strlen(kernel);
    int found = 0, f32 = -1;
    for (int i = 0; weft_kernels_spirv[i].name; i++) {
        const char *name = weft_kernels_spirv[i].name;
        if (strncmp(name, kernel, n) || name[n] != '.') continue;
        if (!strcmp(name + n + 1, variant)) return *out = i, WEFT_OK;
        if (!strcmp(name + n + 1, "f32")) f32 = i;
        found++;
    }
    if (found == 1 && f32 >= 0) return *out = f32, WEFT_OK;
    return weft_fail(WEFT_ERR_UNSUPPORTED, "there is no variant %s of kernel %s", variant, kernel);
}

static weft_result make_layouts(weft_vk_kernels *k, int binds)
{
    weft_vk_device *dev = k->dev;
    if (!k->set_layout[binds]) {
        VkDescriptorSetLayoutBinding list[WEFT_MAX_BIND];
        for (int i = 0; i < binds; i++)
            list[i] = (VkDescriptorSetLayoutBinding) { (uint32_t) i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL };
        const VkDescriptorSetLayoutCreateInfo info = { VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, NULL, 0, (uint32_t) binds, list };
        VK_TRY(&dev->vk, vkCreateDescriptorSetLayout, dev->device, &info, NULL, &k->set_layout[binds]);
    }
    if (!k->layout[binds]) {
        const VkPushConstantRange range = { VK_SHADER_STAGE_COMPUTE_BIT, 0, WEFT_MAX_PARAM_BYTES };
        const VkPipelineLayoutCreateInfo info = { VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, 1, &k->set_layout[binds], 1, &range };
        VK_TRY(&dev->vk, vkCreatePipelineLayout, dev->device, &info, NULL, &k->layout[binds]);
    }
    return WEFT_OK;
}

static weft_result make_pipeline(weft_vk_kernels *k, const key *key, VkPipeline *out)
{
    weft_vk_device *dev = k->dev;
    VkShaderModule *module = &k->modules[key->kernel];
    if (!*module) {
        const VkShaderModuleCreateInfo info = { VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, NULL, 0, weft_kernels_spirv[key->kernel].bytes,
                                                weft_kernels_spirv[key->kernel].words };
        VK_TRY(&dev->vk, vkCreateShaderModule, dev->device, &info, NULL, module);
    }
    uint32_t data[3 + WEFT_MAX_SPEC];
    VkSpecializationMapEntry map[3 + WEFT_MAX_SPEC];
    const uint32_t count = 3 + key->spec_count;
    for (uint32_t i = 0; i < count; i++) { // constants 0..2 are the workgroup size
        data[i] = i < 3 ? key->group[i] : key->spec[i - 3];
        map[i] = (VkSpecializationMapEntry) { i, i * 4, 4 };
    }
    const VkSpecializationInfo spec = { count, map, count * 4, data };
    const VkComputePipelineCreateInfo info = {
        VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, NULL, key->based ? VK_PIPELINE_CREATE_DISPATCH_BASE_BIT : 0,
        { VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, NULL, 0, VK_SHADER_STAGE_COMPUTE_BIT, *module, "main", &spec },
        k->layout[key->bind_count], VK_NULL_HANDLE, -1,
    };
    VK_TRY(&dev->vk, vkCreateComputePipelines, dev->device, k->cache, 1, &info, NULL, out);
    return WEFT_OK;
}

static weft_result check_limits(const weft_vk_device *dev, const weft_dispatch *d)
{
    const uint64_t all = (uint64_t) d->group[0] * d->group[1] * d->group[2];
    for (int i = 0; i < 3; i++)
        if (d->group[i] > dev->limits.maxComputeWorkGroupSize[i])
            return weft_fail(WEFT_ERR_UNSUPPORTED, "kernel %s: workgroups of %u x %u x %u are larger than the device allows", d->kernel,
                             d->group[0], d->group[1], d->group[2]);
    if (all > dev->limits.maxComputeWorkGroupInvocations)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "kernel %s: workgroups of %llu invocations are larger than the device's %u", d->kernel,
                         (unsigned long long) all, dev->limits.maxComputeWorkGroupInvocations);
    if ((uint32_t) d->bind_count > dev->limits.maxPerStageDescriptorStorageBuffers)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "kernel %s: %d buffers are more than the device's %u", d->kernel, d->bind_count,
                         dev->limits.maxPerStageDescriptorStorageBuffers);
    return WEFT_OK;
}

static weft_result find_or_make(weft_vk_kernels *k, const key *key, VkPipeline *out)
{
    for (int i = 0; i < k->count; i++)
        if (!memcmp(&k->entries[i].key, key, sizeof *key)) return *out = k->entries[i].pipeline, WEFT_OK;
    if (k->count == k->room) {
        entry *more = weft_resize(k->dev->ctx, k->entries, sizeof *more * (size_t) (2 * k->room + 32));
        if (!more) return WEFT_ERR_MEMORY;
        k->entries = more, k->room = 2 * k->room + 32;
    }
    WEFT_TRY(make_layouts(k, (int) key->bind_count));
    WEFT_TRY(make_pipeline(k, key, out));
    k->entries[k->count++] = (entry) { *key, *out };
    return WEFT_OK;
}

weft_result weft_vk_kernel(weft_vk_kernels *k, const weft_dispatch *d, const char *variant, bool based, weft_vk_pipeline *out)
{
    key key;
    memset(&key, 0, sizeof key); // compared as bytes
    WEFT_TRY(find_kernel(d->kernel, variant, &key.kernel));
    WEFT_TRY(check_limits(k->dev, d));
    key.bind_count = (uint32_t) d->bind_count, key.spec_count = (uint32_t) d->spec_count, key.based = based;
    memcpy(key.group, d->group, sizeof key.group);
    memcpy(key.spec, d->spec, sizeof key.spec[0] * (size_t) d->spec_count);
    pthread_mutex_lock(&k->lock);
    const weft_result r = find_or_make(k, &key, &out->pipeline);
    out->layout = k->layout[d->bind_count], out->set_layout = k->set_layout[d->bind_count];
    pthread_mutex_unlock(&k->lock);
    return r == WEFT_OK ? r : weft_fail_prefix(r, "kernel %s: ", d->kernel);
}
