// SPDX-License-Identifier: MIT
#define _GNU_SOURCE // dladdr
#include "vk/load.h"
#include <dlfcn.h>
#include <string.h>

// ISO C has no cast from object to function pointers; POSIX promises that the bits are the same.
static PFN_vkVoidFunction as_function(void *symbol)
{
    PFN_vkVoidFunction f;
    memcpy(&f, &symbol, sizeof f);
    return f;
}

weft_result weft_vk_load(weft_context *ctx, weft_vk_calls *out)
{
    weft_vk_calls vk = { .ctx = ctx };
    vk.library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!vk.library) return weft_fail(WEFT_ERR_NO_DEVICE, "there is no Vulkan loader (libvulkan.so.1) on this machine");
    vk.vkGetInstanceProcAddr = (PFN_vkGetInstanceProcAddr) as_function(dlsym(vk.library, "vkGetInstanceProcAddr"));
    bool whole = vk.vkGetInstanceProcAddr != NULL;
#define GLOBAL(name) if (whole && !(vk.name = (PFN_##name) vk.vkGetInstanceProcAddr(NULL, #name))) whole = false;
#define INSTANCE(name)
#define INSTANCE_OPTIONAL(name)
#define DEVICE(name)
#define DEVICE_OPTIONAL(name)
#include "vk/calls.def"
#undef GLOBAL
#undef INSTANCE
#undef INSTANCE_OPTIONAL
#undef DEVICE
#undef DEVICE_OPTIONAL
    if (!whole) { // a 1.0 loader lacks vkEnumerateInstanceVersion
        dlclose(vk.library);
        return weft_fail(WEFT_ERR_NO_DEVICE, "the Vulkan loader (libvulkan.so.1) is older than Vulkan 1.1");
    }
    *out = vk;
    return WEFT_OK;
}

void weft_vk_unload(weft_vk_calls *vk)
{
    if (vk->library) dlclose(vk->library);
    vk->library = NULL;
}

weft_result weft_vk_load_instance(weft_vk_calls *vk, VkInstance instance)
{
    const char *missing = NULL;
#define GLOBAL(name)
#define INSTANCE(name) if (!(vk->name = (PFN_##name) vk->vkGetInstanceProcAddr(instance, #name))) missing = #name;
#define INSTANCE_OPTIONAL(name) vk->name = (PFN_##name) vk->vkGetInstanceProcAddr(instance, #name);
#define DEVICE(name)
#define DEVICE_OPTIONAL(name)
#include "vk/calls.def"
#undef GLOBAL
#undef INSTANCE
#undef INSTANCE_OPTIONAL
#undef DEVICE
#undef DEVICE_OPTIONAL
    return missing ? weft_fail(WEFT_ERR_NO_DEVICE, "the Vulkan loader has no %s", missing) : WEFT_OK;
}

weft_result weft_vk_load_device(weft_vk_calls *vk, VkDevice device)
{
    const char *missing = NULL;
#define GLOBAL(name)
#define INSTANCE(name)
#define INSTANCE_OPTIONAL(name)
#define DEVICE(name) if (!(vk->name = (PFN_##name) vk->vkGetDeviceProcAddr(device, #name))) missing = #name;
#define DEVICE_OPTIONAL(name) vk->name = (PFN_##name) vk->vkGetDeviceProcAddr(device, #name);
#include "vk/calls.def"
#undef GLOBAL
#undef INSTANCE
#undef INSTANCE_OPTIONAL
#undef DEVICE
#undef DEVICE_OPTIONAL
    return missing ? weft_fail(WEFT_ERR_UNSUPPORTED, "the Vulkan driver has no %s", missing) : WEFT_OK;
}

static const void *module_of(PFN_vkVoidFunction f)
{
    void *symbol;
    Dl_info info;
    memcpy(&symbol, &f, sizeof symbol);
    return f && dladdr(symbol, &info) ? info.dli_fbase : NULL;
}

bool weft_vk_makes_shaders(const weft_vk_calls *vk)
{
    const void *layouts = module_of((PFN_vkVoidFunction) vk->vkCreateDescriptorSetLayout);
    return vk->vkDestroyShaderEXT && vk->vkGetShaderBinaryDataEXT && vk->vkCmdBindShadersEXT && layouts &&
           layouts == module_of((PFN_vkVoidFunction) vk->vkCreateShadersEXT);
}

weft_result weft_vk_fail(VkResult r, const char *call)
{
    switch (r) {
    case VK_ERROR_OUT_OF_HOST_MEMORY: return weft_fail(WEFT_ERR_MEMORY, "%s: the driver is out of host memory", call);
    case VK_ERROR_OUT_OF_DEVICE_MEMORY: return weft_fail(WEFT_ERR_VRAM, "%s: out of device memory", call);
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL: return weft_fail(WEFT_ERR_VRAM, "%s: the driver's room for such objects is used up", call);
    case VK_ERROR_MEMORY_MAP_FAILED: return weft_fail(WEFT_ERR_MEMORY, "%s: device memory cannot be mapped", call);
    case VK_ERROR_DEVICE_LOST:
        return weft_fail(WEFT_ERR_DEVICE_LOST, "%s: the device was lost (a crash, a hang or a reset of its driver); open it again", call);
    case VK_ERROR_INCOMPATIBLE_DRIVER:
    case VK_ERROR_INITIALIZATION_FAILED: return weft_fail(WEFT_ERR_NO_DEVICE, "%s: the driver cannot be started (VkResult %d)", call, r);
    default: return weft_fail(WEFT_ERR_UNSUPPORTED, "%s failed with VkResult %d", call, r);
    }
}
