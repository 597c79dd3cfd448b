// SPDX-License-Identifier: MIT
// Files that appear whole or not at all.
#include "command.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int write_whole(const call *c, const char *path, bool (*put)(const void *what, FILE *to), const void *what)
{
    char *part = malloc(strlen(path) + 32);
    if (!part) return fail(c, CODE_FAILED, "out of memory");
    sprintf(part, "%s.part-%ld", path, (long) getpid());
    FILE *f = fopen(part, "wb");
    bool done = f && put(what, f) && !fflush(f) && !fsync(fileno(f));
    int why = errno;
    if (f && fclose(f) && done) done = false, why = errno;
    if (done && rename(part, path)) done = false, why = errno;
    if (!done && f) remove(part);
    free(part);
    return done ? CODE_OK : fail(c, CODE_FAILED, "%s: cannot write: %s", path, strerror(why));
}
