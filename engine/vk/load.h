// SPDX-License-Identifier: MIT
// The Vulkan loader as a table of functions. Looked up by hand, not through volk's global pointers: two instances
// in one process must not share writable state, and a host may bring its own vkGetInstanceProcAddr.
#pragma once
#include "base/context.h"
#include "vk/newer.h"
#include <stdbool.h>

typedef struct weft_vk_calls {
    weft_context *ctx;
    void *library; // of dlopen
    PFN_vkGetInstanceProcAddr vkGetInstanceProcAddr;
#define GLOBAL(name) PFN_##name name;
#define INSTANCE(name) PFN_##name name;
#define INSTANCE_OPTIONAL(name) PFN_##name name; // NULL: not there
#define DEVICE(name) PFN_##name name;
#define DEVICE_OPTIONAL(name) PFN_##name name; // NULL: not there
#include "vk/calls.def"
#undef GLOBAL
#undef INSTANCE
#undef INSTANCE_OPTIONAL
#undef DEVICE
#undef DEVICE_OPTIONAL
} weft_vk_calls;

// Opens the loader. WEFT_ERR_NO_DEVICE: there is none on this machine.
weft_result weft_vk_load(weft_context *ctx, weft_vk_calls *out);
void weft_vk_unload(weft_vk_calls *vk);
weft_result weft_vk_load_instance(weft_vk_calls *vk, VkInstance instance);
weft_result weft_vk_load_device(weft_vk_calls *vk, VkDevice device);

// Whether whoever hands out set layouts also makes shader objects. A layer that is older than those hands out its own, with which a driver crashes.
bool weft_vk_makes_shaders(const weft_vk_calls *vk);

// The sentence and the code for a failed call.
weft_result weft_vk_fail(VkResult r, const char *call);

// Every call that can fail goes through one of these: VK_TRY returns the failure to the caller, VK_SET keeps it.
// A test may stand in between (weft_context.outside) and let a call fail.
static inline VkResult weft_vk_before(const weft_vk_calls *vk, const char *call)
{
    return vk->ctx->outside ? (VkResult) vk->ctx->outside(vk->ctx->outside_user, call) : VK_SUCCESS;
}
#define VK_SET(result, vk, name, ...)                                 \
    do {                                                              \
        (result) = weft_vk_before((vk), #name);                       \
        if ((result) == VK_SUCCESS) (result) = (vk)->name(__VA_ARGS__); \
    } while (0)
#define VK_TRY(vk, name, ...)                                         \
    do {                                                              \
        VkResult vk_result_;                                          \
        VK_SET(vk_result_, vk, name, __VA_ARGS__);                    \
        if (vk_result_ != VK_SUCCESS) return weft_vk_fail(vk_result_, #name); \
    } while (0)
