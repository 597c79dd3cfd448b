// SPDX-License-Identifier: MIT
#include "batch.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const endings[] = { ".png", ".jpg", ".jpeg", NULL };

static bool is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static size_t stem_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? (size_t) (dot - name) : strlen(name);
}

static bool ends_in(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n > m && !strcasecmp(name + n - m, end);
}

static bool is_picture(const char *name) // and no mask
{
    bool picture = false;
    char mask[16];
    for (int i = 0; endings[i]; i++) {
        picture = picture || ends_in(name, endings[i]);
        snprintf(mask, sizeof mask, ".mask%s", endings[i]);
        if (ends_in(name, mask)) return false;
    }
    return picture && name[0] != '.';
}

static char *join(const char *folder, const char *name, size_t length, const char *ending)
{
    const size_t bytes = strlen(folder) + length + strlen(ending) + 2;
    char *p = malloc(bytes);
    const size_t n = strlen(folder);
    if (p) snprintf(p, bytes, "%s%s%.*s%s", folder, n && folder[n - 1] != '/' ? "/" : "", (int) length, name, ending);
    return p;
}

static bool add(struct batch *b, char *photo) // takes `photo`
{
    if (b->count == b->room) {
        struct task *more = realloc(b->task, sizeof *more * (size_t) (b->room ? 2 * b->room : 16));
        if (!more) return free(photo), false;
        b->room = b->room ? 2 * b->room : 16;
        b->task = more;
    }
    b->task[b->count++] = (struct task) { photo, NULL, NULL };
    return photo;
}

static int by_name(const void *a, const void *b) { return strcmp(((const struct task *) a)->photo, ((const struct task *) b)->photo); }

static int add_folder(const call *c, const char *folder, struct batch *b)
{
    const int first = b->count;
    DIR *d = opendir(folder);
    bool room = true;
    if (!d) return fail(c, CODE_INPUT, "%s: cannot open: %s", folder, strerror(errno));
    for (struct dirent *e; room && (e = readdir(d));)
        if (is_picture(e->d_name)) room = add(b, join(folder, e->d_name, strlen(e->d_name), ""));
    closedir(d);
    if (!room) return fail(c, CODE_FAILED, "out of memory");
    if (b->count == first) return fail(c, CODE_INPUT, "%s: no .png, .jpg or .jpeg in this folder", folder);
    qsort(b->task + first, (size_t) (b->count - first), sizeof *b->task, by_name);
    return CODE_OK;
}

// NAME.mask.png, NAME.png or the like in the folder; where none is, the first is what gets reported as missing.
static char *mask_in(const char *folder, const char *photo)
{
    const char *name = name_of(photo);
    const size_t n = stem_length(name);
    for (int kind = 0; kind < 2; kind++)
        for (int i = 0; endings[i]; i++) {
            char ending[16];
            snprintf(ending, sizeof ending, "%s%s", kind ? "" : ".mask", endings[i]);
            char *path = join(folder, name, n, ending);
            struct stat mask, own;
            const bool there = path && !stat(path, &mask);
            if (!path || (there && (stat(photo, &own) || mask.st_ino != own.st_ino || mask.st_dev != own.st_dev))) return path;
            free(path);
        }
    return join(folder, name, n, ".mask.png");
}

static char *result_in(const char *folder, const char *photo, int format)
{
    const char *name = name_of(photo);
    const size_t n = stem_length(name);
    return join(folder, name, n, format == 1 ? ".png" : format == 2 ? ".jpg" : is_picture(name) ? name + n : ".png");
}

static int pair_up(const call *c, const text_list *mask, const char *out, int format, bool several, struct batch *b)
{
    const bool folder = mask->count == 1 && is_folder(mask->at[0]);
    if (mask->count > 1 && mask->count != b->count)
        return usage(c, "%d masks for %d pictures; give one for all, one for each, or a folder", mask->count, b->count);
    for (int i = 0; i < b->count; i++) {
        struct task *t = &b->task[i];
        const char *m = !mask->count ? NULL : mask->at[mask->count == 1 ? 0 : i];
        t->mask = !m ? NULL : folder ? mask_in(m, t->photo) : join("", m, strlen(m), "");
        t->out = several ? result_in(out, t->photo, format) : join("", out, strlen(out), "");
        if ((m && !t->mask) || !t->out) return fail(c, CODE_FAILED, "out of memory");
        for (int k = 0; several && k < i; k++)
            if (!strcmp(b->task[k].out, t->out)) return usage(c, "%s and %s would both become %s", b->task[k].photo, t->photo, t->out);
    }
    return CODE_OK;
}

int batch_make(const call *c, const text_list *in, const text_list *mask, const char *out, int format, struct batch *b)
{
    bool several = in->count > 1 || is_folder(out);
    for (int i = 0; i < in->count; i++) {
        const bool folder = is_folder(in->at[i]);
        several = several || folder;
        const int code = folder ? add_folder(c, in->at[i], b)
                       : add(b, join("", in->at[i], strlen(in->at[i]), "")) ? CODE_OK : fail(c, CODE_FAILED, "out of memory");
        if (code) return code;
    }
    if (several && !is_folder(out) && mkdir(out, 0777))
        return fail(c, CODE_USAGE, "%s: several pictures need a folder to go to, and it cannot be made: %s", out, strerror(errno));
    if (!several && !format && !is_picture(name_of(out)))
        return usage(c, "%s: the name must end in .png, .jpg or .jpeg, or --format be given", out);
    return pair_up(c, mask, out, format, several, b);
}

void batch_free(struct batch *b)
{
    for (int i = 0; i < b->count; i++) free(b->task[i].photo), free(b->task[i].mask), free(b->task[i].out);
    free(b->task);
    *b = (struct batch) { 0 };
}
