// SPDX-License-Identifier: MIT
#include "vk/kernel.h"
#include "base/threads.h"
#include "vk/compile.h"
#include <stdio.h>
#include <string.h>

extern const struct weft_kernel_spirv { // made at build time by tools/build/spvpack.c; ends with {0}
    const char *name; // "kernel.variant"
    const uint32_t *words;
    size_t bytes;
} weft_kernels_spirv[];

typedef struct entry {
    weft_vk_key key;
    weft_vk_compiled made; // neither: some thread is making it
} entry;

struct weft_vk_kernels {
    weft_vk_device *dev;
    pthread_mutex_t lock; // of all below
    pthread_cond_t made;  // a kernel, or the failure of one
    VkShaderModule *modules; // by position in the table
    int kernel_count;
    VkDescriptorSetLayout set_layout[WEFT_MAX_BIND + 1]; // by number of bindings
    VkPipelineLayout layout[WEFT_MAX_BIND + 1];
    weft_vk_compiler *compiler;
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
    pthread_cond_init(&k->made, NULL);
    while (weft_kernels_spirv[k->kernel_count].name) k->kernel_count++;
    k->modules = weft_new(dev->ctx, sizeof *k->modules * (size_t) (k->kernel_count + 1));
    return k->modules ? weft_vk_compiler_create(dev, &k->compiler) : WEFT_ERR_MEMORY;
}

void weft_vk_kernels_destroy(weft_vk_kernels *k)
{
    if (!k) return;
    weft_vk_device *dev = k->dev;
    weft_vk_compiler_destroy(k->compiler);
    for (int i = 0; i < k->count; i++) weft_vk_compiled_destroy(dev, &k->entries[i].made);
    for (int i = 0; i < k->kernel_count && k->modules; i++)
        if (k->modules[i]) dev->vk.vkDestroyShaderModule(dev->device, k->modules[i], NULL);
    for (int i = 0; i <= WEFT_MAX_BIND; i++) {
        if (k->layout[i]) dev->vk.vkDestroyPipelineLayout(dev->device, k->layout[i], NULL);
        if (k->set_layout[i]) dev->vk.vkDestroyDescriptorSetLayout(dev->device, k->set_layout[i], NULL);
    }
    weft_delete(dev->ctx, k->entries);
    weft_delete(dev->ctx, k->modules);
    pthread_cond_destroy(&k->made);
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
        const VkPipelineLayoutCreateInfo info = { VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, 1, &k->set_layout[binds], 1,
                                                  &weft_vk_params_range };
        VK_TRY(&dev->vk, vkCreatePipelineLayout, dev->device, &info, NULL, &k->layout[binds]);
    }
    return WEFT_OK;
}

