// SPDX-License-Identifier: MIT
#include "vk/weights.h"
#include "base/threads.h"
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

// Blocks are freed when nothing in them is used: so they are small enough that one shared weight does not keep many others.
enum { STAGING_BYTES = 16 << 20, BLOCK_BYTES = 64 << 20 };

typedef struct key {
    uint64_t hash[2], bytes; // of the numbers as the model has them
    int64_t dim[WEFT_MAX_RANK];
    int32_t rank, dtype, layout, storage;
} key;

typedef struct slab {
    weft_vk_block block;
    int used; // weights in it
} slab;

struct weft_vk_weight {
    key key;
    slab *slab; // NULL: not there yet
    size_t offset, bytes;
    int users;     // of every session as many as it has values for it
    uint64_t turn; // in which it was last taken
};

struct weft_vk_weights {
    weft_vk_device *dev;
    pthread_mutex_t lock; // of all below, and while weights are uploaded
    weft_vk_weight **list;
    int count, room;
    uint64_t turn; // counts calls of take
};

weft_result weft_vk_weights_create(weft_vk_device *dev, weft_vk_weights **out)
{
    weft_vk_weights *w = weft_new(dev->ctx, sizeof *w);
    if (!w) return WEFT_ERR_MEMORY;
    w->dev = dev;
    pthread_mutex_init(&w->lock, NULL);
    *out = w;
    return WEFT_OK;
}

void weft_vk_weights_destroy(weft_vk_weights *w)
{
    if (!w) return;
    pthread_mutex_destroy(&w->lock);
    weft_delete(w->dev->ctx, w->list);
    weft_delete(w->dev->ctx, w);
}

// --- What is the same. -----------------------------------------------------------------------------------------

typedef struct hashing {
    const weft_graph *graph;
    const weft_value *constants;
    key *keys; // of them
} hashing;

static void hash_some(void *user, int64_t begin, int64_t end)
{
    const hashing *h = user;
    for (int64_t i = begin; i < end; i++) {
        const weft_value_def *v = &h->graph->values[h->constants[i]];
        const XXH128_hash_t sum = XXH3_128bits(v->weight->data, v->weight->bytes);
        key *k = &h->keys[i];
        memset(k, 0, sizeof *k); // compared as bytes
        k->hash[0] = sum.low64, k->hash[1] = sum.high64, k->bytes = v->weight->bytes;
        k->rank = v->shape.rank, k->dtype = (int32_t) v->weight->dtype, k->layout = v->layout, k->storage = v->storage;
        for (int d = 0; d < v->shape.rank; d++) k->dim[d] = v->shape.dim[d];
    }
}

static weft_vk_weight *find(const weft_vk_weights *w, const key *k)
{
    for (int i = 0; i < w->count; i++)
        if (!memcmp(&w->list[i]->key, k, sizeof *k)) return w->list[i];
    return NULL;
}

static weft_vk_weight *add(weft_vk_weights *w, const key *k, size_t bytes)
{
    weft_context *ctx = w->dev->ctx;
    if (w->count == w->room) {
        weft_vk_weight **more = weft_resize(ctx, w->list, sizeof *more * (size_t) (2 * w->room + 32));
        if (!more) return NULL;
        w->list = more, w->room = 2 * w->room + 32;
    }
    weft_vk_weight *one = weft_new(ctx, sizeof *one);
    if (!one) return NULL;
    *one = (weft_vk_weight) { .key = *k, .bytes = bytes };
    w->list[w->count++] = one;
    return one;
}

static void forget(weft_vk_weights *w, weft_vk_weight *one)
{
    int i = 0;
    while (w->list[i] != one) i++;
    w->list[i] = w->list[--w->count];
    if (one->slab && !--one->slab->used) {
        weft_vk_block_destroy(w->dev, &one->slab->block);
        weft_delete(w->dev->ctx, one->slab);
    }
    weft_delete(w->dev->ctx, one);
}

// --- Where it lies. --------------------------------------------------------------------------------------------

static size_t room_of(const weft_vk_device *dev, const weft_value_def *v)
{
    const size_t align = weft_vk_alignment(dev), bytes = (size_t) weft_shape_count(v->shape) * (v->storage == WEFT_F16 ? 2 : 4);
    return (bytes + align - 1) / align * align;
}

size_t weft_vk_weights_room(const weft_vk_device *dev, const weft_graph *physical)
{
    size_t all = 0;
    for (int v = 0; v < physical->value_count; v++)
        if (physical->values[v].weight) all += room_of(dev, &physical->values[v]);
    return all;
}

