// SPDX-License-Identifier: MIT
#include "vk/instance.h"
#include <stdio.h>
#include <string.h>

#define VALIDATION "VK_LAYER_KHRONOS_validation"

// VK_EXT_layer_settings, which headers before 1.3.272 lack.
typedef struct layer_setting {
    const char *layer, *name;
    int32_t type; // 0: VkBool32
    uint32_t count;
    const void *values;
} layer_setting;
typedef struct layer_settings {
    VkStructureType type;
    const void *next;
    uint32_t count;
    const layer_setting *settings;
} layer_settings;
enum { TYPE_LAYER_SETTINGS = 1000496000 };

static VKAPI_ATTR VkBool32 VKAPI_CALL message(VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT type,
                                              const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    char line[1900]; // the log takes one line
    (void) type;
    snprintf(line, sizeof line, "%s", data->pMessage);
    for (char *c = line; *c; c++)
        if (*c == '\n') *c = ' ';
    weft_log(user, severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT ? WEFT_LOG_ERROR : WEFT_LOG_WARN, "vulkan: %s", line);
    return VK_FALSE;
}

// Counts and fetches a Vulkan list; the count may grow between the two calls.
static weft_result has_extension(const weft_vk_calls *vk, const char *layer, const char *name, bool *found)
{
    VkExtensionProperties *list = NULL;
    uint32_t count = 0;
    VkResult r;
    do {
        VK_SET(r, vk, vkEnumerateInstanceExtensionProperties, layer, &count, NULL);
        VkExtensionProperties *more = r == VK_SUCCESS ? weft_resize(vk->ctx, list, sizeof *list * (count + 1)) : NULL;
        if (!more) return weft_delete(vk->ctx, list), r == VK_SUCCESS ? WEFT_ERR_MEMORY : weft_vk_fail(r, "vkEnumerateInstanceExtensionProperties");
        list = more;
        VK_SET(r, vk, vkEnumerateInstanceExtensionProperties, layer, &count, list);
    } while (r == VK_INCOMPLETE);
    *found = false;
    for (uint32_t i = 0; r == VK_SUCCESS && i < count; i++) *found |= !strcmp(list[i].extensionName, name);
    weft_delete(vk->ctx, list);
    return r == VK_SUCCESS ? WEFT_OK : weft_vk_fail(r, "vkEnumerateInstanceExtensionProperties");
}

static weft_result find_layer(const weft_vk_calls *vk, const char *name, uint32_t *version) // 0: there is none
{
    VkLayerProperties *list = NULL;
    uint32_t count = 0;
    VkResult r;
    do {
        VK_SET(r, vk, vkEnumerateInstanceLayerProperties, &count, NULL);
        VkLayerProperties *more = r == VK_SUCCESS ? weft_resize(vk->ctx, list, sizeof *list * (count + 1)) : NULL;
        if (!more) return weft_delete(vk->ctx, list), r == VK_SUCCESS ? WEFT_ERR_MEMORY : weft_vk_fail(r, "vkEnumerateInstanceLayerProperties");
        list = more;
        VK_SET(r, vk, vkEnumerateInstanceLayerProperties, &count, list);
    } while (r == VK_INCOMPLETE);
    *version = 0;
    for (uint32_t i = 0; r == VK_SUCCESS && i < count; i++)
        if (!strcmp(list[i].layerName, name)) *version = list[i].specVersion;
    weft_delete(vk->ctx, list);
    return r == VK_SUCCESS ? WEFT_OK : weft_vk_fail(r, "vkEnumerateInstanceLayerProperties");
}

