// SPDX-License-Identifier: MIT
#include "vk/binaries.h"
#include "vk/cache.h"
#include "vk/kernel.h"
#include <string.h>

enum { MOST_BYTES = 64 << 20 }; // of a file's section: what no run asked for lately goes

typedef struct item_head { // in the file, before each binary
    weft_vk_key key;
    uint32_t bytes;
} item_head;

typedef struct item {
    item_head head;
    const void *data;
    void *own;  // the same, or NULL: it lies in the file
    bool used;  // in this run
} item;

struct weft_vk_binaries {
    weft_vk_device *dev;
    pthread_mutex_t lock; // of what follows
    weft_vk_kept kept;
    item *items;
    int count, room;
    bool changed;
};

static weft_result add(weft_vk_binaries *b, const item *one)
{
    if (b->count == b->room) {
        item *more = weft_resize(b->dev->ctx, b->items, sizeof *more * (size_t) (2 * b->room + 64));
        if (!more) return WEFT_ERR_MEMORY;
        b->items = more, b->room = 2 * b->room + 64;
    }
    b->items[b->count++] = *one;
    return WEFT_OK;
}

// The data begin with the hash of all kernels, whose places in the table are in the keys: a weft with others starts anew.
static weft_result read_items(weft_vk_binaries *b)
{
    const char *p = b->kept.data;
    size_t left = b->kept.bytes;
    uint64_t kernels;
    if (left < sizeof kernels) return WEFT_OK;
    memcpy(&kernels, p, sizeof kernels);
    if (kernels != weft_kernels_hash) return WEFT_OK;
    for (p += sizeof kernels, left -= sizeof kernels; left >= sizeof(item_head);) {
        item one = { .data = p + sizeof(item_head) };
        memcpy(&one.head, p, sizeof one.head);
        if (one.head.bytes > left - sizeof one.head) return weft_vk_cache_refuse(b->dev, "is damaged"), WEFT_OK;
        WEFT_TRY(add(b, &one));
        p += sizeof one.head + one.head.bytes;
        left -= sizeof one.head + one.head.bytes;
    }
    return WEFT_OK;
}

weft_result weft_vk_binaries_create(weft_vk_device *dev, weft_vk_binaries **out)
{
    weft_vk_binaries *b = *out = weft_new(dev->ctx, sizeof *b);
    if (!b) return WEFT_ERR_MEMORY;
    b->dev = dev;
    pthread_mutex_init(&b->lock, NULL);
    weft_vk_cache_open(dev, WEFT_VK_BINARIES, &b->kept);
    return read_items(b);
}

// What this run asked for first, then what came from the file, as long as there is room.
static size_t gather(const weft_vk_binaries *b, char *out)
{
    size_t bytes = sizeof weft_kernels_hash;
    if (out) memcpy(out, &weft_kernels_hash, sizeof weft_kernels_hash);
    for (int used = 1; used >= 0; used--)
        for (int i = 0; i < b->count; i++) {
            const item *one = &b->items[i];
            const size_t size = sizeof one->head + one->head.bytes;
            if (one->used != used || size > MOST_BYTES - bytes) continue;
            if (out) {
                memcpy(out + bytes, &one->head, sizeof one->head);
                memcpy(out + bytes + sizeof one->head, one->data, one->head.bytes);
            }
            bytes += size;
        }
    return bytes;
}

static void save(const weft_vk_binaries *b)
{
    const size_t bytes = gather(b, NULL);
    char *data = weft_new(b->dev->ctx, bytes);
    if (!data) weft_log(b->dev->ctx, WEFT_LOG_WARN, "the pipeline cache is not saved: %s", weft_error_text());
    else gather(b, data), weft_vk_cache_write(b->dev, WEFT_VK_BINARIES, data, bytes);
    weft_delete(b->dev->ctx, data);
}

void weft_vk_binaries_destroy(weft_vk_binaries *b)
{
    if (!b) return;
    if (b->changed && b->dev->cache_path) save(b);
    for (int i = 0; i < b->count; i++) weft_delete(b->dev->ctx, b->items[i].own);
    weft_delete(b->dev->ctx, b->items);
    weft_vk_cache_close(&b->kept);
    pthread_mutex_destroy(&b->lock);
    weft_delete(b->dev->ctx, b);
}

static item *find(weft_vk_binaries *b, const weft_vk_key *key)
{
    for (int i = 0; i < b->count; i++)
        if (!memcmp(&b->items[i].head.key, key, sizeof *key)) return &b->items[i];
    return NULL;
}

weft_result weft_vk_binaries_find(weft_vk_binaries *b, const weft_vk_key *key, void **data, size_t *bytes)
{
    weft_result r = WEFT_OK;
    *data = NULL, *bytes = 0;
    pthread_mutex_lock(&b->lock);
    item *one = find(b, key);
    if (one && one->head.bytes) {
        one->used = true;
        *bytes = one->head.bytes;
        *data = weft_new(b->dev->ctx, *bytes);
        if (*data) memcpy(*data, one->data, *bytes);
        else r = WEFT_ERR_MEMORY;
    }
    pthread_mutex_unlock(&b->lock);
    return r;
}

weft_result weft_vk_binaries_add(weft_vk_binaries *b, const weft_vk_key *key, void *data, size_t bytes)
{
    const item fresh = { { *key, (uint32_t) bytes }, data, data, true };
    if (bytes > MOST_BYTES) return weft_delete(b->dev->ctx, data), WEFT_OK;
    pthread_mutex_lock(&b->lock);
    item *old = find(b, key); // one that the driver does not take any more
    if (old) weft_delete(b->dev->ctx, old->own), *old = fresh;
    const weft_result r = old ? WEFT_OK : add(b, &fresh);
    b->changed |= r == WEFT_OK;
    pthread_mutex_unlock(&b->lock);
    if (r != WEFT_OK) weft_delete(b->dev->ctx, data);
    return r;
}
