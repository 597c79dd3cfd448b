// SPDX-License-Identifier: MIT
// A .npz file is a ZIP archive of .npy files. libzip unpacks it and checks its sums; sizes that it claims are believed only as far as
// its packed bytes can reach.
#include "npz.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

enum { ARRAYS_MOST = 4096, NAME_MOST = 1024, DEFLATE_MOST = 1032 }; // deflate makes at most 1032 bytes of one

struct array_file {
    char *path;
    zip_t *zip; // NULL: a .npy file
    int count;
};

static bool ends_in(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n > m && !strcasecmp(name + n - m, end);
}
bool is_npy_name(const char *path) { return ends_in(path, ".npy"); }
bool is_npz_name(const char *path) { return ends_in(path, ".npz"); }

// --- Reading. --------------------------------------------------------------------------------------------------

static int fail_zip(const call *c, const char *path, int why)
{
    zip_error_t e;
    zip_error_init_with_code(&e, why);
    const int code = fail(c, why == ZIP_ER_MEMORY ? CODE_FAILED : CODE_INPUT, "%s: not a sound .npz file: %s", path, zip_error_strerror(&e));
    zip_error_fini(&e);
    return code;
}

static bool plain_name(const char *name)
{
    size_t n = 0;
    for (; name[n]; n++)
        if ((unsigned char) name[n] < 32 || name[n] == 127) return false;
    return n && n < NAME_MOST;
}

static int open_zip(const call *c, const char *path, array_file *f)
{
    int why;
    if (!(f->zip = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &why))) return fail_zip(c, path, why);
    const zip_int64_t count = zip_get_num_entries(f->zip, 0);
    if (count < 1 || count > ARRAYS_MOST) return fail(c, CODE_INPUT, "%s: a .npz file of %lld arrays", path, (long long) count);
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(f->zip, (zip_uint64_t) i, 0);
        if (!name || !plain_name(name)) return fail(c, CODE_INPUT, "%s: array %lld has no proper name", path, (long long) i);
    }
    f->count = (int) count;
    return CODE_OK;
}

int arrays_open(const call *c, const char *path, array_file **out)
{
    unsigned char start[4] = { 0 };
    struct stat st;
    FILE *p = fopen(path, "rb");
    if (!p) return fail(c, CODE_INPUT, "%s: cannot open: %s", path, strerror(errno));
    const bool regular = !fstat(fileno(p), &st) && S_ISREG(st.st_mode);
    const size_t got = regular ? fread(start, 1, 4, p) : 0;
    fclose(p);
    if (!regular) return fail(c, CODE_INPUT, "%s: not a regular file", path);
    const bool zip = got == 4 && !memcmp(start, "PK", 2), npy = got == 4 && !memcmp(start, "\x93NUM", 4);
    if (!zip && !npy) return fail(c, CODE_INPUT, "%s: neither a .npy nor a .npz file", path);
    array_file *f = calloc(1, sizeof *f);
    if (!f || !(f->path = malloc(strlen(path) + 1))) return free(f), fail(c, CODE_FAILED, "out of memory");
    strcpy(f->path, path);
    f->count = 1;
    const int code = zip ? open_zip(c, path, f) : CODE_OK;
    if (code) return arrays_close(f), code;
    *out = f;
    return CODE_OK;
}

void arrays_close(array_file *f)
{
    if (!f) return;
    if (f->zip) zip_discard(f->zip);
    free(f->path);
    free(f);
}

int arrays_count(const array_file *f) { return f->count; }

static size_t name_length(const char *name) { return strlen(name) - (is_npy_name(name) ? 4 : 0); }

const char *arrays_name(const array_file *f, int index)
{
    static char name[4][NAME_MOST];
    static int turn;
    if (!f->zip) return "";
    const char *full = zip_get_name(f->zip, (zip_uint64_t) index, 0);
    turn = (turn + 1) % 4;
    snprintf(name[turn], sizeof name[0], "%.*s", (int) name_length(full), full);
    return name[turn];
}

int arrays_find(const array_file *f, const char *name)
{
    for (int i = 0; i < f->count; i++)
        if (!strcmp(arrays_name(f, i), name)) return i;
    return -1;
}

