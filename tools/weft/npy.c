// SPDX-License-Identifier: MIT
#include "npy.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct header {
    char kind; // f i u b
    int bytes; // per number
    bool big, fortran;
    weft_shape shape;
    size_t data_at;
} header;

// --- Reading the header, a Python dictionary. --------------------------------------------------------------------

static const char *value_of(const char *text, const char *key) // what follows 'key':
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *p = strstr(text, quoted);
    if (!p) return NULL;
    p += strlen(quoted);
    p += strspn(p, " \t");
    if (*p++ != ':') return NULL;
    return p + strspn(p, " \t");
}

static const char *read_descr(const char *p, header *h)
{
    if (!p || (*p != '\'' && *p != '"')) return "no 'descr'";
    p++;
    if (!strchr("<>=|", *p) || !*p) return "a 'descr' that is no plain number";
    h->big = *p++ == '>';
    if (!strchr("fiub", *p) || !*p) return "numbers of another kind than f, i, u and b";
    h->kind = *p++;
    h->bytes = *p - '0';
    if (!strchr("1248", *p) || !*p || (p[1] != '\'' && p[1] != '"')) return "numbers of a size that is not 1, 2, 4 or 8 bytes";
    if ((h->kind == 'f' && h->bytes == 1) || (h->kind == 'b' && h->bytes != 1)) return "numbers of an unknown size";
    return NULL;
}

static const char *read_shape(const char *p, header *h)
{
    if (!p || *p++ != '(') return "no 'shape'";
    for (;;) {
        p += strspn(p, " ,");
        if (*p == ')') return NULL;
        char *end;
        const long long n = strtoll(p, &end, 10);
        if (end == p || n < 0 || n > 1LL << 40) return "a broken 'shape'";
        if (h->shape.rank == WEFT_MAX_RANK) return "more than 8 dimensions";
        h->shape.dim[h->shape.rank++] = n;
        p = end;
    }
}

static const char *read_header(unsigned char *file, size_t bytes, header *h)
{
    *h = (header) { 0 };
    if (bytes < 12 || memcmp(file, "\x93NUMPY", 6)) return "not a .npy file";
    const int wide = file[6] >= 2;
    if (file[6] < 1 || file[6] > 3) return "a .npy version above 3";
    size_t length = (size_t) file[8] | (size_t) file[9] << 8;
    if (wide) length |= (size_t) file[10] << 16 | (size_t) file[11] << 24;
    const size_t start = wide ? 12 : 10;
    if (length == 0 || length > bytes - start) return "cut off in the header";
    h->data_at = start + length;
    file[h->data_at - 1] = 0; // the newline
    const char *text = (const char *) file + start, *bad, *order = value_of(text, "fortran_order");
    if ((bad = read_descr(value_of(text, "descr"), h)) || (bad = read_shape(value_of(text, "shape"), h))) return bad;
    if (!order || (strncmp(order, "True", 4) && strncmp(order, "False", 5))) return "no 'fortran_order'";
    h->fortran = *order == 'T';
    return NULL;
}

// --- Numbers. --------------------------------------------------------------------------------------------------

static double half(uint16_t v)
{
    const int exponent = v >> 10 & 31, fraction = v & 1023;
    const double m = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return v >> 15 ? -m : m;
}

// i8 and u8 keep their value through `whole`; the result is false for an unsigned one above 2^63.
static bool number_at(const header *h, const unsigned char *p, double *real, int64_t *whole)
{
    uint64_t bits = 0;
    for (int i = 0; i < h->bytes; i++) bits |= (uint64_t) p[h->big ? h->bytes - 1 - i : i] << 8 * i;
    *whole = 0;
    if (h->kind == 'f') {
        float f;
        const uint32_t low = (uint32_t) bits;
        memcpy(&f, &low, 4);
        if (h->bytes == 8) memcpy(real, &bits, 8);
        else *real = h->bytes == 4 ? (double) f : half((uint16_t) bits);
        return true;
    }
    if (h->kind == 'i' && h->bytes < 8 && bits >> (8 * h->bytes - 1)) bits |= ~(uint64_t) 0 << 8 * h->bytes;
    if (h->kind == 'b') bits = bits != 0;
    *whole = (int64_t) bits;
    *real = h->kind == 'i' ? (double) *whole : (double) bits;
    return h->kind == 'i' || !(bits >> 63);
}

// Puts number `index` of the array; false: it does not fit.
static bool put(const header *h, array *a, int64_t index, const unsigned char *p)
{
    double real;
    int64_t whole;
    const bool fits = number_at(h, p, &real, &whole);
    if (a->dtype == WEFT_F32) {
        const float f = (float) real;
        ((float *) a->data)[index] = f;
        return !isinf(f) || isinf(real);
    }
    if (h->kind == 'f') {
        if (!(real >= -2147483648.0 && real <= 2147483647.0) || real != floor(real)) return false;
        whole = (int64_t) real;
    }
    ((int32_t *) a->data)[index] = (int32_t) whole;
    return fits && whole >= INT32_MIN && whole <= INT32_MAX;
}

