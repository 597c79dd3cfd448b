// SPDX-License-Identifier: MIT
// The n-th call of the Vulkan driver fails, with each error it may give, for every n in the life of a device and a session:
// the code and a sentence come back, everything is freed, the validation layer stays silent, and the next life is healthy.
#include "../vk/small_net.h"
#include "../vk/state_net.h"
#include "base/context.h"
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <vulkan/vulkan_core.h>

// The errors that the specification lets each call give, by name; the last row is for all others.
enum { M = VK_ERROR_OUT_OF_HOST_MEMORY, V = VK_ERROR_OUT_OF_DEVICE_MEMORY, L = VK_ERROR_DEVICE_LOST };
static const struct legal { const char *call; int errors[6]; } legal[] = {
    { "vkEnumerateInstanceVersion", { M } },
    { "vkEnumerateInstanceLayerProperties", { M, V } },
    { "vkEnumerateInstanceExtensionProperties", { M, V, VK_ERROR_LAYER_NOT_PRESENT } },
    { "vkCreateInstance", { M, V, VK_ERROR_INITIALIZATION_FAILED, VK_ERROR_LAYER_NOT_PRESENT, VK_ERROR_EXTENSION_NOT_PRESENT, VK_ERROR_INCOMPATIBLE_DRIVER } },
    { "vkCreateDebugUtilsMessengerEXT", { M } },
    { "vkEnumeratePhysicalDevices", { M, V, VK_ERROR_INITIALIZATION_FAILED } },
    { "vkEnumerateDeviceExtensionProperties", { M, V, VK_ERROR_LAYER_NOT_PRESENT } },
    { "vkCreateDevice", { M, V, VK_ERROR_INITIALIZATION_FAILED, VK_ERROR_FEATURE_NOT_PRESENT, VK_ERROR_TOO_MANY_OBJECTS, L } },
    { "vkQueueSubmit", { M, V, L } },
    { "vkWaitForFences", { M, V, L } },
    { "vkAllocateMemory", { M, V, VK_ERROR_TOO_MANY_OBJECTS } },
    { "vkMapMemory", { M, V, VK_ERROR_MEMORY_MAP_FAILED } },
    { "vkCreateComputePipelines", { M, V } },
    { "vkCreateShadersEXT", { M, V, VK_ERROR_INITIALIZATION_FAILED } },
    { "vkCreatePipelineCache", { M } },
    { "vkCreatePipelineLayout", { M, V } },
    { "vkCreateDescriptorPool", { M, V, VK_ERROR_FRAGMENTATION } },
    { "vkAllocateDescriptorSets", { M, V, VK_ERROR_FRAGMENTED_POOL, VK_ERROR_OUT_OF_POOL_MEMORY } },
    { NULL, { M, V } },
};

typedef struct fault {
    int at, error; // the call that fails; -1: none
    _Atomic int calls;
    char name[64]; // of that call
    _Atomic int messages, allocations;
} fault;

static int outside(void *user, const char *call)
{
    fault *f = user;
    if (atomic_fetch_add(&f->calls, 1) != f->at) return 0;
    snprintf(f->name, sizeof f->name, "%s", call);
    return f->error;
}

static void listen(void *user, weft_log_level level, const char *line)
{
    fault *f = user;
    if (level == WEFT_LOG_WARN && strstr(line, "pipeline cache")) return; // said, and not an error
    if (atomic_fetch_add(&f->messages, 1) < 5) fprintf(stderr, "log: %s\n", line);
}

static void *count(void *user, void *p, size_t old_bytes, size_t new_bytes)
{
    fault *f = user;
    (void) old_bytes;
    if (!p && new_bytes) atomic_fetch_add(&f->allocations, 1);
    if (p && !new_bytes) atomic_fetch_sub(&f->allocations, 1);
    if (new_bytes) return realloc(p, new_bytes);
    return free(p), NULL;
}

static void hear(void *user, const weft_node_time *t) { *(double *) user += t->flops; }

