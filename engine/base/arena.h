// SPDX-License-Identifier: MIT
// Memory that is freed all at once: graphs, models, programs.
#pragma once
#include "base/context.h"

typedef struct weft_arena {
    weft_context *ctx;
    struct weft_arena_block *last;
    size_t used;
    bool failed; // an allocation failed: everything built on this arena is void. Check once, at the end of a pass.
} weft_arena;

void *weft_arena_new(weft_arena *a, size_t bytes); // zeroed, aligned to 16; NULL on failure
void *weft_arena_copy(weft_arena *a, const void *data, size_t bytes);
char *weft_arena_text(weft_arena *a, const char *text);
char *weft_arena_print(weft_arena *a, const char *format, ...) WEFT_PRINTF(2, 3);
void weft_arena_free(weft_arena *a); // leaves it empty and usable

// Room for one more element in an arena array whose capacity is the next power of two of its count (at least 8).
// Gives the array to use (moved or not), NULL on failure.
void *weft_arena_grow(weft_arena *a, void *array, int64_t count, size_t element_bytes);
