// SPDX-License-Identifier: MIT
#define _POSIX_C_SOURCE 200809L
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

weft_result weft_file_replace(weft_context *ctx, const char *path, weft_result (*write)(weft_file_writer *, void *), void *user)
{
    char *part = weft_new(ctx, strlen(path) + 32);
    if (!part) return WEFT_ERR_MEMORY;
    sprintf(part, "%s.part-%ld", path, (long) getpid());
    weft_file_writer w = { fopen(part, "wb"), path };
    if (!w.file) {
        weft_delete(ctx, part);
        return weft_fail(WEFT_ERR_IO, "%s: cannot create: %s", path, strerror(errno));
    }
    weft_result r = write(&w, user);
    if (r == WEFT_OK && (fflush(w.file) || fsync(fileno(w.file))))
        r = weft_fail(WEFT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (fclose(w.file) && r == WEFT_OK) r = weft_fail(WEFT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (r == WEFT_OK && rename(part, path)) r = weft_fail(WEFT_ERR_IO, "%s: cannot replace: %s", path, strerror(errno));
    if (r != WEFT_OK) remove(part);
    weft_delete(ctx, part);
    return r;
}
