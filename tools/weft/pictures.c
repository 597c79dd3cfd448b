// SPDX-License-Identifier: MIT
// From latents to picture files and sheets.
#include "latents.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NOISE_MAPS_MOST = 128 };

// --- Noise maps from a file. -----------------------------------------------------------------------------------

struct maps { array at[NOISE_MAPS_MOST]; const float *data[NOISE_MAPS_MOST]; int count; };

static void free_maps(struct maps *m)
{
    for (int i = 0; i < m->count; i++) free(m->at[i].data);
    m->count = 0;
}

static int read_maps(const call *c, const weft_generator *g, const char *path, struct maps *m)
{
    array_file *f;
    const char *name;
    int height, width, code = arrays_open(c, path, &f);
    if (code) return code;
    for (int i = 0; !code && weft_generator_noise(g, i, &name, &height, &width); i++) {
        const int at = arrays_find(f, name);
        if (at < 0) code = fail(c, CODE_INPUT, "%s: there is no noise map '%s'", path, name);
        else if (!(code = arrays_read(c, f, at, WEFT_F32, &m->at[i]))) {
            m->data[i] = m->at[i].data;
            m->count = i + 1;
            if (m->at[i].bytes != 4 * (size_t) height * (size_t) width)
                code = fail(c, CODE_INPUT, "%s: noise map '%s' is %s, not %d x %d", path, name, shape_text(m->at[i].shape, NULL), height, width);
        }
    }
    arrays_close(f);
    if (!code && !m->count) code = fail(c, CODE_UNSUPPORTED, "the generator takes no noise maps");
    return code;
}

// --- Making pictures. ------------------------------------------------------------------------------------------

static int give(const call *c, const weft_generator *g, int bits, const float *image, int index, picture_sink to)
{
    weft_image *picture = NULL;
    const weft_result r = weft_generator_picture(g, image, bits, &picture);
    if (r != WEFT_OK) return fail_result(c, r);
    const int code = to.each(to.user, index, picture);
    weft_image_destroy(&picture);
    return code;
}

static int make_some(const call *c, weft_generator *g, const latent_options *o, const struct maps *maps, int count, const float *ws, uint32_t id, float *image)
{
    static const weft_noise_mode modes[] = { WEFT_NOISE_CONST, WEFT_NOISE_RANDOM, WEFT_NOISE_NONE };
    weft_random_state random;
    weft_random_seed_array(&random, (const uint32_t[]) { (uint32_t) o->noise_seed, id }, 2);
    const weft_noise noise = { maps->count ? WEFT_NOISE_MAPS : modes[o->noise], &random, maps->data };
    const weft_result r = weft_generator_run(g, count, ws, &noise, image);
    if (r == WEFT_OK) return CODE_OK;
    return r == WEFT_ERR_VRAM ? fail(c, CODE_FAILED, "%s; try a smaller --batch, --precision fast or --device cpu", weft_error_text()) : fail_result(c, r);
}

int make_pictures(generator_use *u, const latent_options *o, int bits, int count, const float *ws, const uint32_t *ids, picture_sink to)
{
    const call *c = u->c;
    weft_generator *g = u->g;
    const weft_generator_info *i = weft_generator_get_info(g);
    const size_t numbers = (size_t) i->channels * (size_t) i->height * (size_t) i->width, row = (size_t) i->layers * (size_t) i->w;
    int batch = o->batch ? o->batch : 1, code = CODE_OK;
    struct maps maps = { 0 };
    if (o->noise == NOISE_RANDOM) batch = 1; // each has a stream of its own
    if (batch > count) batch = count;
    if (o->noise_maps) code = read_maps(c, g, o->noise_maps, &maps);
    float *image = code ? NULL : malloc(4 * numbers * (size_t) batch);
    if (!code && !image) code = fail(c, CODE_FAILED, "out of memory");
    for (int at = 0; !code && at < count; at += batch) {
        const int first = at + batch > count ? count - batch : at; // the last batch is full, too: a second session would cost more
        u->from = (double) first / count, u->span = (double) batch / count;
        if (interrupted()) code = fail(c, CODE_FAILED, "stopped after %d of %d pictures", at, count);
        else code = make_some(c, g, o, &maps, batch, ws + (size_t) first * row, ids ? ids[at] : (uint32_t) at, image);
        for (int k = at - first; !code && k < batch; k++) code = give(c, g, bits, image + (size_t) k * numbers, first + k, to);
    }
    u->span = 0;
    end_progress();
    free(image);
    free_maps(&maps);
    return code;
}

// --- Where they go. --------------------------------------------------------------------------------------------

bool is_file_name(const char *path)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG" };
    const size_t n = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (n > strlen(endings[i]) && !strcmp(path + n - strlen(endings[i]), endings[i])) return true;
    return false;
}

int columns_for(int count, int wanted)
{
    int n = 1;
    if (wanted) return wanted < count ? wanted : count;
    while (n * n < count) n++;
    return n;
}

int output_start(output *o, const weft_generator_info *i, int bits, int columns, int rows)
{
    struct stat st;
    if (!o->path) return usage(o->c, "-o FOLDER or -o FILE.png is missing");
    o->folder = !stat(o->path, &st) ? S_ISDIR(st.st_mode) : !is_file_name(o->path);
    const char *dot = strrchr(o->path, '.');
    if (o->folder && stat(o->path, &st) && dot && strlen(dot) <= 5 && !strchr(dot, '/'))
        return usage(o->c, "%s: the name must end in .png or .jpg, or be that of a folder", o->path);
    if (!o->folder && o->count > 1 && o->sheet_path) return usage(o->c, "-o is a sheet already: --sheet has no meaning without a folder");
    if (!o->folder && !is_file_name(o->path)) return fail(o->c, CODE_USAGE, "%s: neither a folder nor a name that ends in .png or .jpg", o->path);
    if (o->sheet_path && !is_file_name(o->sheet_path)) return usage(o->c, "--sheet %s: the name must end in .png or .jpg", o->sheet_path);
    if (o->folder && mkdir(o->path, 0777) && errno != EEXIST) return fail(o->c, CODE_FAILED, "%s: cannot make the folder: %s", o->path, strerror(errno));
    if (o->sheet_path || (!o->folder && o->count > 1)) return sheet_start(o->c, columns, rows, i->width, i->height, i->channels, bits, &o->sheet);
    return CODE_OK;
}

static int save(const output *o, const weft_image *picture, const char *path)
{
    const weft_result r = weft_image_save(picture, path, NULL);
    return r == WEFT_OK ? CODE_OK : fail_result(o->c, r);
}

int output_put(void *user, int index, const weft_image *picture)
{
    output *o = user;
    const int cell = o->cell ? o->cell[index] : index;
    char name[128] = "";
    if (o->sheet.canvas && cell >= 0) sheet_put(&o->sheet, cell, picture);
    if (!o->folder) return o->count == 1 ? save(o, picture, o->path) : CODE_OK;
    o->name(o->user, index, name, sizeof name);
    if (!name[0]) return CODE_OK;
    char *path = malloc(strlen(o->path) + sizeof name + 8);
    if (!path) return fail(o->c, CODE_FAILED, "out of memory");
    sprintf(path, "%s/%s.png", o->path, name);
    const int code = save(o, picture, path);
    free(path);
    return code;
}

int output_end(output *o, int code)
{
    if (!code && o->sheet.canvas) code = save(o, o->sheet.canvas, o->sheet_path ? o->sheet_path : o->path);
    sheet_end(&o->sheet);
    return code;
}
