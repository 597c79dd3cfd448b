// SPDX-License-Identifier: MIT
#include "base/arena.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 64 << 10, ALIGN = 16 };
struct weft_arena_block {
    struct weft_arena_block *before;
    size_t bytes;
};

void *weft_arena_new(weft_arena *a, size_t bytes)
{
    if (a->failed) return NULL;
    if (bytes > SIZE_MAX / 2) return a->failed = true, weft_fail_memory(bytes), NULL;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (!a->last || a->last->bytes - a->used < bytes) {
        const size_t body = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        struct weft_arena_block *b = weft_new(a->ctx, sizeof *b + body);
        if (!b) return a->failed = true, NULL;
        b->before = a->last, b->bytes = body;
        a->last = b, a->used = 0;
    }
    void *p = (char *) (a->last + 1) + a->used;
    a->used += bytes;
    return p;
}

void *weft_arena_copy(weft_arena *a, const void *data, size_t bytes)
{
    void *p = weft_arena_new(a, bytes);
    if (p && bytes) memcpy(p, data, bytes);
    return p;
}

char *weft_arena_text(weft_arena *a, const char *text) { return weft_arena_copy(a, text, strlen(text) + 1); }

char *weft_arena_print(weft_arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *p = n < 0 ? NULL : weft_arena_new(a, (size_t) n + 1);
    if (p) vsnprintf(p, (size_t) n + 1, format, again);
    va_end(again);
    va_end(args);
    return p;
}

void *weft_arena_grow(weft_arena *a, void *array, int64_t count, size_t element_bytes)
{
    const bool full = count == 0 || (count >= 8 && (count & (count - 1)) == 0);
    if (!full) return array;
    void *bigger = weft_arena_new(a, (size_t) (count < 8 ? 8 : 2 * count) * element_bytes);
    if (bigger && count) memcpy(bigger, array, (size_t) count * element_bytes);
    return bigger;
}

void weft_arena_free(weft_arena *a)
{
    while (a->last) {
        struct weft_arena_block *b = a->last;
        a->last = b->before;
        weft_delete(a->ctx, b);
    }
    a->used = 0;
    a->failed = false;
}
