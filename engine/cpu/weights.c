// SPDX-License-Identifier: MIT
#include "cpu/weights.h"
#include <pthread.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

typedef struct key { uint64_t data[2], form[2], data_bytes, bytes; } key;

struct weft_cpu_weight {
    key key;
    unsigned char *block;
    int users;
};

struct weft_cpu_weights {
    weft_context *ctx;
    pthread_mutex_t lock; // of the list, and while something is made
    weft_cpu_weight **list;
    int count, room;
};

weft_result weft_cpu_weights_create(weft_context *ctx, weft_cpu_weights **out)
{
    weft_cpu_weights *w = weft_new(ctx, sizeof *w);
    if (!w) return WEFT_ERR_MEMORY;
    w->ctx = ctx;
    pthread_mutex_init(&w->lock, NULL);
    *out = w;
    return WEFT_OK;
}

void weft_cpu_weights_destroy(weft_cpu_weights *w)
{
    if (!w) return;
    pthread_mutex_destroy(&w->lock);
    weft_delete(w->ctx, w->list);
    weft_delete(w->ctx, w);
}

const void *weft_cpu_weight_data(const weft_cpu_weight *one) { return one->block + (64 - (uintptr_t) one->block % 64); }

static key key_of(const weft_cpu_form *f)
{
    const XXH128_hash_t data = XXH3_128bits(f->data, f->data_bytes), form = XXH3_128bits(f->form, f->form_bytes);
    return (key) { { data.low64, data.high64 }, { form.low64, form.high64 }, f->data_bytes, f->bytes };
}

static weft_cpu_weight *find(const weft_cpu_weights *w, const key *k)
{
    for (int i = 0; i < w->count; i++)
        if (!memcmp(&w->list[i]->key, k, sizeof *k)) return w->list[i];
    return NULL;
}

static weft_result make(weft_cpu_weights *w, const weft_cpu_form *f, weft_cpu_weight *one)
{
    if (w->count == w->room) {
        weft_cpu_weight **more = weft_resize(w->ctx, w->list, sizeof *more * (size_t) (2 * w->room + 32));
        if (!more) return WEFT_ERR_MEMORY;
        w->list = more, w->room = 2 * w->room + 32;
    }
    if (!(one->block = weft_new(w->ctx, f->bytes + 64))) return WEFT_ERR_MEMORY;
    WEFT_TRY(f->make(f->user, (void *) (uintptr_t) weft_cpu_weight_data(one)));
    w->list[w->count++] = one;
    return WEFT_OK;
}

static weft_result take(weft_cpu_weights *w, const weft_cpu_form *f, const key *k, weft_cpu_weight **out, weft_cpu_taken *sum)
{
    weft_cpu_weight *one = find(w, k);
    sum->bytes += f->bytes;
    sum->shared_bytes += one ? f->bytes : 0;
    if (!one) {
        if (!(one = weft_new(w->ctx, sizeof *one))) return WEFT_ERR_MEMORY;
        one->key = *k;
        const weft_result r = make(w, f, one);
        if (r != WEFT_OK) return weft_delete(w->ctx, one->block), weft_delete(w->ctx, one), r;
    }
    one->users++;
    *out = one;
    return WEFT_OK;
}

weft_result weft_cpu_weights_take(weft_cpu_weights *w, const weft_cpu_form *f, weft_cpu_weight **out, weft_cpu_taken *sum)
{
    const key k = key_of(f);
    pthread_mutex_lock(&w->lock);
    const weft_result r = take(w, f, &k, out, sum);
    pthread_mutex_unlock(&w->lock);
    return r;
}

void weft_cpu_weights_give_back(weft_cpu_weights *w, weft_cpu_weight *one)
{
    if (!one) return;
    pthread_mutex_lock(&w->lock);
    if (!--one->users) {
        int i = 0;
        while (w->list[i] != one) i++;
        w->list[i] = w->list[--w->count];
        weft_delete(w->ctx, one->block);
        weft_delete(w->ctx, one);
    }
    pthread_mutex_unlock(&w->lock);
}