static weft_result create(weft_vk_instance *i, bool validate)
{
    weft_vk_calls *vk = &i->vk;
    uint32_t version = 0, known = 0;
    bool layer = false, features = false, settings = false, debug = false;
    VK_TRY(vk, vkEnumerateInstanceVersion, &version);
    if (version < VK_API_VERSION_1_1) return weft_fail(WEFT_ERR_NO_DEVICE, "the Vulkan loader is older than Vulkan 1.1");
    if (validate) WEFT_TRY(find_layer(vk, VALIDATION, &known));
    layer = known;
    i->old_layer = known && known < VK_MAKE_API_VERSION(0, 1, 3, 246);
    if (validate && !layer) weft_log(vk->ctx, WEFT_LOG_WARN, "vulkan: there is no %s: running without validation", VALIDATION);
    if (layer) {
        WEFT_TRY(has_extension(vk, VALIDATION, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME, &features));
        WEFT_TRY(has_extension(vk, VALIDATION, "VK_EXT_layer_settings", &settings));
        WEFT_TRY(has_extension(vk, VALIDATION, VK_EXT_DEBUG_UTILS_EXTENSION_NAME, &debug));
        if (!debug) WEFT_TRY(has_extension(vk, NULL, VK_EXT_DEBUG_UTILS_EXTENSION_NAME, &debug));
    }

    const char *layers[] = { VALIDATION }, *extensions[3];
    uint32_t extension_count = 0;
    const VkBool32 yes = VK_TRUE;
    const layer_setting wanted[] = { // newer layers look for hazards between dispatches only when told so twice
        { VALIDATION, "validate_sync", 0, 1, &yes }, { VALIDATION, "syncval_shader_accesses_heuristic", 0, 1, &yes },
    };
    const layer_settings told = { (VkStructureType) TYPE_LAYER_SETTINGS, NULL, 2, wanted };
    const VkValidationFeatureEnableEXT on[] = { VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT };
    const VkValidationFeaturesEXT old = { VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT, settings ? &told : NULL, 1, on, 0, NULL };
    const VkDebugUtilsMessengerCreateInfoEXT listen = {
        VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT, features ? (const void *) &old : settings ? (const void *) &told : NULL, 0,
        VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT, message, vk->ctx,
    };
    if (debug) extensions[extension_count++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    if (features) extensions[extension_count++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
    if (settings) extensions[extension_count++] = "VK_EXT_layer_settings";
    const VkApplicationInfo app = { VK_STRUCTURE_TYPE_APPLICATION_INFO, NULL, NULL, 0, "weft", 1, VK_API_VERSION_1_3 };
    const VkInstanceCreateInfo info = { VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, debug ? (const void *) &listen : listen.pNext, 0, &app,
                                        layer, layers, extension_count, extensions };
    VK_TRY(vk, vkCreateInstance, &info, NULL, &i->instance);
    WEFT_TRY(weft_vk_load_instance(vk, i->instance));
    VkDebugUtilsMessengerCreateInfoEXT later = listen;
    later.pNext = NULL;
    if (debug && vk->vkCreateDebugUtilsMessengerEXT) VK_TRY(vk, vkCreateDebugUtilsMessengerEXT, i->instance, &later, NULL, &i->messenger);
    return WEFT_OK;
}

weft_result weft_vk_instance_create(weft_context *ctx, bool validate, weft_vk_instance *out)
{
    *out = (weft_vk_instance) { 0 };
    WEFT_TRY(weft_vk_load(ctx, &out->vk));
    const weft_result r = create(out, validate);
    if (r != WEFT_OK) weft_vk_instance_destroy(out);
    return r;
}

void weft_vk_instance_destroy(weft_vk_instance *i)
{
    weft_vk_calls *vk = &i->vk;
    if (i->messenger) vk->vkDestroyDebugUtilsMessengerEXT(i->instance, i->messenger, NULL);
    if (i->instance && !vk->vkDestroyInstance) // its functions could not be looked up
        vk->vkDestroyInstance = (PFN_vkDestroyInstance) vk->vkGetInstanceProcAddr(i->instance, "vkDestroyInstance");
    if (i->instance && vk->vkDestroyInstance) vk->vkDestroyInstance(i->instance, NULL);
    weft_vk_unload(vk);
    *i = (weft_vk_instance) { 0 };
}
