// SPDX-License-Identifier: MIT
#include "vk/cache.h"
#include "base/file.h"
#include <string.h>
#include <unistd.h>

// Drivers check their own data, but some crash on what was cut or mixed up: so a header of our own, with a checksum.
typedef struct header {
    char magic[8];
    uint32_t vendor, device, driver_version, abi_bits;
    uint8_t uuid[16]; // pipelineCacheUUID
    uint64_t bytes, checksum; // of the driver's data, which follows
} header;

static uint64_t checksum(const void *data, size_t bytes) // FNV-1a
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++) h = (h ^ ((const uint8_t *) data)[i]) * 0x100000001b3u;
    return h;
}

static header header_of(const weft_vk_device *dev, const void *data, size_t bytes)
{
    header h;
    VkPhysicalDeviceProperties props;
    memset(&h, 0, sizeof h);
    memcpy(h.magic, "weft-vk1", 8);
    dev->vk.vkGetPhysicalDeviceProperties(dev->physical, &props);
    h.vendor = props.vendorID, h.device = props.deviceID, h.driver_version = props.driverVersion, h.abi_bits = 8 * sizeof(void *);
    memcpy(h.uuid, props.pipelineCacheUUID, sizeof h.uuid);
    h.bytes = bytes, h.checksum = checksum(data, bytes);
    return h;
}

// NULL: usable; otherwise what is wrong with it.
static const char *judge(const weft_vk_device *dev, const weft_mapping *file)
{
    header h, want;
    if (file->bytes < sizeof h) return "is too short";
    memcpy(&h, file->data, sizeof h);
    if (memcmp(h.magic, "weft-vk1", 8)) return "is no pipeline cache of weft";
    if (h.bytes != file->bytes - sizeof h) return "is cut off";
    want = header_of(dev, (const char *) file->data + sizeof h, (size_t) h.bytes);
    if (want.checksum != h.checksum) return "is damaged";
    return memcmp(&h, &want, sizeof h) ? "was made by another device or driver" : NULL;
}

static VkResult create(const weft_vk_device *dev, const void *data, size_t bytes, VkPipelineCache *out)
{
    const VkPipelineCacheCreateInfo info = { VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, NULL, 0, bytes, data };
    VkResult r;
    VK_SET(r, &dev->vk, vkCreatePipelineCache, dev->device, &info, NULL, out);
    return r;
}

weft_result weft_vk_cache_create(weft_vk_device *dev, VkPipelineCache *out, size_t *loaded_bytes)
{
    weft_mapping file = { 0 };
    VkResult r = VK_ERROR_UNKNOWN;
    *loaded_bytes = 0;
    if (dev->cache_path && !access(dev->cache_path, F_OK)) {
        const char *wrong = weft_file_map(dev->cache_path, &file) == WEFT_OK ? judge(dev, &file) : "cannot be read";
        if (wrong) weft_log(dev->ctx, WEFT_LOG_WARN, "pipeline cache %s %s: starting with an empty one", dev->cache_path, wrong);
        else r = create(dev, (const char *) file.data + sizeof(header), file.bytes - sizeof(header), out);
        if (!wrong && r == VK_SUCCESS) *loaded_bytes = file.bytes - sizeof(header);
        else if (!wrong) weft_log(dev->ctx, WEFT_LOG_WARN, "pipeline cache %s is not taken by the driver: starting with an empty one", dev->cache_path);
        weft_file_unmap(&file);
    }
    if (r != VK_SUCCESS) r = create(dev, NULL, 0, out);
    return r == VK_SUCCESS ? WEFT_OK : weft_vk_fail(r, "vkCreatePipelineCache");
}

typedef struct content { header header; const void *data; } content;

static weft_result write_content(weft_file_writer *w, void *user)
{
    const content *c = user;
    WEFT_TRY(weft_file_put(w, &c->header, sizeof c->header));
    return weft_file_put(w, c->data, (size_t) c->header.bytes);
}

static weft_result save(weft_vk_device *dev, VkPipelineCache cache, size_t loaded_bytes)
{
    size_t bytes = 0;
    VK_TRY(&dev->vk, vkGetPipelineCacheData, dev->device, cache, &bytes, NULL);
    if (!bytes || bytes == loaded_bytes) return WEFT_OK;
    void *data = weft_new(dev->ctx, bytes);
    if (!data) return WEFT_ERR_MEMORY;
    VkResult r;
    VK_SET(r, &dev->vk, vkGetPipelineCacheData, dev->device, cache, &bytes, data);
    weft_result q = r == VK_SUCCESS ? WEFT_OK : weft_vk_fail(r, "vkGetPipelineCacheData");
    if (q == WEFT_OK) {
        content c = { header_of(dev, data, bytes), data };
        q = weft_file_replace(dev->ctx, dev->cache_path, write_content, &c);
    }
    weft_delete(dev->ctx, data);
    return q;
}

void weft_vk_cache_save(weft_vk_device *dev, VkPipelineCache cache, size_t loaded_bytes)
{
    if (!dev->cache_path || !cache) return;
    if (save(dev, cache, loaded_bytes) != WEFT_OK) weft_log(dev->ctx, WEFT_LOG_WARN, "the pipeline cache is not saved: %s", weft_error_text());
}
