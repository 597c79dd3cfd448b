// SPDX-License-Identifier: MIT
#include "vk/compile.h"
#include "vk/binaries.h"
#include "vk/cache.h"

struct weft_vk_compiler {
    weft_vk_device *dev;
    VkPipelineCache cache; // the driver locks it
    size_t cache_bytes;    // as they came from disk
    weft_vk_binaries *binaries; // where kernels are shader objects
};

const VkPushConstantRange weft_vk_params_range = { VK_SHADER_STAGE_COMPUTE_BIT, 0, WEFT_MAX_PARAM_BYTES };

typedef struct stage { // what a driver is told in either form; points into itself
    uint32_t data[3 + WEFT_MAX_SPEC]; // constants 0..2 are the workgroup size
    VkSpecializationMapEntry map[3 + WEFT_MAX_SPEC];
    VkSpecializationInfo info;
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size;
    const void *next; // size or, where all have that size, nothing
    bool full;        // no invocation of a subgroup may be missing
} stage;

static void set_stage(const weft_vk_device *dev, const weft_vk_key *key, stage *c)
{
    const uint32_t count = 3 + key->spec_count;
    for (uint32_t i = 0; i < count; i++) {
        c->data[i] = i < 3 ? key->group[i] : key->spec[i - 3];
        c->map[i] = (VkSpecializationMapEntry) { i, i * 4, 4 };
    }
    c->info = (VkSpecializationInfo) { count, c->map, count * 4, c->data };
    c->size = (VkPipelineShaderStageRequiredSubgroupSizeCreateInfo) {
        VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO, NULL, key->subgroup };
    c->next = key->subgroup && dev->subgroup_control ? &c->size : NULL;
    c->full = key->subgroup && dev->full_subgroups;
}

static weft_result failure(VkResult r, const char *call)
{
    const weft_result why = weft_vk_fail(r, call);
    if (why == WEFT_ERR_MEMORY || why == WEFT_ERR_VRAM || why == WEFT_ERR_DEVICE_LOST) return why;
    return weft_fail(WEFT_ERR_UNSUPPORTED, "the driver does not compile it (VkResult %d)", r);
}

// --- Pipelines. ---------------------------------------------------------------------------------------------------

static VkResult create_cache(const weft_vk_device *dev, const void *data, size_t bytes, VkPipelineCache *out)
{
    const VkPipelineCacheCreateInfo info = { VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, NULL, 0, bytes, data };
    VkResult r;
    VK_SET(r, &dev->vk, vkCreatePipelineCache, dev->device, &info, NULL, out);
    return r;
}

static weft_result load_cache(weft_vk_compiler *c)
{
    weft_vk_kept kept;
    VkResult r = VK_ERROR_UNKNOWN;
    weft_vk_cache_open(c->dev, WEFT_VK_PIPELINE_CACHE, &kept);
    if (kept.bytes) r = create_cache(c->dev, kept.data, kept.bytes, &c->cache);
    if (r == VK_SUCCESS) c->cache_bytes = kept.bytes;
    else if (kept.bytes) weft_vk_cache_refuse(c->dev, "is not taken by the driver");
    weft_vk_cache_close(&kept);
    if (r != VK_SUCCESS) r = create_cache(c->dev, NULL, 0, &c->cache);
    return r == VK_SUCCESS ? WEFT_OK : weft_vk_fail(r, "vkCreatePipelineCache");
}

static weft_result read_cache(const weft_vk_compiler *c, void **data, size_t *bytes) // no bytes: nothing came to it
{
    weft_vk_device *dev = c->dev;
    *data = NULL;
    VK_TRY(&dev->vk, vkGetPipelineCacheData, dev->device, c->cache, bytes, NULL);
    if (*bytes == c->cache_bytes) *bytes = 0;
    if (!*bytes) return WEFT_OK;
    if (!(*data = weft_new(dev->ctx, *bytes))) return WEFT_ERR_MEMORY;
    VK_TRY(&dev->vk, vkGetPipelineCacheData, dev->device, c->cache, bytes, *data);
    return WEFT_OK;
}

static void save_cache(const weft_vk_compiler *c)
{
    void *data = NULL;
    size_t bytes = 0;
    if (!c->dev->cache_path) return;
    if (read_cache(c, &data, &bytes) != WEFT_OK) weft_log(c->dev->ctx, WEFT_LOG_WARN, "the pipeline cache is not saved: %s", weft_error_text());
    else if (bytes) weft_vk_cache_write(c->dev, WEFT_VK_PIPELINE_CACHE, data, bytes);
    weft_delete(c->dev->ctx, data);
}

