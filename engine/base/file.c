// SPDX-License-Identifier: MIT
#define _XOPEN_SOURCE 700
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

weft_result weft_file_map(const char *path, weft_mapping *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return weft_fail(WEFT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return weft_fail(WEFT_ERR_IO, "%s: not a regular file", path);
    }
    *out = (weft_mapping) { NULL, (size_t) st.st_size };
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            close(fd);
            return weft_fail(WEFT_ERR_IO, "%s: cannot map: %s", path, strerror(errno));
        }
        out->data = p;
    }
    close(fd);
    return WEFT_OK;
}

void weft_file_unmap(weft_mapping *m)
{
    if (m->data) munmap((void *) (uintptr_t) m->data, m->bytes);
    *m = (weft_mapping) { 0 };
}

struct weft_file_writer { FILE *file; const char *path; };

weft_result weft_file_put(weft_file_writer *w, const void *data, size_t bytes)
{
    if (bytes && fwrite(data, 1, bytes, w->file) != bytes)
        return weft_fail(WEFT_ERR_IO, "%s: cannot write: %s", w->path, strerror(errno));
    return WEFT_OK;
}

enum { TRIES = 100 };

// What others write at the same time, or left behind, has another name.
static int create_beside(const char *path, char *part)
{
    int fd = -1;
    for (int n = 0; n < TRIES && fd < 0; n++) {
        sprintf(part, "%s.part-%ld-%d", path, (long) getpid(), n);
        fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    return fd;
}

static weft_result write_to(weft_file_writer *w, int fd, bool sync, weft_result (*write)(weft_file_writer *, void *), void *user)
{
    if (fd < 0 || !(w->file = fdopen(fd, "wb"))) {
        const weft_result r = weft_fail(WEFT_ERR_IO, "%s: cannot create: %s", w->path, strerror(errno));
        if (fd >= 0) close(fd);
        return r;
    }
    weft_result r = write(w, user);
    if (r == WEFT_OK && (fflush(w->file) || (sync && fsync(fd)))) r = weft_fail(WEFT_ERR_IO, "%s: cannot write: %s", w->path, strerror(errno));
    if (fclose(w->file) && r == WEFT_OK) r = weft_fail(WEFT_ERR_IO, "%s: cannot write: %s", w->path, strerror(errno));
    return r;
}

weft_result weft_file_replace(weft_context *ctx, const char *path, weft_result (*write)(weft_file_writer *, void *), void *user)
{
    char real[PATH_MAX];
    struct stat st;
    weft_file_writer w = { NULL, path };
    const char *at = realpath(path, real) ? real : path; // links stay
    if (!stat(at, &st) && !S_ISREG(st.st_mode)) return write_to(&w, open(at, O_WRONLY | O_CLOEXEC), false, write, user); // /dev/null stays, too
    char *part = weft_new(ctx, strlen(at) + 40);
    if (!part) return WEFT_ERR_MEMORY;
    const int fd = create_beside(at, part);
    weft_result r = write_to(&w, fd, true, write, user);
    if (r == WEFT_OK && rename(part, at)) r = weft_fail(WEFT_ERR_IO, "%s: cannot replace: %s", path, strerror(errno));
    if (r != WEFT_OK && fd >= 0) remove(part);
    weft_delete(ctx, part);
    return r;
}