static weft_result make_module(weft_vk_kernels *k, int kernel)
{
    const VkShaderModuleCreateInfo info = { VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, NULL, 0, weft_kernels_spirv[kernel].bytes,
                                            weft_kernels_spirv[kernel].words };
    if (!k->modules[kernel] && !k->dev->shader_objects) VK_TRY(&k->dev->vk, vkCreateShaderModule, k->dev->device, &info, NULL, &k->modules[kernel]);
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

static int find(const weft_vk_kernels *k, const weft_vk_key *key)
{
    for (int i = 0; i < k->count; i++)
        if (!memcmp(&k->entries[i].key, key, sizeof *key)) return i;
    return -1;
}

static weft_result add(weft_vk_kernels *k, const weft_vk_key *key)
{
    if (k->count == k->room) {
        entry *more = weft_resize(k->dev->ctx, k->entries, sizeof *more * (size_t) (2 * k->room + 32));
        if (!more) return WEFT_ERR_MEMORY;
        k->entries = more, k->room = 2 * k->room + 32;
    }
    WEFT_TRY(make_layouts(k, (int) key->bind_count));
    WEFT_TRY(make_module(k, key->kernel));
    k->entries[k->count++] = (entry) { *key, { VK_NULL_HANDLE, VK_NULL_HANDLE } };
    return WEFT_OK;
}

// With the lock held, which is given up while the driver compiles.
static weft_result find_or_make(weft_vk_kernels *k, const weft_vk_key *key, weft_vk_compiled *out, int *made)
{
    int at;
    while ((at = find(k, key)) >= 0) {
        *out = k->entries[at].made;
        if (out->pipeline || out->shader) return WEFT_OK;
        pthread_cond_wait(&k->made, &k->lock); // another thread makes it, or fails and takes the entry away
    }
    WEFT_TRY(add(k, key));
    const weft_vk_source source = { *key, weft_kernels_spirv[key->kernel].words, weft_kernels_spirv[key->kernel].bytes, k->modules[key->kernel],
                                    k->set_layout[key->bind_count], k->layout[key->bind_count] };
    pthread_mutex_unlock(&k->lock);
    const weft_result r = weft_vk_compile(k->compiler, &source, out);
    pthread_mutex_lock(&k->lock);
    at = find(k, key);
    if (r == WEFT_OK) k->entries[at].made = *out, ++*made;
    else k->entries[at] = k->entries[--k->count];
    pthread_cond_broadcast(&k->made);
    return r;
}

static weft_result make_key(const weft_vk_kernels *k, const weft_vk_want *want, weft_vk_key *out)
{
    const weft_dispatch *d = want->dispatch;
    memset(out, 0, sizeof *out); // compared as bytes
    WEFT_TRY(find_kernel(d->kernel, want->variant, &out->kernel));
    WEFT_TRY(check_limits(k->dev, d));
    out->bind_count = (uint32_t) d->bind_count, out->spec_count = (uint32_t) d->spec_count, out->subgroup = d->subgroup;
    memcpy(out->group, d->group, sizeof out->group);
    memcpy(out->spec, d->spec, sizeof out->spec[0] * (size_t) d->spec_count);
    return WEFT_OK;
}

static weft_result get(weft_vk_kernels *k, const weft_vk_key *key, weft_vk_pipeline *out, int *made)
{
    pthread_mutex_lock(&k->lock);
    const weft_result r = find_or_make(k, key, &out->made, made);
    out->layout = k->layout[key->bind_count], out->set_layout = k->set_layout[key->bind_count];
    pthread_mutex_unlock(&k->lock);
    return r;
}

typedef struct batch {
    weft_vk_kernels *k;
    weft_vk_want *wants;
    weft_vk_key *keys; // of the wants
    int *list; // wants of different kernels
    int count, made;
    pthread_mutex_t lock; // of what follows: the failure of the first want in the list, whichever thread met it
    weft_result failed;
    int failed_at;
    char text[1024];
} batch;

static void note_failure(batch *b, weft_result r, int at)
{
    pthread_mutex_lock(&b->lock); // the error text is the thread's own
    if (b->failed == WEFT_OK || at < b->failed_at) {
        b->failed = r, b->failed_at = at;
        snprintf(b->text, sizeof b->text, "%s", weft_error_text());
    }
    pthread_mutex_unlock(&b->lock);
}

static void get_some(void *user, int64_t begin, int64_t end)
{
    batch *b = user;
    for (int64_t i = begin; i < end; i++) {
        weft_vk_pipeline p;
        int made = 0;
        const weft_result r = get(b->k, &b->keys[b->list[i]], &p, &made);
        if (r != WEFT_OK) note_failure(b, r, b->list[i]);
        b->wants[b->list[i]].refused = r == WEFT_ERR_UNSUPPORTED;
        pthread_mutex_lock(&b->lock);
        b->made += made;
        pthread_mutex_unlock(&b->lock);
    }
}

static bool is_there(weft_vk_kernels *k, const weft_vk_key *key)
{
    pthread_mutex_lock(&k->lock);
    const bool there = find(k, key) >= 0; // or under way on another thread
    pthread_mutex_unlock(&k->lock);
    return there;
}

// One want of each kernel that is not there yet, those that are longest to compile first.
static weft_result list_kernels(batch *b, int count)
{
    for (int i = 0; i < count; i++) {
        const weft_result r = make_key(b->k, &b->wants[i], &b->keys[i]);
        if (r != WEFT_OK) return note_failure(b, r, i), r;
        int at = 0;
        while (at < b->count && memcmp(&b->keys[b->list[at]], &b->keys[i], sizeof *b->keys)) at++;
        if (at < b->count || is_there(b->k, &b->keys[i])) continue;
        for (at = b->count++; at > 0; at--) { // few: kept sorted
            if (weft_kernels_spirv[b->keys[b->list[at - 1]].kernel].bytes >= weft_kernels_spirv[b->keys[i].kernel].bytes) break;
            b->list[at] = b->list[at - 1];
        }
        b->list[at] = i;
    }
    return WEFT_OK;
}

static weft_result get_all(batch *b, int count, weft_vk_pipeline *out)
{
    WEFT_TRY(list_kernels(b, count));
    weft_parallel(b->k->dev->ctx->pool, b->count, 1, get_some, b);
    for (int i = 0; i < count && b->failed == WEFT_OK; i++) {
        const weft_result r = get(b->k, &b->keys[i], &out[i], &b->made);
        if (r != WEFT_OK) note_failure(b, r, i);
    }
    return b->failed;
}

// Wants of the same kernel share its fate.
static void spread_refusals(batch *b, int count)
{
    for (int l = 0; l < b->count; l++)
        for (int i = 0; i < count && b->wants[b->list[l]].refused; i++)
            if (!memcmp(&b->keys[i], &b->keys[b->list[l]], sizeof *b->keys)) b->wants[i].refused = true;
}

weft_result weft_vk_kernels_get(weft_vk_kernels *k, weft_vk_want *wants, int count, weft_vk_pipeline *out, int *made)
{
    batch b = { .k = k, .wants = wants, .keys = weft_new(k->dev->ctx, sizeof *b.keys * (size_t) (count + 1)),
                .list = weft_new(k->dev->ctx, sizeof *b.list * (size_t) (count + 1)) };
    pthread_mutex_init(&b.lock, NULL);
    const weft_result r = b.keys && b.list ? get_all(&b, count, out) : WEFT_ERR_MEMORY;
    if (r == WEFT_ERR_UNSUPPORTED) spread_refusals(&b, count);
    pthread_mutex_destroy(&b.lock);
    weft_delete(k->dev->ctx, b.keys);
    weft_delete(k->dev->ctx, b.list);
    if (made) *made = b.made;
    if (r == WEFT_OK || b.failed == WEFT_OK) return r;
    const weft_vk_want *w = &wants[b.failed_at];
    return weft_fail(r, "%s '%s': kernel %s: %s", w->node->op->name, w->node->name, w->dispatch->kernel, b.text);
}

void weft_vk_bind_kernel(const weft_vk_device *dev, VkCommandBuffer cmd, const weft_vk_pipeline *kernel)
{
    const VkShaderStageFlagBits stage = VK_SHADER_STAGE_COMPUTE_BIT;
    if (kernel->made.shader) dev->vk.vkCmdBindShadersEXT(cmd, 1, &stage, &kernel->made.shader);
    else dev->vk.vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, kernel->made.pipeline);
}