static net_data want;
static state_data want_states;
static bool validate;

static weft_result live(fault *f, weft_context *ctx, const char *cache)
{
    weft_device *dev = NULL;
    weft_model *model = NULL;
    weft_session *s = NULL;
    net_data got;
    double heard = 0;
    net_fill(&got);
    static float value[NET_COUNT];
    weft_value_info info;
    weft_result r = small_net(ctx, &model);
    ctx->outside = outside, ctx->outside_user = f;
    if (r == WEFT_OK) r = weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .cache_path = cache, .validate = validate }, &dev);
    if (r == WEFT_OK) r = weft_session_create(dev, model, &(weft_session_params) { .keep_values = 1, .timing = hear, .timing_user = &heard }, &s);
    for (int i = 0; i < 2 && r == WEFT_OK; i++) r = net_run(s, &got);
    if (r == WEFT_OK && !net_equal(&got, &want, 1e-5)) r = WEFT_ERR_NUMERIC;
    if (r == WEFT_OK) r = weft_session_value(s, 4, &info, value, NET_COUNT); // after two inputs and two weights
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    weft_model_destroy(&model);
    return r;
}

static weft_result live_with_states(fault *f, weft_context *ctx, const char *cache)
{
    weft_device *dev = NULL;
    weft_model *model = NULL;
    weft_session *s = NULL;
    state_data got;
    (void) cache;
    weft_result r = state_net(ctx, &model);
    if (r == WEFT_OK) r = weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .validate = validate }, &dev);
    ctx->outside = outside, ctx->outside_user = f; // opening has its faults above
    if (r == WEFT_OK) r = weft_session_create(dev, model, NULL, &s);
    if (r == WEFT_OK) r = state_run(s, &got);
    if (r == WEFT_OK && !state_equal(&got, &want_states)) r = WEFT_ERR_NUMERIC;
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    weft_model_destroy(&model);
    return r;
}

// What becomes of a second session does nothing to the first, whose weights it shares.
static weft_result live_beside(fault *f, weft_context *ctx, const char *cache)
{
    weft_device *dev = NULL;
    weft_model *model = NULL;
    weft_session *first = NULL, *same = NULL, *fast = NULL;
    net_data got;
    (void) cache;
    net_fill(&got);
    weft_result r = small_net(ctx, &model);
    if (r == WEFT_OK) r = weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .validate = validate }, &dev);
    if (r == WEFT_OK) r = weft_session_create(dev, model, NULL, &first);
    if (r != WEFT_OK) return weft_device_destroy(&dev), weft_model_destroy(&model), r;
    ctx->outside = outside, ctx->outside_user = f;
    r = weft_session_create(dev, model, NULL, &same);
    if (r == WEFT_OK) r = weft_session_create(dev, model, &(weft_session_params) { .precision = WEFT_FAST }, &fast);
    ctx->outside = NULL;
    char text[512]; // of the failure
    snprintf(text, sizeof text, "%s", weft_error_text());
    weft_session_destroy(&same);
    weft_session_destroy(&fast);
    const weft_result still = net_run(first, &got);
    if (still != WEFT_OK || !net_equal(&got, &want, 1e-5)) printf("the first session is broken: %s\n", weft_error_text()), r = WEFT_ERR_NUMERIC;
    else if (r != WEFT_OK) weft_fail(r, "%s", text);
    weft_session_destroy(&first);
    weft_device_destroy(&dev);
    weft_model_destroy(&model);
    return r;
}

typedef weft_result life(fault *f, weft_context *ctx, const char *cache);

static weft_result whole_life(life *live_, fault *f, const char *cache)
{
    weft_context *ctx = NULL;
    const weft_context_params params = { .log = listen, .log_user = f, .log_level = WEFT_LOG_WARN, .allocator = { count, f }, .threads = 1 };
    weft_result r = weft_context_create(&params, &ctx);
    if (r == WEFT_OK) r = live_(f, ctx, cache);
    weft_context_destroy(&ctx);
    return r;
}

