// SPDX-License-Identifier: MIT
// weft edit: directions from files, and how far to go along them.
#include "editing.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void directions_free(directions *d)
{
    for (int i = 0; i < d->count; i++) free(d->at[i].data), free(d->at[i].strength);
    d->count = 0;
}

// Takes ":N" from the end of `text`, where no file has the whole as its name. -1: there is none.
static int take_index(char *text)
{
    char *colon = access(text, F_OK) ? strrchr(text, ':') : NULL, *end;
    if (!colon || colon[1] < '0' || colon[1] > '9') return -1;
    const long n = strtol(colon + 1, &end, 10);
    if (*end || n > 1 << 30) return -1;
    *colon = 0;
    return (int) n;
}

// Which row of the array: *layers x w numbers from *from on.
static int find_row(const call *c, const weft_generator_info *i, const char *text, const array *a, int index, int *layers, size_t *from)
{
    const weft_shape s = a->shape;
    const int64_t width = s.rank ? s.dim[s.rank - 1] : 0;
    int64_t rows = s.rank > 1 ? s.dim[0] : 1;
    if (s.rank < 1 || s.rank > 3 || width != i->w || (s.rank == 3 && s.dim[1] != i->layers && s.dim[1] != 1))
        return fail(c, CODE_INPUT, "%s: shape %s is no direction of this generator: [%d], or [%d, %d], or several of them", text, shape_text(s, NULL), i->w,
                    i->layers, i->w);
    *layers = s.rank == 3 ? (int) s.dim[1] : 1;
    if (s.rank == 2 && index < 0 && rows == i->layers) *layers = i->layers, rows = 1; // one, layer by layer
    if (index < 0 && rows > 1) return usage(c, "%s: %lld directions; choose one with %s:N, from 0", text, (long long) rows, text);
    if (index >= rows) return usage(c, "%s: there is no direction %d; it has 0 to %lld", text, index, (long long) rows - 1);
    *from = (size_t) (index < 0 ? 0 : index) * (size_t) *layers * (size_t) i->w;
    return CODE_OK;
}

// Principal components come with what a standard deviation along each is: strengths count those.
static int sigma_of(const call *c, array_file *f, int index, double *sigma)
{
    array a = { 0 };
    const int at = arrays_find(f, "stdev");
    *sigma = 1;
    if (at < 0 || index < 0) return CODE_OK;
    const int code = arrays_read(c, f, at, WEFT_F32, &a);
    if (!code && (size_t) index < a.bytes / 4) *sigma = ((const float *) a.data)[index];
    free(a.data);
    return code;
}

static int read_one(const call *c, const weft_generator_info *i, const char *given, direction *d)
{
    static const char *const names[] = { "direction", "components", "boundary", "normal", NULL };
    array_file *f = NULL;
    array a = { 0 };
    size_t from = 0;
    double sigma = 1;
    int at, code;
    char *text = malloc(strlen(given) + 1);
    if (!text) return fail(c, CODE_FAILED, "out of memory");
    strcpy(text, given);
    const int index = take_index(text);
    code = arrays_pick(c, text, names, &f, &at);
    if (!code) code = arrays_read(c, f, at, WEFT_F32, &a);
    if (!code) code = find_row(c, i, text, &a, index, &d->layers, &from);
    if (!code) code = sigma_of(c, f, index, &sigma);
    const size_t count = code ? 0 : (size_t) d->layers * (size_t) i->w;
    if (!code && !(d->data = malloc(4 * count))) code = fail(c, CODE_FAILED, "out of memory");
    for (size_t k = 0; !code && k < count; k++) {
        d->data[k] = (float) (sigma * ((const float *) a.data)[from + k]);
        if (!isfinite(d->data[k])) code = fail(c, CODE_INPUT, "%s: holds NaN or infinity", given);
    }
    free(a.data);
    arrays_close(f);
    free(text);
    return code;
}

static const char *of_each(const text_list *l, int k) { return !l->count ? NULL : l->at[l->count == 1 ? 0 : k]; }

int directions_read(const call *c, const weft_generator_info *i, directions *out)
{
    const struct edit_options *o = c->options;
    const int n = o->direction.count;
    *out = (directions) { .steps = 1 };
    if (!n && (o->strength.count || o->layers.count)) return usage(c, "--strength and --layers without --direction have no meaning");
    if (o->strength.count > 1 && o->strength.count != n) return usage(c, "%d strengths for %d directions; give one for all or one for each", o->strength.count, n);
    if (o->layers.count > 1 && o->layers.count != n) return usage(c, "%d lists of layers for %d directions; give one for all or one for each", o->layers.count, n);
    for (int k = 0, code; k < n; k++) {
        direction *d = &out->at[out->count++];
        const char *layers = of_each(&o->layers, k), *strength = of_each(&o->strength, k);
        d->chosen = WEFT_ALL_LAYERS;
        if (layers && (code = parse_layers(c, layers, i->layers, &d->chosen))) return code;
        if ((code = parse_numbers(c, "--strength", strength ? strength : "1", &d->strength, &d->strengths))) return code;
        if ((code = read_one(c, i, o->direction.at[k], d))) return code;
        if (d->strengths > out->steps) out->steps = d->strengths;
    }
    for (int k = 0; k < n; k++)
        if (out->at[k].strengths != 1 && out->at[k].strengths != out->steps)
            return usage(c, "lists of %d and of %d strengths do not go together", out->at[k].strengths, out->steps);
    return CODE_OK;
}
