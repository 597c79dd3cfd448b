// SPDX-License-Identifier: MIT
// The context: where memory comes from, where log lines go, which threads help.
#pragma once
#include "base/status.h"

typedef struct weft_pool weft_pool;
struct weft_context {
    weft_context_params params; // params.allocator.alloc is never NULL
    weft_pool *pool;            // never NULL
    // Tests: called before every fallible call of a driver, with its name; non-zero is the driver's error, and the call is not made.
    int (*outside)(void *user, const char *call);
    void *outside_user;
};

// Memory from the context's allocator. The size is kept in front of the block, so freeing needs no size.
// NULL on failure, with the error text set. weft_new zeroes.
void *weft_new(weft_context *ctx, size_t bytes);
void *weft_resize(weft_context *ctx, void *p, size_t bytes); // like realloc; on failure `p` stays as it was
void weft_delete(weft_context *ctx, void *p);                // NULL is fine
char *weft_strdup(weft_context *ctx, const char *text);

void weft_log(const weft_context *ctx, weft_log_level level, const char *format, ...) WEFT_PRINTF(3, 4);
