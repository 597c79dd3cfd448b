// SPDX-License-Identifier: MIT
// Memory and files for `weft compare`: blocks that are freed together, text that grows, files that are whole or not there.
#include "compare.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_block { struct pool_block *next; max_align_t data[]; };

void *pool_take(pool *p, size_t bytes)
{
    struct pool_block *b = bytes < SIZE_MAX / 2 ? calloc(1, sizeof *b + bytes) : NULL;
    if (!b) return NULL;
    b->next = p->blocks;
    p->blocks = b;
    return b->data;
}

const char *pool_text(pool *p, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    char *t = n < 0 ? NULL : pool_take(p, (size_t) n + 1);
    if (t) vsnprintf(t, (size_t) n + 1, format, again);
    va_end(again);
    va_end(args);
    return t;
}

void pool_free(pool *p)
{
    while (p->blocks) {
        struct pool_block *b = p->blocks;
        p->blocks = b->next;
        free(b);
    }
}

void put(text_out *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    if (n >= 0 && t->length + (size_t) n + 1 > t->room && !t->failed) {
        const size_t room = 2 * (t->length + (size_t) n + 1) + 4096;
        char *more = realloc(t->at, room);
        if (more) t->at = more, t->room = room;
        else t->failed = true;
    }
    if (n < 0) t->failed = true;
    if (!t->failed) t->length += (size_t) vsnprintf(t->at + t->length, (size_t) n + 1, format, again);
    va_end(again);
    va_end(args);
}

typedef struct bytes { const void *data; size_t count; } bytes;

static bool put_bytes(const void *what, FILE *to)
{
    const bytes *b = what;
    return fwrite(b->data, 1, b->count, to) == b->count;
}

int write_file(const call *c, const char *path, const void *data, size_t count) { return write_whole(c, path, put_bytes, &(bytes) { data, count }); }
