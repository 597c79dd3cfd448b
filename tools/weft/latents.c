// SPDX-License-Identifier: MIT
// Latents on the command line and in files.
#include "latents.h"
#include "bundled.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEEDS_MOST = 1000000 };

// --- Lists. ----------------------------------------------------------------------------------------------------

// Reads "A" or "A-B" and what follows it: a comma or the end.
static bool read_range(const char **text, long long most, long long *low, long long *high)
{
    char *end;
    if (**text < '0' || **text > '9') return false;
    *low = *high = strtoll(*text, &end, 10);
    if (*end == '-') {
        if (end[1] < '0' || end[1] > '9') return false;
        *high = strtoll(end + 1, &end, 10);
    }
    if (*low > *high || *high > most || (*end && (*end != ',' || !end[1]))) return false;
    *text = end + (*end == ',');
    return true;
}

int parse_seeds(const call *c, const char *text, uint32_t **out, int *count)
{
    long long n = 0, low, high;
    for (const char *p = text; p == text || *p;) {
        if (!read_range(&p, 4294967295, &low, &high)) return usage(c, "'%s' is no list of seeds such as 0,1,4-6 (from 0 to 4294967295)", text);
        n += high - low + 1;
        if (n > SEEDS_MOST) return usage(c, "more than %d seeds", SEEDS_MOST);
    }
    uint32_t *list = malloc(sizeof *list * (size_t) n);
    if (!list) return fail(c, CODE_FAILED, "out of memory");
    *count = 0;
    for (const char *p = text; *p;)
        for (read_range(&p, 4294967295, &low, &high); low <= high; low++) list[(*count)++] = (uint32_t) low;
    *out = list;
    return CODE_OK;
}

int parse_layers(const call *c, const char *text, int layers, uint64_t *out)
{
    long long low, high;
    *out = 0;
    for (const char *p = text; p == text || *p;) {
        if (!read_range(&p, (layers < WEFT_MAX_LAYERS ? layers : WEFT_MAX_LAYERS) - 1, &low, &high))
            return usage(c, "'%s' is no list of layers such as 0-3,6; the generator has 0 to %d", text, layers - 1);
        for (; low <= high; low++) *out |= (uint64_t) 1 << low;
    }
    return CODE_OK;
}

static bool read_real(const char *text, char **end, double *out)
{
    *out = strtod(text, end);
    return *end != text && isfinite(*out);
}

int parse_numbers(const call *c, const char *what, const char *text, double **out, int *count)
{
    int n = 1;
    for (const char *p = text; *p; p++) n += *p == ',';
    double *list = malloc(sizeof *list * (size_t) n);
    if (!list) return fail(c, CODE_FAILED, "out of memory");
    const char *p = text;
    for (*count = 0; *count < n; ++*count) {
        char *end;
        if (!read_real(p, &end, &list[*count]) || *end != (*count + 1 < n ? ',' : 0))
            return free(list), usage(c, "%s wants numbers such as -2,0,2, not '%s'", what, text);
        p = end + 1;
    }
    *out = list;
    return CODE_OK;
}

static double trunc_psi(const latent_options *o)
{
    char *end;
    double psi = 1;
    if (o->trunc) read_real(o->trunc, &end, &psi);
    return psi;
}

static bool read_class(const char *text, int *out)
{
    char *end;
    const long v = strtol(text, &end, 10);
    *out = v < 0 || v > 1 << 30 ? -1 : (int) v;
    return end != text && !*end && *out >= 0;
}

int check_latent_options(const call *c, const latent_options *o)
{
    char *end;
    double psi;
    int class;
    if (o->trunc && (!read_real(o->trunc, &end, &psi) || *end)) return usage(c, "--trunc wants a number, not '%s'", o->trunc);
    if (o->class && !read_class(o->class, &class)) return usage(c, "--class wants a number from 0 on, not '%s'", o->class);
    if (o->seeds && o->latents) return usage(c, "give --seeds or --latents, not both");
    if (o->cutoff && !o->trunc) return usage(c, "--trunc-cutoff without --trunc has no meaning");
    if (o->noise_maps && o->noise) return usage(c, "give --noise or --noise-maps, not both");
    return CODE_OK;
}

// --- Latents. --------------------------------------------------------------------------------------------------

void latents_free(latent_set *s)
{
    free(s->z);
    free(s->ws);
    free(s->seeds);
    *s = (latent_set) { 0 };
}

static size_t ws_numbers(const weft_generator *g)
{
    const weft_generator_info *i = weft_generator_get_info(g);
    return (size_t) i->layers * (size_t) i->w;
}

static int truncate_ws(const call *c, weft_generator *g, const latent_options *o, int count, float *ws)
{
    const weft_result r = weft_generator_truncate(g, count, ws, trunc_psi(o), o->cutoff ? o->cutoff : -1);
    return r == WEFT_OK ? CODE_OK : fail_result(c, r);
}

