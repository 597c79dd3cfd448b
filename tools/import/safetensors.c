// SPDX-License-Identifier: MIT
#include "import/safetensors.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_HEADER = 100 << 20, MAX_NAME = 255 }; // bytes

static const struct type { const char *name; size_t bytes; } types[ST_TYPES] = {
    [ST_F64] = { "F64", 8 }, [ST_F32] = { "F32", 4 }, [ST_F16] = { "F16", 2 }, [ST_BF16] = { "BF16", 2 }, [ST_I64] = { "I64", 8 },
    [ST_I32] = { "I32", 4 }, [ST_I16] = { "I16", 2 }, [ST_I8] = { "I8", 1 }, [ST_U8] = { "U8", 1 }, [ST_BOOL] = { "BOOL", 1 },
};

size_t safetensors_type_bytes(safetensors_type t) { return types[t].bytes; }
const char *safetensors_type_name(safetensors_type t) { return types[t].name; }

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static int fail(char *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, SAFETENSORS_ERROR, format, args);
    va_end(args);
    return -1;
}

// A whole number from 0 to `most`; -1: it is none.
static int64_t whole(const cJSON *j, double most)
{
    if (!cJSON_IsNumber(j) || !(j->valuedouble >= 0 && j->valuedouble <= most) || j->valuedouble != floor(j->valuedouble)) return -1;
    return (int64_t) j->valuedouble;
}

static int read_shape(const cJSON *j, safetensors_tensor *t, char *error)
{
    const cJSON *d;
    if (!cJSON_IsArray(j)) return fail(error, "tensor '%s' has no shape", t->name);
    t->count = 1;
    cJSON_ArrayForEach(d, j) {
        const int64_t n = whole(d, 0x1p40);
        if (n < 0 || t->rank == SAFETENSORS_MAX_RANK || (n && t->count > ((int64_t) 1 << 40) / n))
            return fail(error, "tensor '%s' has a shape that cannot be (more than %d dimensions or 2^40 elements)", t->name, SAFETENSORS_MAX_RANK);
        t->dim[t->rank++] = n;
        t->count *= n;
    }
    return 0;
}

static int read_tensor(const cJSON *j, const unsigned char *data, size_t data_bytes, safetensors_tensor *t, char *error)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(j, "dtype"), *at = cJSON_GetObjectItemCaseSensitive(j, "data_offsets");
    t->name = j->string;
    if (strlen(t->name) > MAX_NAME || !*t->name) return fail(error, "a tensor's name has %zu bytes, not 1 to %d", strlen(t->name), MAX_NAME);
    for (t->type = 0; t->type < ST_TYPES; t->type++)
        if (cJSON_IsString(type) && !strcmp(type->valuestring, types[t->type].name)) break;
    if (t->type == ST_TYPES) return fail(error, "tensor '%s' is of type %.32s, which is not known", t->name, cJSON_IsString(type) ? type->valuestring : "?");
    if (read_shape(cJSON_GetObjectItemCaseSensitive(j, "shape"), t, error)) return -1;
    const bool pair = cJSON_IsArray(at) && cJSON_GetArraySize(at) == 2;
    const int64_t begin = pair ? whole(at->child, 0x1p53) : -1, end = pair ? whole(at->child->next, 0x1p53) : -1;
    if (begin < 0 || end < begin || (uint64_t) end > data_bytes || end - begin != t->count * (int64_t) types[t->type].bytes)
        return fail(error, "tensor '%s' cannot lie at the offsets that are given for it", t->name);
    t->data = data + begin;
    return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(((const safetensors_tensor *) a)->name, ((const safetensors_tensor *) b)->name); }

static int read_tensors(const cJSON *root, const unsigned char *data, size_t data_bytes, safetensors *s, char *error)
{
    const cJSON *j;
    if (!cJSON_IsObject(root)) return fail(error, "the header is no JSON object");
    s->tensors = calloc((size_t) cJSON_GetArraySize(root) + 1, sizeof *s->tensors);
    if (!s->tensors) return fail(error, "out of memory");
    cJSON_ArrayForEach(j, root) {
        if (!strcmp(j->string, "__metadata__")) continue;
        if (read_tensor(j, data, data_bytes, &s->tensors[s->count++], error)) return -1;
    }
    qsort(s->tensors, (size_t) s->count, sizeof *s->tensors, by_name);
    for (int i = 1; i < s->count; i++)
        if (!strcmp(s->tensors[i - 1].name, s->tensors[i].name)) return fail(error, "tensor '%s' is there twice", s->tensors[i].name);
    return 0;
}

int safetensors_read(const void *data, size_t bytes, safetensors *out, char error[SAFETENSORS_ERROR])
{
    const unsigned char *d = data;
    const uint16_t one = 1;
    uint64_t header = 0;
    safetensors s = { 0 };
    if (!*(const unsigned char *) &one) return fail(error, "checkpoints are little-endian, and this machine is not");
    for (int i = 0; bytes >= 8 && i < 8; i++) header |= (uint64_t) d[i] << 8 * i;
    if (bytes < 8 || header > bytes - 8 || header > MAX_HEADER || header < 2 || d[8] != '{')
        return fail(error, "not a .safetensors file (PyTorch's .pth and .pt: load them there and save with safetensors.torch.save_file)");
    const char *end = NULL, *text = (const char *) d + 8;
    s.json = cJSON_ParseWithLengthOpts(text, (size_t) header, &end, 0);
    while (s.json && end < text + header && *end == ' ') end++;
    if (!s.json || end != text + header) return safetensors_close(&s), fail(error, "the header is not JSON");
    if (read_tensors(s.json, d + 8 + header, bytes - 8 - (size_t) header, &s, error)) return safetensors_close(&s), -1;
    *out = s;
    return 0;
}

int safetensors_open(const char *path, safetensors *out, char error[SAFETENSORS_ERROR])
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(error, "cannot open: %s", strerror(errno));
    const bool regular = !fstat(fd, &st) && S_ISREG(st.st_mode);
    void *map = regular && st.st_size > 0 ? mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED) return fail(error, regular && !st.st_size ? "the file is empty" : "cannot be mapped");
    if (safetensors_read(map, (size_t) st.st_size, out, error)) {
        munmap(map, (size_t) st.st_size);
        return -1;
    }
    out->map = map, out->map_bytes = (size_t) st.st_size;
    return 0;
}

void safetensors_close(safetensors *s)
{
    free(s->tensors);
    cJSON_Delete(s->json);
    if (s->map) munmap(s->map, s->map_bytes);
    *s = (safetensors) { 0 };
}

safetensors_tensor *safetensors_find(const safetensors *s, const char *name)
{
    int low = 0;
    for (int high = s->count; low < high;) {
        const int middle = low + (high - low) / 2, order = strcmp(s->tensors[middle].name, name);
        if (!order) return &s->tensors[middle];
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return NULL;
}