// The next few that have no place get a block of their own.
static weft_result make_slab(weft_vk_weights *w, weft_vk_held *held, int *next)
{
    size_t bytes = 0, most = weft_vk_largest_block(w->dev);
    int end = *next;
    if (most > BLOCK_BYTES) most = BLOCK_BYTES;
    slab *s = weft_new(w->dev->ctx, sizeof *s);
    if (!s) return WEFT_ERR_MEMORY;
    for (; end < held->count; end++) {
        if (held->list[end]->slab) continue;
        if (s->used && bytes + held->list[end]->bytes > most) break;
        held->list[end]->slab = s;
        held->list[end]->offset = bytes;
        bytes += held->list[end]->bytes;
        s->used++;
    }
    *next = end;
    if (!s->used) return weft_delete(w->dev->ctx, s), WEFT_OK;
    return weft_vk_block_create(w->dev, WEFT_VK_TENSORS, bytes, &s->block); // on failure `forget` frees what there is
}

typedef struct taking {
    const weft_graph *graph;
    weft_value *constants;
    key *keys;
    bool *fresh; // to be uploaded
    int count;
} taking;

static weft_result upload(weft_vk_queue *q, const taking *t, size_t bytes, const weft_vk_place *places)
{
    weft_vk_upload u;
    if (!bytes) return WEFT_OK;
    weft_result r = weft_vk_upload_begin(q, bytes < STAGING_BYTES ? bytes : STAGING_BYTES, &u);
    for (int i = 0; r == WEFT_OK && i < t->count; i++)
        if (t->fresh[i]) r = weft_vk_upload_weight(&u, &t->graph->values[t->constants[i]], &places[t->constants[i]]);
    return weft_vk_upload_end(&u, r);
}

static weft_result take(weft_vk_weights *w, weft_vk_queue *q, const taking *t, weft_vk_place *places, weft_vk_held *held)
{
    w->turn++;
    for (int i = 0; i < t->count; i++) {
        weft_vk_weight *one = find(w, &t->keys[i]);
        t->fresh[i] = !one;
        if (!one && !(one = add(w, &t->keys[i], room_of(w->dev, &t->graph->values[t->constants[i]])))) return WEFT_ERR_MEMORY;
        if (one->turn != w->turn) {
            one->turn = w->turn;
            held->bytes += one->bytes;
            held->shared_bytes += one->slab ? one->bytes : 0;
        }
        one->users++;
        held->list[held->count++] = one;
    }
    for (int next = 0; next < held->count;) WEFT_TRY(make_slab(w, held, &next));
    for (int i = 0; i < t->count; i++) {
        const weft_vk_weight *one = held->list[i];
        const weft_value_def *v = &t->graph->values[t->constants[i]];
        places[t->constants[i]] = (weft_vk_place) { .buffer = one->slab->block.buffer, .block = -1, .offset = one->offset,
                                                    .bytes = (size_t) weft_shape_count(v->shape) * (v->storage == WEFT_F16 ? 2 : 4) };
    }
    return upload(q, t, held->bytes - held->shared_bytes, places);
}

static void give_back(weft_vk_weights *w, weft_vk_held *held)
{
    for (int i = 0; i < held->count; i++)
        if (!--held->list[i]->users) forget(w, held->list[i]);
    *held = (weft_vk_held) { 0 };
}

weft_result weft_vk_weights_take(weft_vk_weights *w, weft_vk_queue *q, const weft_graph *physical, weft_arena *arena, weft_vk_place *places,
                                 weft_vk_held *held)
{
    const size_t n = (size_t) physical->value_count + 1;
    taking t = { physical, weft_arena_new(arena, n * sizeof *t.constants), NULL, weft_arena_new(arena, n), 0 };
    *held = (weft_vk_held) { .list = weft_arena_new(arena, n * sizeof *held->list) };
    if (!t.constants || !t.fresh || !held->list) return WEFT_ERR_MEMORY;
    for (int v = 0; v < physical->value_count; v++)
        if (physical->values[v].weight) t.constants[t.count++] = v;
    if (!(t.keys = weft_arena_new(arena, ((size_t) t.count + 1) * sizeof *t.keys))) return WEFT_ERR_MEMORY;
    weft_parallel(w->dev->ctx->pool, t.count, 1, hash_some, &(hashing) { physical, t.constants, t.keys });
    pthread_mutex_lock(&w->lock);
    const weft_result r = take(w, q, &t, places, held);
    if (r != WEFT_OK) give_back(w, held);
    pthread_mutex_unlock(&w->lock);
    return r;
}

void weft_vk_weights_give_back(weft_vk_weights *w, weft_vk_held *held)
{
    if (!held->count) return;
    pthread_mutex_lock(&w->lock);
    give_back(w, held);
    pthread_mutex_unlock(&w->lock);
}