int latents_map(const call *c, weft_generator *g, const latent_options *o, int count, const float *z, float *ws)
{
    const weft_generator_info *i = weft_generator_get_info(g);
    int class = 0, *classes = NULL;
    if (o->class) read_class(o->class, &class);
    if (i->classes && !o->class) return usage(c, "the generator is conditional: --class 0 to %d is missing", i->classes - 1);
    if (i->classes && class >= i->classes) return usage(c, "--class is %d, not 0 to %d", class, i->classes - 1);
    if (i->classes && !(classes = malloc(sizeof *classes * (size_t) count))) return fail(c, CODE_FAILED, "out of memory");
    for (int k = 0; classes && k < count; k++) classes[k] = class;
    const weft_result r = weft_generator_map(g, count, z, classes, ws);
    free(classes);
    return r == WEFT_OK ? truncate_ws(c, g, o, count, ws) : fail_result(c, r);
}

static int map_set(const call *c, weft_generator *g, const latent_options *o, latent_set *s)
{
    s->ws = malloc(4 * ws_numbers(g) * (size_t) s->count);
    return s->ws ? latents_map(c, g, o, s->count, s->z, s->ws) : fail(c, CODE_FAILED, "out of memory");
}

int latents_from_seeds(const call *c, weft_generator *g, const latent_options *o, const char *list, latent_set *out)
{
    const size_t z = (size_t) weft_generator_get_info(g)->z;
    latent_set s = { 0 };
    int code = parse_seeds(c, list, &s.seeds, &s.count);
    if (code) return code;
    if (!z) code = fail(c, CODE_UNSUPPORTED, "the model has no mapping network: seeds make z, and it takes w; give --latents");
    if (!code && !(s.z = malloc(4 * z * (size_t) s.count))) code = fail(c, CODE_FAILED, "out of memory");
    for (int i = 0; !code && i < s.count; i++) weft_generator_seed(g, s.seeds[i], s.z + (size_t) i * z);
    if (!code) code = map_set(c, g, o, &s);
    if (code) return latents_free(&s), code;
    *out = s;
    return CODE_OK;
}

int arrays_pick(const call *c, const char *text, const char *const *names, array_file **f, int *index)
{
    char *path = malloc(strlen(text) + 1), *colon;
    const char *name = NULL;
    *f = NULL;
    if (!path) return fail(c, CODE_FAILED, "out of memory");
    strcpy(path, text);
    if (access(path, F_OK) && (colon = strrchr(path, ':'))) *colon = 0, name = colon + 1;
    int code = arrays_open(c, path, f);
    *index = -1;
    if (!code && name) {
        *index = arrays_find(*f, name);
        if (*index < 0) code = fail(c, CODE_INPUT, "%s: there is no array '%s'", path, name);
    } else if (!code) {
        for (int i = 0; *index < 0 && names[i]; i++) *index = arrays_find(*f, names[i]);
        if (*index < 0 && arrays_count(*f) == 1) *index = 0;
        if (*index < 0) code = fail(c, CODE_INPUT, "%s: %d arrays, none called '%s'; choose one with %s:NAME", path, arrays_count(*f), names[0], path);
    }
    if (code && *index < 0) arrays_close(*f), *f = NULL;
    free(path);
    return code;
}

// What a file's array is: 'z', 'w' (one for all layers), '+' (one for each), or 0 with the failure printed in *code.
static char kind_of(const call *c, const weft_generator_info *i, int space, const char *text, const char *name, const array *a, int *code)
{
    const weft_shape s = a->shape;
    const int64_t width = s.rank ? s.dim[s.rank - 1] : 0;
    const bool is_w = width == i->w, is_z = width == i->z;
    char kind = 0;
    if (s.rank == 3 && is_w && s.dim[1] == i->layers && i->layers > 1) kind = '+';
    else if (s.rank == 3 && is_w && s.dim[1] == 1) kind = 'w';
    else if ((s.rank == 1 || s.rank == 2) && (is_w || is_z)) {
        const bool named_w = name[0] == 'w' || name[0] == 'W', named_z = name[0] == 'z' || name[0] == 'Z';
        kind = space ? (space == 1 ? 'z' : 'w') : is_w && !is_z ? 'w' : is_z && !is_w ? 'z' : named_w ? 'w' : named_z ? 'z' : '?';
        if ((kind == 'w' && !is_w) || (kind == 'z' && !is_z)) kind = 0;
    }
    *code = CODE_OK;
    if (kind == '?') *code = usage(c, "%s: z and w both have %d numbers here; say --space z or --space w", text, i->w);
    else if (!kind)
        *code = fail(c, CODE_INPUT, "%s: shape %s is neither z (%d numbers), w (%d) nor w+ (%d x %d) of this generator", text, shape_text(s, NULL), i->z,
                     i->w, i->layers, i->w);
    return *code ? 0 : kind;
}