static int convert(const call *c, const char *path, const header *h, const unsigned char *data, array *a)
{
    const int64_t count = (int64_t) (a->bytes / 4);
    int64_t at[WEFT_MAX_RANK] = { 0 }, stride[WEFT_MAX_RANK], step = 1;
    for (int d = 0; d < h->shape.rank; d++) {
        const int k = h->fortran ? d : h->shape.rank - 1 - d;
        stride[k] = step;
        step *= h->shape.dim[k];
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t from = 0;
        for (int d = 0; d < h->shape.rank; d++) from += at[d] * stride[d];
        if (!put(h, a, i, data + from * h->bytes))
            return fail(c, CODE_INPUT, "%s: number %lld does not fit %s", path, (long long) i, a->dtype == WEFT_F32 ? "32-bit floating point" : "a 32-bit integer");
        for (int d = h->shape.rank - 1; d >= 0 && ++at[d] == h->shape.dim[d]; d--) at[d] = 0;
    }
    return CODE_OK;
}

static int read_file(const call *c, const char *path, unsigned char **out, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    if (!f) return fail(c, CODE_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if (!fseek(f, 0, SEEK_END)) size = ftell(f);
    if (size < 0 || size == LONG_MAX || fseek(f, 0, SEEK_SET)) return fclose(f), fail(c, CODE_INPUT, "%s: not a regular file", path);
    unsigned char *data = malloc((size_t) size + 1);
    const size_t got = data ? fread(data, 1, (size_t) size, f) : 0;
    fclose(f);
    if (!data) return fail(c, CODE_FAILED, "%s: out of memory", path);
    if (got != (size_t) size) return free(data), fail(c, CODE_INPUT, "%s: cannot read", path);
    *out = data, *bytes = got;
    return CODE_OK;
}

int npy_decode(const call *c, const char *path, unsigned char *file, size_t bytes, weft_dtype want, array *out)
{
    header h;
    const char *bad = read_header(file, bytes, &h);
    double numbers = 1;
    if (bad) return fail(c, CODE_INPUT, "%s: %s", path, bad);
    for (int d = 0; d < h.shape.rank; d++) numbers *= (double) h.shape.dim[d];
    if (numbers < 1) return fail(c, CODE_INPUT, "%s: shape %s holds nothing", path, shape_text(h.shape, NULL));
    if (numbers * h.bytes != (double) (bytes - h.data_at))
        return fail(c, CODE_INPUT, "%s: shape %s of %d-byte numbers needs %.0f bytes, the file has %zu", path, shape_text(h.shape, NULL), h.bytes,
                    numbers * h.bytes, bytes - h.data_at);
    array a = { want, h.shape, NULL, (size_t) numbers * 4 };
    if (!(a.data = malloc(a.bytes))) return fail(c, CODE_FAILED, "%s: out of memory", path);
    const int code = convert(c, path, &h, file + h.data_at, &a);
    if (code) return free(a.data), code;
    *out = a;
    return CODE_OK;
}

int npy_read(const call *c, const char *path, weft_dtype want, array *out)
{
    unsigned char *file = NULL;
    size_t bytes = 0;
    int code = read_file(c, path, &file, &bytes);
    if (code) return code;
    code = npy_decode(c, path, file, bytes, want, out);
    free(file);
    return code;
}

// --- Writing. --------------------------------------------------------------------------------------------------

bool npy_encode(FILE *f, weft_dtype dtype, weft_shape s, const void *data)
{
    char text[512];
    size_t count = 1;
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", dtype == WEFT_I32 ? "<i4" : "<f4");
    for (int d = 0; d < s.rank; d++) {
        n += snprintf(text + n, sizeof text - (size_t) n, d ? " %lld," : "%lld,", (long long) s.dim[d]);
        count *= (size_t) s.dim[d];
    }
    if (s.rank > 1) n--; // a comma ends only the shape of one dimension
    n += snprintf(text + n, sizeof text - (size_t) n, "), }");
    while ((10 + n + 1) % 64) text[n++] = ' ';
    text[n++] = '\n';
    const unsigned char head[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char) (n & 255), (unsigned char) (n >> 8) };
    if (fwrite(head, 1, 10, f) != 10 || fwrite(text, 1, (size_t) n, f) != (size_t) n) return false;
    const uint32_t one = 1;
    if (*(const unsigned char *) &one) return fwrite(data, 4, count, f) == count;
    for (size_t i = 0; i < count; i++) {
        const uint32_t v = ((const uint32_t *) data)[i];
        const unsigned char b[4] = { v & 255, v >> 8 & 255, v >> 16 & 255, v >> 24 };
        if (fwrite(b, 1, 4, f) != 4) return false;
    }
    return true;
}

static bool put_array(const void *what, FILE *to)
{
    const array *a = what;
    return npy_encode(to, a->dtype, a->shape, a->data);
}

int npy_write(const call *c, const char *path, weft_dtype dtype, weft_shape shape, const void *data)
{
    return write_whole(c, path, put_array, &(array) { .dtype = dtype, .shape = shape, .data = (void *) data });
}
