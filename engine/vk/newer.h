// SPDX-License-Identifier: MIT
// What weft calls of Vulkan and older headers do not declare. The numbers and the order of fields are those of the registry.
#pragma once
#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#ifndef VK_EXT_shader_object
#define VK_EXT_SHADER_OBJECT_EXTENSION_NAME "VK_EXT_shader_object"
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_OBJECT_FEATURES_EXT ((VkStructureType) 1000482000)
#define VK_STRUCTURE_TYPE_SHADER_CREATE_INFO_EXT ((VkStructureType) 1000482002)
#define VK_INCOMPATIBLE_SHADER_BINARY_EXT ((VkResult) 1000482000)
VK_DEFINE_NON_DISPATCHABLE_HANDLE(VkShaderEXT)
typedef enum VkShaderCodeTypeEXT { VK_SHADER_CODE_TYPE_BINARY_EXT, VK_SHADER_CODE_TYPE_SPIRV_EXT } VkShaderCodeTypeEXT;
enum { VK_SHADER_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT = 0x4, VK_SHADER_CREATE_DISPATCH_BASE_BIT_EXT = 0x10 };
typedef struct VkPhysicalDeviceShaderObjectFeaturesEXT {
    VkStructureType sType;
    void *pNext;
    VkBool32 shaderObject;
} VkPhysicalDeviceShaderObjectFeaturesEXT;
typedef struct VkShaderCreateInfoEXT {
    VkStructureType sType;
    const void *pNext;
    VkFlags flags;
    VkShaderStageFlagBits stage;
    VkShaderStageFlags nextStage;
    VkShaderCodeTypeEXT codeType;
    size_t codeSize;
    const void *pCode;
    const char *pName;
    uint32_t setLayoutCount;
    const VkDescriptorSetLayout *pSetLayouts;
    uint32_t pushConstantRangeCount;
    const VkPushConstantRange *pPushConstantRanges;
    const VkSpecializationInfo *pSpecializationInfo;
} VkShaderCreateInfoEXT;
typedef VkResult(VKAPI_PTR *PFN_vkCreateShadersEXT)(VkDevice device, uint32_t count, const VkShaderCreateInfoEXT *infos,
                                                    const VkAllocationCallbacks *allocator, VkShaderEXT *shaders);
typedef void(VKAPI_PTR *PFN_vkDestroyShaderEXT)(VkDevice device, VkShaderEXT shader, const VkAllocationCallbacks *allocator);
typedef VkResult(VKAPI_PTR *PFN_vkGetShaderBinaryDataEXT)(VkDevice device, VkShaderEXT shader, size_t *bytes, void *data);
typedef void(VKAPI_PTR *PFN_vkCmdBindShadersEXT)(VkCommandBuffer cmd, uint32_t count, const VkShaderStageFlagBits *stages, const VkShaderEXT *shaders);
#elif !defined VK_INCOMPATIBLE_SHADER_BINARY_EXT && VK_HEADER_VERSION < 271 // its name before it was found to be no error
#define VK_INCOMPATIBLE_SHADER_BINARY_EXT VK_ERROR_INCOMPATIBLE_SHADER_BINARY_EXT
#endif
