// SPDX-License-Identifier: MIT
#include "vk/cache.h"
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

// The file is a row of sections, one per device, driver and form, the one written last first. Drivers check their own data, but
// some crash on what was cut or mixed up: so each section has a header of our own, with a checksum.
typedef struct header {
    char magic[8];
    uint32_t vendor, device, driver_version, pointer_bits;
    uint8_t uuid[16]; // pipelineCacheUUID
    uint64_t form;    // weft_vk_form
    uint64_t bytes;   // of the data, which follow
    uint64_t checksum; // of all before this, and of the data
} header;
enum { MAX_SECTIONS = 8 }; // older ones are left out
static const char MAGIC[8] = { 'w', 'e', 'f', 't', '-', 'v', 'k', '2' };

typedef struct section {
    header header;
    const void *data;
} section;

static uint64_t section_checksum(const section *s)
{
    return XXH3_64bits_withSeed(s->data ? s->data : "", (size_t) s->header.bytes, XXH3_64bits(&s->header, offsetof(header, checksum)));
}

static section own_section(const weft_vk_device *dev, weft_vk_form form, const void *data, size_t bytes)
{
    section s;
    VkPhysicalDeviceProperties props;
    memset(&s, 0, sizeof s);
    memcpy(s.header.magic, MAGIC, sizeof MAGIC);
    dev->vk.vkGetPhysicalDeviceProperties(dev->physical, &props);
    s.header.vendor = props.vendorID, s.header.device = props.deviceID;
    s.header.driver_version = props.driverVersion, s.header.pointer_bits = 8 * sizeof(void *);
    memcpy(s.header.uuid, props.pipelineCacheUUID, sizeof s.header.uuid);
    s.header.form = form, s.header.bytes = bytes, s.data = data;
    s.header.checksum = section_checksum(&s);
    return s;
}

static bool same_owner(const section *a, const section *b)
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
        if (memcmp(s.header.magic, MAGIC, sizeof MAGIC - 1)) return "is no pipeline cache of weft";
        if (memcmp(s.header.magic, MAGIC, sizeof MAGIC)) return *count = 0, NULL; // of another version: written anew
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

void weft_vk_cache_refuse(weft_vk_device *dev, const char *why)
{
    weft_log(dev->ctx, WEFT_LOG_WARN, "pipeline cache %s %s: starting with an empty one", dev->cache_path, why);
}

void weft_vk_cache_open(weft_vk_device *dev, weft_vk_form form, weft_vk_kept *out)
{
    section list[MAX_SECTIONS];
    int count;
    *out = (weft_vk_kept) { 0 };
    if (!dev->cache_path) return;
    const section own = own_section(dev, form, NULL, 0);
    const char *wrong = open_file(dev, &out->file, list, &count);
    for (int i = 0; i < count && !out->data; i++)
        if (same_owner(&list[i], &own)) out->data = list[i].data, out->bytes = (size_t) list[i].header.bytes;
    if (wrong) weft_vk_cache_refuse(dev, wrong);
}

void weft_vk_cache_close(weft_vk_kept *kept)
{
    weft_file_unmap(&kept->file);
    *kept = (weft_vk_kept) { 0 };
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

void weft_vk_cache_write(weft_vk_device *dev, weft_vk_form form, const void *data, size_t bytes)
{
    weft_mapping file;
    section others[MAX_SECTIONS];
    int count;
    sections all = { { own_section(dev, form, data, bytes) }, 1 };
    open_file(dev, &file, others, &count); // what is wrong was said before
    for (int i = 0; i < count && all.count < MAX_SECTIONS; i++)
        if (!same_owner(&others[i], &all.list[0])) all.list[all.count++] = others[i];
    if (weft_file_replace(dev->ctx, dev->cache_path, write_sections, &all) != WEFT_OK)
        weft_log(dev->ctx, WEFT_LOG_WARN, "the pipeline cache is not saved: %s", weft_error_text());
    weft_file_unmap(&file);
}