static int take_array(const call *c, weft_generator *g, const latent_options *o, char kind, array *a, latent_set *s)
{
    const weft_generator_info *i = weft_generator_get_info(g);
    const size_t row = kind == 'z' ? (size_t) i->z : kind == 'w' ? (size_t) i->w : ws_numbers(g);
    if (a->bytes / 4 / row > SEEDS_MOST) return fail(c, CODE_INPUT, "more than %d latents", SEEDS_MOST);
    s->count = (int) (a->bytes / 4 / row);
    if (kind == 'z') {
        s->z = a->data, a->data = NULL;
        return map_set(c, g, o, s);
    }
    s->ws = malloc(4 * ws_numbers(g) * (size_t) s->count);
    if (!s->ws) return fail(c, CODE_FAILED, "out of memory");
    const int copies = kind == 'w' ? i->layers : 1;
    for (int n = 0; n < s->count; n++)
        for (int l = 0; l < copies; l++) memcpy(s->ws + ((size_t) n * (size_t) copies + (size_t) l) * row, (const float *) a->data + (size_t) n * row, 4 * row);
    return truncate_ws(c, g, o, s->count, s->ws);
}

static bool finite(const array *a)
{
    for (size_t i = 0; i < a->bytes / 4; i++)
        if (!isfinite(((const float *) a->data)[i])) return false;
    return true;
}

static int latents_from_file(const call *c, weft_generator *g, const latent_options *o, const char *text, latent_set *out)
{
    static const char *const names[] = { "w", "ws", "w_plus", "wp", "latents", "latent", "codes", "z", NULL };
    array_file *f = NULL;
    array a = { 0 };
    latent_set s = { 0 };
    int index, code = arrays_pick(c, text, names, &f, &index);
    if (!code) code = arrays_read(c, f, index, WEFT_F32, &a);
    if (!code && !finite(&a)) code = fail(c, CODE_INPUT, "%s: holds NaN or infinity", text);
    const char kind = code ? 0 : kind_of(c, weft_generator_get_info(g), o->space, text, arrays_name(f, index), &a, &code);
    if (!code) code = take_array(c, g, o, kind, &a, &s);
    free(a.data);
    arrays_close(f);
    if (code) return latents_free(&s), code;
    *out = s;
    return CODE_OK;
}

int latents_load(const call *c, weft_generator *g, const latent_options *o, const char *file, latent_set *out)
{
    if (file) return latents_from_file(c, g, o, file, out);
    if (o->seeds) return latents_from_seeds(c, g, o, o->seeds, out);
    if (o->latents) return latents_from_file(c, g, o, o->latents, out);
    return usage(c, "--seeds or --latents is missing");
}

int latents_save(const call *c, weft_generator *g, const char *path, const latent_set *s)
{
    const weft_generator_info *i = weft_generator_get_info(g);
    named_array a[3] = { { "w", WEFT_F32, WEFT_SHAPE(s->count, i->layers, i->w), s->ws } };
    int n = 1;
    if (s->z && !is_npy_name(path)) a[n++] = (named_array) { "z", WEFT_F32, WEFT_SHAPE(s->count, i->z), s->z };
    int32_t *seeds = malloc(4 * (size_t) s->count);
    bool small = s->seeds && seeds && !is_npy_name(path);
    for (int k = 0; small && k < s->count; k++) small = (seeds[k] = (int32_t) s->seeds[k]) >= 0;
    if (small) a[n++] = (named_array) { "seeds", WEFT_I32, WEFT_SHAPE(s->count), seeds };
    const int code = arrays_write(c, path, a, n);
    free(seeds);
    return code;
}

// --- The generator. --------------------------------------------------------------------------------------------

static int run_progress(void *user, double done)
{
    const generator_use *u = user;
    if (interrupted()) return 1;
    return u->span > 0 ? show_progress((void *) (uintptr_t) u->c, u->from + u->span * done) : 0;
}

int generator_open(call *c, const char *model, const device_options *d, const latent_options *o, int memory_mib, generator_use *out)
{
    int code = load_named_model(c, model, &out->model);
    if (!code) code = open_device(c, d, &out->device);
    if (code) return code;
    out->c = c;
    const weft_generator_params params = {
        .precision = (weft_precision) d->precision, .batch = o->batch, .max_bytes = (size_t) memory_mib << 20,
        .progress = run_progress, .progress_user = out,
    };
    const weft_result r = weft_generator_create(c->ctx, out->device, out->model, &params, &out->g);
    if (r != WEFT_OK) return fail(c, r == WEFT_ERR_ARGUMENT ? CODE_INPUT : result_code(r), "%s: %s", model, weft_error_text());
    const weft_generator_info *i = weft_generator_get_info(out->g);
    if (o->class && !i->classes) note(c, "the generator is not conditional: --class does nothing");
    if (c->verbose)
        note(c, "%s: %d x %d pictures, z %d, w %d x %d, %d classes, %d noise maps", model, i->width, i->height, i->z, i->layers, i->w, i->classes, i->noise_count);
    return CODE_OK;
}

void generator_close(generator_use *u)
{
    weft_generator_destroy(&u->g);
    weft_device_destroy(&u->device);
    weft_model_destroy(&u->model);
}
