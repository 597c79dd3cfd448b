// SPDX-License-Identifier: MIT
#include "base/context.h"
#include "base/threads.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 16 }; // holds the size and keeps max_align_t

static void *standard_alloc(void *user, void *p, size_t old_bytes, size_t new_bytes)
{
    (void) user, (void) old_bytes;
    if (new_bytes) return realloc(p, new_bytes);
    free(p);
    return NULL;
}

static void *from_host(const weft_allocator *a, void *p, size_t bytes)
{
    size_t *block = p ? (size_t *) ((char *) p - HEADER) : NULL;
    if (bytes > SIZE_MAX - HEADER) return weft_fail_memory(bytes), NULL;
    block = a->alloc(a->user, block, block ? *block + HEADER : 0, bytes + HEADER);
    if (!block) return weft_fail_memory(bytes), NULL;
    *block = bytes;
    return (char *) block + HEADER;
}

void *weft_resize(weft_context *ctx, void *p, size_t bytes) { return from_host(&ctx->params.allocator, p, bytes); }

void *weft_new(weft_context *ctx, size_t bytes)
{
    void *p = from_host(&ctx->params.allocator, NULL, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

void weft_delete(weft_context *ctx, void *p)
{
    if (!p) return;
    size_t *block = (size_t *) ((char *) p - HEADER);
    ctx->params.allocator.alloc(ctx->params.allocator.user, block, *block + HEADER, 0);
}

char *weft_strdup(weft_context *ctx, const char *text)
{
    char *copy = weft_new(ctx, strlen(text) + 1);
    if (copy) strcpy(copy, text);
    return copy;
}

void weft_log(const weft_context *ctx, weft_log_level level, const char *format, ...)
{
    if (!ctx->params.log || level > ctx->params.log_level) return;
    char line[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ctx->params.log(ctx->params.log_user, level, line);
}

weft_result weft_context_create(const weft_context_params *params, weft_context **out)
{
    weft_context_params p = params ? *params : (weft_context_params) { 0 };
    if (!out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_context_create: out is NULL");
    if (p.threads < 0 || p.threads > WEFT_MAX_THREADS)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_context_create: threads is %d, not 0..%d", p.threads, WEFT_MAX_THREADS);
    if (!p.allocator.alloc) p.allocator.alloc = standard_alloc;
    weft_context *ctx = from_host(&p.allocator, NULL, sizeof *ctx);
    if (!ctx) return WEFT_ERR_MEMORY;
    *ctx = (weft_context) { .params = p };
    ctx->pool = weft_pool_create(ctx, p.threads);
    if (!ctx->pool) return weft_delete(ctx, ctx), WEFT_ERR_MEMORY;
    *out = ctx;
    return WEFT_OK;
}

void weft_context_destroy(weft_context **ctx)
{
    if (!ctx || !*ctx) return;
    weft_context *c = *ctx;
    weft_pool_destroy(c, c->pool);
    weft_delete(c, c);
    *ctx = NULL;
}
