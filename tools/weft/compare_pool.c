// SPDX-License-Identifier: MIT
// Memory and files for `weft compare`: blocks that are freed together, text that grows, files that are whole or not there.
#include "compare.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

int write_file(const call *c, const char *path, const void *data, size_t bytes)
{
    char *part = malloc(strlen(path) + 32);
    if (!part) return fail(c, CODE_FAILED, "out of memory");
    sprintf(part, "%s.part-%ld", path, (long) getpid());
    FILE *f = fopen(part, "wb");
    bool done = f && fwrite(data, 1, bytes, f) == bytes && !fflush(f) && !fsync(fileno(f));
    int why = errno;
    if (f && fclose(f) && done) done = false, why = errno;
    if (done && rename(part, path)) done = false, why = errno;
    if (!done && f) remove(part);
    free(part);
    return done ? CODE_OK : fail(c, CODE_FAILED, "cannot write %s: %s", path, strerror(why));
}