static int unpack(const call *c, const array_file *f, int index, const char *what, unsigned char **out, size_t *bytes)
{
    zip_stat_t st;
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    unsigned char more;
    if (zip_stat_index(f->zip, (zip_uint64_t) index, 0, &st) || (st.valid & needed) != needed) return fail(c, CODE_INPUT, "%s: no size", what);
    if (st.encryption_method != ZIP_EM_NONE) return fail(c, CODE_UNSUPPORTED, "%s: encrypted", what);
    if (st.comp_method != ZIP_CM_STORE && st.comp_method != ZIP_CM_DEFLATE)
        return fail(c, CODE_UNSUPPORTED, "%s: packed by method %d, not stored or deflated", what, st.comp_method);
    if (st.size > SIZE_MAX / 2 || st.size / DEFLATE_MOST > st.comp_size) return fail(c, CODE_INPUT, "%s: claims more bytes than it can hold", what);
    zip_file_t *z = zip_fopen_index(f->zip, (zip_uint64_t) index, 0);
    unsigned char *data = malloc((size_t) st.size + 1);
    // One byte more is asked for: at the end libzip compares the checksum.
    const bool whole = z && data && zip_fread(z, data, st.size) == (zip_int64_t) st.size && zip_fread(z, &more, 1) == 0;
    int code = CODE_OK;
    if (!data) code = fail(c, CODE_FAILED, "%s: out of memory: %llu bytes", what, (unsigned long long) st.size);
    else if (!whole) code = fail(c, CODE_INPUT, "%s: damaged: %s", what, z ? zip_file_strerror(z) : zip_strerror(f->zip));
    if (z) zip_fclose(z);
    if (code) return free(data), code;
    *out = data, *bytes = (size_t) st.size;
    return CODE_OK;
}

int arrays_read(const call *c, array_file *f, int index, weft_dtype want, array *out)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    if (!f->zip) return npy_read(c, f->path, want, out);
    char *what = malloc(strlen(f->path) + NAME_MOST + 2);
    if (!what) return fail(c, CODE_FAILED, "out of memory");
    sprintf(what, "%s:%s", f->path, arrays_name(f, index));
    int code = unpack(c, f, index, what, &data, &bytes);
    if (!code) {
        code = npy_decode(c, what, data, bytes, want, out);
        free(data);
    }
    free(what);
    return code;
}

// --- Writing. --------------------------------------------------------------------------------------------------

static bool add(zip_t *zip, const named_array *a)
{
    char *data = NULL, name[NAME_MOST];
    size_t bytes = 0;
    FILE *f = open_memstream(&data, &bytes);
    bool done = f && npy_encode(f, a->dtype, a->shape, a->data);
    if (f && fclose(f)) done = false;
    if (snprintf(name, sizeof name, "%s.npy", a->name) >= (int) sizeof name) done = false;
    zip_source_t *source = done ? zip_source_buffer(zip, data, bytes, 1) : NULL;
    if (!source) return free(data), false;
    const zip_int64_t index = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) return zip_source_free(source), false; // frees the data
    return !zip_set_file_compression(zip, (zip_uint64_t) index, ZIP_CM_STORE, 0) &&
           !zip_file_set_dostime(zip, (zip_uint64_t) index, 0, 33, 0); // 1980-01-01, as NumPy has it
}

static bool write_zip(const char *path, const named_array *a, int count, char *why, size_t room)
{
    int error = 0;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    zip_error_t e;
    if (!zip) {
        zip_error_init_with_code(&e, error);
        snprintf(why, room, "%s", zip_error_strerror(&e));
        return zip_error_fini(&e), false;
    }
    bool done = true;
    for (int i = 0; done && i < count; i++) done = add(zip, &a[i]);
    if (done && !zip_close(zip)) return true;
    snprintf(why, room, "%s", zip_strerror(zip));
    zip_discard(zip);
    return false;
}

static bool settle(const char *path) // onto the disk
{
    FILE *f = fopen(path, "rb");
    const bool done = f && !fsync(fileno(f));
    if (f) fclose(f);
    return done;
}

int arrays_write(const call *c, const char *path, const named_array *a, int count)
{
    char why[256] = "";
    if (is_npy_name(path)) {
        if (count != 1) return usage(c, "%s: %d arrays need a .npz file", path, count);
        return npy_write(c, path, a->dtype, a->shape, a->data);
    }
    char *part = malloc(strlen(path) + 32);
    if (!part) return fail(c, CODE_FAILED, "out of memory");
    sprintf(part, "%s.part-%ld", path, (long) getpid());
    bool done = write_zip(part, a, count, why, sizeof why) && settle(part) && !rename(part, path);
    if (!done && !why[0]) snprintf(why, sizeof why, "%s", strerror(errno));
    if (!done) remove(part);
    free(part);
    return done ? CODE_OK : fail(c, CODE_FAILED, "%s: cannot write: %s", path, why);
}
