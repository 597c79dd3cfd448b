// SPDX-License-Identifier: MIT
#include "vk/cache.h"
#include "base/file.h"
#include "base/fnv.h"
#include <string.h>
#include <unistd.h>

// The file is a row of sections, one per device and driver, the one used last first. Drivers check their own data, but
// some crash on what was cut or mixed up: so each section has a header of our own, with a checksum.
typedef struct header {
    char magic[8];
    uint32_t vendor, device, driver_version, pointer_bits;
    uint8_t uuid[16]; // pipelineCacheUUID
    uint64_t bytes;   // of the driver's data, which follows
    uint64_t checksum; // of all before this, and of the data
} header;
enum { MAX_SECTIONS = 8 }; // older ones are left out

typedef struct section {
    header header;
    const void *data;
} section;

static uint64_t section_checksum(const section *s)
{
    return weft_fnv(weft_fnv(WEFT_FNV_BEGIN, &s->header, offsetof(header, checksum)), s->data, (size_t) s->header.bytes);
}

static section own_section(const weft_vk_device *dev, const void *data, size_t bytes)
{
    section s;
    VkPhysicalDeviceProperties props;
    memset(&s, 0, sizeof s);
    memcpy(s.header.magic, "weft-vk1", 8);
    dev->vk.vkGetPhysicalDeviceProperties(dev->physical, &props);
    s.header.vendor = props.vendorID, s.header.device = props.deviceID;
    s.header.driver_version = props.driverVersion, s.header.pointer_bits = 8 * sizeof(void *);
    memcpy(s.header.uuid, props.pipelineCacheUUID, sizeof s.header.uuid);
    s.header.bytes = bytes, s.data = data;
    s.header.checksum = section_checksum(&s);
    return s;
}

static bool same_device(const section *a, const section *b)
{
    return !memcmp(&a->header.vendor, &b->header.vendor, offsetof(header, bytes) - offsetof(header, vendor));
}

// All sections of a file; NULL or what is wrong with the file.
static const char *read_sections(const weft_mapping *file, section list[MAX_SECTIONS], int *count)
{
    const char *p = file->data;
    *count = 0;
    for (size_t left = file->bytes; left;) {
        section s;
        if (*count == MAX_SECTIONS) return "has too many sections";
        if (left < sizeof s.header) return "is cut off";
        memcpy(&s.header, p, sizeof s.header);
        if (memcmp(s.header.magic, "weft-vk1", 8)) return "is no pipeline cache of weft";
        left -= sizeof s.header;
        if (s.header.bytes > left) return "is cut off";
        s.data = p + sizeof s.header;
        if (s.header.checksum != section_checksum(&s)) return "is damaged";
        list[(*count)++] = s;
        left -= (size_t) s.header.bytes;
        p += sizeof s.header + (size_t) s.header.bytes;
    }
    return *count ? NULL : "is empty";
}

static VkResult create(const weft_vk_device *dev, const void *data, size_t bytes, VkPipelineCache *out)
{
    const VkPipelineCacheCreateInfo info = { VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, NULL, 0, bytes, data };
    VkResult r;
    VK_SET(r, &dev->vk, vkCreatePipelineCache, dev->device, &info, NULL, out);
    return r;
}

// Maps the file and finds its sections; count 0 and an empty mapping when there is nothing to use.
static const char *open_file(const weft_vk_device *dev, weft_mapping *file, section list[MAX_SECTIONS], int *count)
{
    *file = (weft_mapping) { 0 };
    *count = 0;
    if (access(dev->cache_path, F_OK)) return NULL;
    const char *wrong = weft_file_map(dev->cache_path, file) == WEFT_OK ? read_sections(file, list, count) : "cannot be read";
    if (wrong) *count = 0;
    return wrong;
}

weft_result weft_vk_cache_create(weft_vk_device *dev, VkPipelineCache *out, size_t *loaded_bytes)
{
    VkResult r = VK_ERROR_UNKNOWN;
    *loaded_bytes = 0;
    if (dev->cache_path) {
        weft_mapping file;
        section list[MAX_SECTIONS];
        int count;
        const section own = own_section(dev, NULL, 0);
        const char *wrong = open_file(dev, &file, list, &count);
        for (int i = 0; i < count; i++) {
            if (!same_device(&list[i], &own)) continue;
            r = create(dev, list[i].data, (size_t) list[i].header.bytes, out);
            if (r == VK_SUCCESS) *loaded_bytes = (size_t) list[i].header.bytes;
            else wrong = "is not taken by the driver";
            break;
        }
        weft_file_unmap(&file);
        if (wrong) weft_log(dev->ctx, WEFT_LOG_WARN, "pipeline cache %s %s: starting with an empty one", dev->cache_path, wrong);
    }
    if (r != VK_SUCCESS) r = create(dev, NULL, 0, out);
    return r == VK_SUCCESS ? WEFT_OK : weft_vk_fail(r, "vkCreatePipelineCache");
}

typedef struct sections { section list[MAX_SECTIONS]; int count; } sections;

static weft_result write_sections(weft_file_writer *w, void *user)
{
    const sections *all = user;
    for (int i = 0; i < all->count; i++) {
        WEFT_TRY(weft_file_put(w, &all->list[i].header, sizeof all->list[i].header));
        WEFT_TRY(weft_file_put(w, all->list[i].data, (size_t) all->list[i].header.bytes));
    }
    return WEFT_OK;
}

// Ours first, then the others' as they are on disk by now.
static weft_result write_file(weft_vk_device *dev, const void *data, size_t bytes)
{
    weft_mapping file;
    section others[MAX_SECTIONS];
    int count;
    sections all = { { own_section(dev, data, bytes) }, 1 };
    open_file(dev, &file, others, &count); // what is wrong was said before
    for (int i = 0; i < count && all.count < MAX_SECTIONS; i++)
        if (!same_device(&others[i], &all.list[0])) all.list[all.count++] = others[i];
    const weft_result r = weft_file_replace(dev->ctx, dev->cache_path, write_sections, &all);
    weft_file_unmap(&file);
    return r;
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
    const weft_result q = r == VK_SUCCESS ? write_file(dev, data, bytes) : weft_vk_fail(r, "vkGetPipelineCacheData");
    weft_delete(dev->ctx, data);
    return q;
}

void weft_vk_cache_save(weft_vk_device *dev, VkPipelineCache cache, size_t loaded_bytes)
{
    if (!dev->cache_path || !cache) return;
    if (save(dev, cache, loaded_bytes) != WEFT_OK) weft_log(dev->ctx, WEFT_LOG_WARN, "the pipeline cache is not saved: %s", weft_error_text());
}