static const int *errors_of(const char *call)
{
    int i = 0;
    while (legal[i].call && strcmp(legal[i].call, call)) i++;
    return legal[i].errors;
}

// What the caller must be told. OK is right where weft has another way: the cache is a convenience, memory has several types.
static bool right(const fault *f, weft_result r)
{
    const bool convenience = !strcmp(f->name, "vkGetPipelineCacheData");
    if (convenience) return r == WEFT_OK;
    if (!strcmp(f->name, "vkAllocateMemory") && f->error == V && r == WEFT_OK) return true;
    if (f->error == VK_ERROR_OUT_OF_HOST_MEMORY) return r == WEFT_ERR_MEMORY;
    if (f->error == VK_ERROR_OUT_OF_DEVICE_MEMORY) return r == WEFT_ERR_VRAM;
    if (f->error == VK_ERROR_DEVICE_LOST) return r == WEFT_ERR_DEVICE_LOST;
    return r != WEFT_OK && r != WEFT_ERR_NUMERIC;
}

static int try_one(life *live_, int at, int error, const char *cache, char name[64])
{
    fault f = { .at = at, .error = error };
    remove(cache);
    const weft_result r = whole_life(live_, &f, cache);
    const char *text = weft_error_text();
    strcpy(name, f.name);
    if (right(&f, r) && (r == WEFT_OK || *text) && !f.messages && !f.allocations) return 0;
    printf("FAIL call %d, %s, with VkResult %d: gives %s (%s), %d messages, %d blocks not freed\n", at, f.name, error, weft_result_name(r), text,
           f.messages, f.allocations);
    return 1;
}

static int try_all(life *live_, const char *what, const char *cache)
{
    fault clean = { .at = -1 };
    char name[64];
    int bad = 0, faults = 0;
    const weft_result r = whole_life(live_, &clean, cache);
    if (r == WEFT_ERR_NO_DEVICE) return printf("skip: %s\n", weft_error_text()), 0;
    if (r != WEFT_OK || clean.messages || clean.allocations)
        return printf("FAIL %s without any fault: %s: %s\n", what, weft_result_name(r), weft_error_text()), 1;
    for (int at = 0; at < clean.calls; at++) {
        int first[6] = { VK_ERROR_OUT_OF_HOST_MEMORY };
        faults++;
        bad += try_one(live_, at, first[0], cache, name); // says the name of the call, which says what else it may give
        for (const int *e = errors_of(name) + 1; *e; e++, faults++) bad += try_one(live_, at, *e, cache, name);
    }
    fault again = { .at = -1 };
    if (whole_life(live_, &again, cache) != WEFT_OK) printf("FAIL %s: the last life, without a fault: %s\n", what, weft_error_text()), bad++;
    printf("%s: %d calls, %d faults, %d bad\n", what, clean.calls, faults, bad);
    return bad;
}

int main(int argc, char **argv)
{
    weft_context *ctx = NULL;
    weft_model *model = NULL;
    char folder[32], cache[64];
    validate = argc < 2 || strcmp(argv[1], "--no-validation");
    if (weft_context_create(NULL, &ctx) || small_net(ctx, &model) || net_reference(ctx, model, &want)) return 1;
    weft_model_destroy(&model);
    if (state_net(ctx, &model) || state_reference(ctx, model, &want_states)) return 1;
    weft_model_destroy(&model);
    weft_context_destroy(&ctx);
    strcpy(folder, access("/dev/shm", W_OK) ? "/tmp/weft-fault-XXXXXX" : "/dev/shm/weft-fault-XXXXXX"); // not a disk: written often
    if (!mkdtemp(folder)) return 1;
    snprintf(cache, sizeof cache, "%s/cache", folder);
    int bad = try_all(live, "a session", cache);
    bad += try_all(live_with_states, "states", cache);
    bad += try_all(live_beside, "a session beside another", cache);
    remove(cache);
    rmdir(folder);
    return bad != 0;
}
