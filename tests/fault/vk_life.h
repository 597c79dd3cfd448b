// SPDX-License-Identifier: MIT
// For tests whose subject is a life of a device and its sessions, in which the n-th call of the Vulkan driver fails, with each error it may
// give, for every n: the code and a sentence come back, everything is freed, the validation layer stays silent, and the next life is healthy.
// Write a `life`, whose calls count from where it sets ctx->outside = outside, ctx->outside_user = f, and give it to fault_test.
#pragma once
#include "base/context.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vulkan/vulkan_core.h>
#include <weft/session.h>

// The errors that the specification lets each call give, by name, M first; the last row is for all others.
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

static bool validate = true;

// cache: a file that is not there yet.
typedef weft_result life(fault *f, weft_context *ctx, const char *cache);

static weft_result whole_life(life *live, fault *f, const char *cache)
{
    weft_context *ctx = NULL;
    const weft_context_params params = { .log = listen, .log_user = f, .log_level = WEFT_LOG_WARN, .allocator = { count, f }, .threads = 1 };
    weft_result r = weft_context_create(&params, &ctx);
    if (r == WEFT_OK) r = live(f, ctx, cache);
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

static bool try_one(life *live, int at, int error, const char *cache, char name[64])
{
    fault f = { .at = at, .error = error };
    remove(cache);
    const weft_result r = whole_life(live, &f, cache);
    const char *text = weft_error_text();
    strcpy(name, f.name);
    if (right(&f, r) && (r == WEFT_OK || *text) && !f.messages && !f.allocations) return true;
    printf("FAIL call %d, %s, with VkResult %d: gives %s (%s), %d messages, %d blocks not freed\n", at, f.name, error, weft_result_name(r), text,
           f.messages, f.allocations);
    return false;
}

// What a child says of itself, before every life and at its end.
typedef struct word {
    int calls; // of a life without a fault
    int at, error, faults, bad;
    bool no_device, done;
} word;

static bool healthy(life *live, const char *cache, word *w)
{
    fault clean = { .at = -1 };
    remove(cache);
    const weft_result r = whole_life(live, &clean, cache);
    w->calls = clean.calls, w->no_device = r == WEFT_ERR_NO_DEVICE;
    if (w->no_device) printf("skip: %s\n", weft_error_text());
    else if (r != WEFT_OK || clean.messages || clean.allocations)
        printf("FAIL a life without a fault: %s: %s\n", weft_result_name(r), weft_error_text()), w->bad++;
    return r == WEFT_OK;
}

static void say(int pipe, const word *w)
{
    if (write(pipe, w, sizeof *w) != sizeof *w) exit(2);
}

// Calls [from, end) fail; then a life without a fault.
static void try_some(life *live, int from, int end, const char *cache, int pipe)
{
    word w = { 0 };
    for (int at = from; at < end; at++) {
        char name[64] = ""; // of the call, which says what it may give besides the first
        for (int e = 0; !e || errors_of(name)[e]; e++, w.faults++) {
            w.at = at, w.error = errors_of(name)[e];
            say(pipe, &w);
            w.bad += !try_one(live, at, w.error, cache, name);
        }
    }
    w.at = -1;
    say(pipe, &w);
    healthy(live, cache, &w);
    w.done = true;
    say(pipe, &w);
}

// In a process of its own: the word it leaves.
static word in_child(life *live, int from, int end, const char *cache)
{
    int ends[2], status = 0;
    word w = { 0 }, next;
    fflush(stdout);
    const pid_t child = pipe(ends) ? -1 : fork();
    if (child < 0) return perror("FAIL fork"), (word) { .bad = 1 };
    if (!child) {
        close(ends[0]);
        try_some(live, from, end, cache, ends[1]);
        exit(0);
    }
    close(ends[1]);
    while (read(ends[0], &next, sizeof next) == sizeof next) w = next;
    close(ends[0]);
    if (waitpid(child, &status, 0) == child && status == 0 && w.done) return w;
    printf("FAIL call %d with VkResult %d ends the process (status %d)\n", w.at, w.error, status);
    return w.bad++, w;
}

// A few calls for each process. A life loads the driver and the layers and unloads them again, and the C library keeps a list of all that
// libraries ask for at a process's end, which it walks whenever one goes: in a single process, hundreds of lives took minutes of that alone.
// And a crash is one failure that has a name, not the end of the test.
enum { CALLS_OF_A_PROCESS = 8 };

static int try_all(life *live, const char *what, const char *cache)
{
    const word clean = in_child(live, 0, 0, cache);
    int bad = clean.bad, faults = 0;
    if (clean.no_device) return 0;
    for (int from = 0; from < clean.calls;) {
        const int end = from + CALLS_OF_A_PROCESS < clean.calls ? from + CALLS_OF_A_PROCESS : clean.calls;
        const word w = in_child(live, from, end, cache);
        bad += w.bad, faults += w.faults;
        from = !w.done && w.at >= from ? w.at + 1 : end; // past a call that ends the process
    }
    if (!clean.calls) printf("FAIL no call is seen\n"), bad++;
    printf("%s: %d calls, %d faults, %d bad\n", what, clean.calls, faults, bad);
    return bad;
}

typedef weft_result learn(weft_context *ctx); // what a life without a fault gives

// The test's status. --no-validation: for a quick look without the layers.
static int fault_test(learn *want, life *live, const char *what, int argc, char **argv)
{
    char folder[32], cache[64];
    weft_context *ctx = NULL;
    if (weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx) || want(ctx)) return 1;
    weft_context_destroy(&ctx);
    validate = argc < 2 || strcmp(argv[1], "--no-validation");
    strcpy(folder, access("/dev/shm", W_OK) ? "/tmp/weft-fault-XXXXXX" : "/dev/shm/weft-fault-XXXXXX"); // not a disk: written often
    if (!mkdtemp(folder)) return 1;
    snprintf(cache, sizeof cache, "%s/cache", folder);
    const int bad = try_all(live, what, cache);
    remove(cache);
    rmdir(folder);
    return bad != 0;
}
