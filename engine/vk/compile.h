// SPDX-License-Identifier: MIT
// What drivers compile: a kernel with its constants, as a pipeline or, where drivers keep nothing of pipelines between runs, as a shader
// object (VK_EXT_shader_object), whose binary weft keeps itself.
#pragma once
#include "vk/inside.h"

typedef struct weft_vk_compiler weft_vk_compiler;

typedef struct weft_vk_key { // compared as bytes: nothing in it is unset
    int32_t kernel; // in the table of kernels
    uint32_t bind_count, spec_count, subgroup;
    uint32_t group[3], spec[WEFT_MAX_SPEC];
} weft_vk_key;

typedef struct weft_vk_source {
    weft_vk_key key;
    const uint32_t *words; // SPIR-V
    size_t bytes;
    VkShaderModule module; // the same, where kernels are pipelines
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
} weft_vk_source;

typedef struct weft_vk_compiled { // one of the two
    VkPipeline pipeline;
    VkShaderEXT shader;
} weft_vk_compiled;

extern const VkPushConstantRange weft_vk_params_range; // of all kernels

weft_result weft_vk_compiler_create(weft_vk_device *dev, weft_vk_compiler **out);
void weft_vk_compiler_destroy(weft_vk_compiler *c); // writes the cache file; NULL is fine

// Callable from any thread. WEFT_ERR_UNSUPPORTED: the driver does not compile it.
weft_result weft_vk_compile(weft_vk_compiler *c, const weft_vk_source *source, weft_vk_compiled *out);
void weft_vk_compiled_destroy(weft_vk_device *dev, weft_vk_compiled *made);