static weft_result compile_pipeline(const weft_vk_compiler *c, const weft_vk_source *s, VkPipeline *out)
{
    weft_vk_device *dev = c->dev;
    stage told;
    set_stage(dev, &s->key, &told);
    const VkComputePipelineCreateInfo info = {
        VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, NULL,
        VK_PIPELINE_CREATE_DISPATCH_BASE_BIT | (dev->inspected ? VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR : 0) |
            (dev->texts ? VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR : 0),
        { VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, told.next,
          told.full ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0, VK_SHADER_STAGE_COMPUTE_BIT, s->module, "main", &told.info },
        s->layout, VK_NULL_HANDLE, -1,
    };
    VkResult r;
    VK_SET(r, &dev->vk, vkCreateComputePipelines, dev->device, c->cache, 1, &info, NULL, out);
    return r == VK_SUCCESS ? WEFT_OK : failure(r, "vkCreateComputePipelines");
}

// --- Shader objects. ----------------------------------------------------------------------------------------------

static VkResult make_shader(const weft_vk_device *dev, const weft_vk_source *s, VkShaderCodeTypeEXT type, const void *code, size_t bytes, VkShaderEXT *out)
{
    stage told;
    set_stage(dev, &s->key, &told);
    const VkShaderCreateInfoEXT info = {
        VK_STRUCTURE_TYPE_SHADER_CREATE_INFO_EXT, told.next,
        VK_SHADER_CREATE_DISPATCH_BASE_BIT_EXT | (told.full ? VK_SHADER_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT : 0),
        VK_SHADER_STAGE_COMPUTE_BIT, 0, type, bytes, code, "main", 1, &s->set_layout, 1, &weft_vk_params_range, &told.info,
    };
    VkResult r;
    VK_SET(r, &dev->vk, vkCreateShadersEXT, dev->device, 1, &info, NULL, out);
    return r;
}

static weft_result keep_binary(const weft_vk_compiler *c, const weft_vk_source *s, VkShaderEXT shader)
{
    weft_vk_device *dev = c->dev;
    size_t bytes = 0;
    VK_TRY(&dev->vk, vkGetShaderBinaryDataEXT, dev->device, shader, &bytes, NULL);
    void *data = weft_new(dev->ctx, bytes + 1);
    if (!data) return WEFT_ERR_MEMORY;
    VkResult r;
    VK_SET(r, &dev->vk, vkGetShaderBinaryDataEXT, dev->device, shader, &bytes, data);
    if (r == VK_SUCCESS) return weft_vk_binaries_add(c->binaries, &s->key, data, bytes);
    weft_delete(dev->ctx, data);
    return weft_vk_fail(r, "vkGetShaderBinaryDataEXT");
}

static weft_result compile_shader(const weft_vk_compiler *c, const weft_vk_source *s, VkShaderEXT *out)
{
    weft_vk_device *dev = c->dev;
    void *data;
    size_t bytes;
    WEFT_TRY(weft_vk_binaries_find(c->binaries, &s->key, &data, &bytes));
    VkResult r = data ? make_shader(dev, s, VK_SHADER_CODE_TYPE_BINARY_EXT, data, bytes, out) : VK_INCOMPATIBLE_SHADER_BINARY_EXT;
    weft_delete(dev->ctx, data);
    if (r == VK_SUCCESS) return WEFT_OK;
    if (r != VK_INCOMPATIBLE_SHADER_BINARY_EXT) return failure(r, "vkCreateShadersEXT");
    r = make_shader(dev, s, VK_SHADER_CODE_TYPE_SPIRV_EXT, s->words, s->bytes, out);
    if (r != VK_SUCCESS) return failure(r, "vkCreateShadersEXT");
    if (dev->cache_path && keep_binary(c, s, *out) != WEFT_OK)
        weft_log(dev->ctx, WEFT_LOG_WARN, "pipeline cache: a kernel is not kept for later runs: %s", weft_error_text());
    return WEFT_OK;
}

// --- Either. ------------------------------------------------------------------------------------------------------

weft_result weft_vk_compiler_create(weft_vk_device *dev, weft_vk_compiler **out)
{
    weft_vk_compiler *c = *out = weft_new(dev->ctx, sizeof *c);
    if (!c) return WEFT_ERR_MEMORY;
    c->dev = dev;
    return dev->shader_objects ? weft_vk_binaries_create(dev, &c->binaries) : load_cache(c);
}

void weft_vk_compiler_destroy(weft_vk_compiler *c)
{
    if (!c) return;
    if (c->cache) save_cache(c), c->dev->vk.vkDestroyPipelineCache(c->dev->device, c->cache, NULL);
    weft_vk_binaries_destroy(c->binaries);
    weft_delete(c->dev->ctx, c);
}

weft_result weft_vk_compile(weft_vk_compiler *c, const weft_vk_source *source, weft_vk_compiled *out)
{
    *out = (weft_vk_compiled) { 0 };
    return c->dev->shader_objects ? compile_shader(c, source, &out->shader) : compile_pipeline(c, source, &out->pipeline);
}

void weft_vk_compiled_destroy(weft_vk_device *dev, weft_vk_compiled *made)
{
    if (made->pipeline) dev->vk.vkDestroyPipeline(dev->device, made->pipeline, NULL);
    if (made->shader) dev->vk.vkDestroyShaderEXT(dev->device, made->shader, NULL);
    *made = (weft_vk_compiled) { 0 };
}
