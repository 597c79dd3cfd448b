// SPDX-License-Identifier: MIT
// Files that appear whole or not at all.
#define _XOPEN_SOURCE 700
#include "command.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The file that `path` means, at the end of its links; what is no regular file is written as it is: a pipe, /dev/null.
static bool is_special(const char *path, char real[PATH_MAX], const char **at)
{
    struct stat st;
    *at = realpath(path, real) ? real : path;
    return !stat(*at, &st) && !S_ISREG(st.st_mode);
}

int write_whole(const call *c, const char *path, bool (*put)(const void *what, FILE *to), const void *what)
{
    char real[PATH_MAX];
    const char *at;
    const bool special = is_special(path, real, &at);
    char *part = malloc(strlen(at) + 32);
    if (!part) return fail(c, CODE_FAILED, "out of memory");
    sprintf(part, "%s.part-%ld", at, (long) getpid());
    FILE *f = fopen(special ? at : part, "wb");
    bool done = f && put(what, f) && !fflush(f) && (special || !fsync(fileno(f)));
    int why = errno;
    if (f && fclose(f) && done) done = false, why = errno;
    if (done && !special && rename(part, at)) done = false, why = errno;
    if (!done && f && !special) remove(part);
    free(part);
    return done ? CODE_OK : fail(c, CODE_FAILED, "%s: cannot write: %s", path, strerror(why));
}

bool can_write(const char *path)
{
    char real[PATH_MAX];
    const char *at;
    struct stat st;
    if (!stat(path, &st) && S_ISDIR(st.st_mode)) return errno = EISDIR, false;
    if (is_special(path, real, &at)) return !access(at, W_OK);
    char *part = malloc(strlen(at) + 32);
    if (!part) return false;
    sprintf(part, "%s.part-%ld", at, (long) getpid());
    FILE *f = fopen(part, "wb");
    if (f) fclose(f), remove(part);
    free(part);
    return f != NULL;
}
