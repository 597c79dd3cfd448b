// SPDX-License-Identifier: MIT
// weft generate: pictures from seeds and latents, grids of mixed styles, paths between latents.
#include "latents.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct generate_options {
    device_options device;
    latent_options latent;
    const char *out, *sheet, *save, *mix;
    int steps, path, loop, columns, bits, memory;
};
enum { PATH_W, PATH_Z };
static const option generate_options[] = {
    LATENT_OPTIONS(struct generate_options),
    { "output", 'o', OPTION_TEXT, "OUT", offsetof(struct generate_options, out),
      "a folder for pictures named after their seeds, or a .png or .jpg file: the picture, or a sheet of several" },
    { "style-mix", 0, OPTION_TEXT, "ROWS/COLS/LAYERS", offsetof(struct generate_options, mix),
      "a grid of the seeds ROWS, whose layers LAYERS come from the seeds COLS, such as 85,100/55,821/0-6" },
    { "interpolate", 0, OPTION_INT, "STEPS", offsetof(struct generate_options, steps), "frames on the way: STEPS from each latent to the next", 1, 100000 },
    { "path", 0, OPTION_CHOICE, "w|z", offsetof(struct generate_options, path), "interpolate w on straight lines (the default) or z on great circles" },
    { "loop", 0, OPTION_FLAG, NULL, offsetof(struct generate_options, loop), "interpolate back to the first latent, too" },
    { "save-latents", 0, OPTION_TEXT, "FILE.npz", offsetof(struct generate_options, save), "keep the latents: w [n, layers, w] as used, and z and seeds; a .npy file gets w alone" },
    { "sheet", 0, OPTION_TEXT, "FILE.png", offsetof(struct generate_options, sheet), "besides a folder, a sheet of all pictures" },
    { "columns", 0, OPTION_INT, "N", offsetof(struct generate_options, columns), "of a sheet; default: about as many as rows, and for --interpolate a row per latent", 1, 10000 },
    { "bits", 0, OPTION_CHOICE, "8|16", offsetof(struct generate_options, bits), "of a sample" },
    DEVICE_OPTIONS(struct generate_options),
    PRECISION_OPTION(struct generate_options),
    { "memory", 0, OPTION_INT, "MIB", offsetof(struct generate_options, memory), "refuse to take more memory than this", 1, 1 << 30 },
    { 0 }
};

static int bits_of(const struct generate_options *o) { return o->bits ? 16 : 8; }

// --- One picture per latent. -----------------------------------------------------------------------------------

static void name_latent(const void *user, int index, char *text, size_t room)
{
    const latent_set *s = user;
    if (s->seeds) snprintf(text, room, "seed%04lu", (unsigned long) s->seeds[index]);
    else snprintf(text, room, "latent%04d", index);
}

static void name_frame(const void *user, int index, char *text, size_t room)
{
    (void) user;
    snprintf(text, room, "frame%05d", index);
}

static int make_set(const call *c, generator_use *u, const latent_set *s, bool frames, int columns)
{
    const struct generate_options *o = c->options;
    output out = { .c = c, .path = o->out, .sheet_path = o->sheet, .count = s->count, .name = frames ? name_frame : name_latent, .user = s };
    int code = output_start(&out, weft_generator_get_info(u->g), bits_of(o), columns, (s->count + columns - 1) / columns);
    if (!code) code = make_pictures(u, &o->latent, bits_of(o), s->count, s->ws, s->seeds, (picture_sink) { output_put, &out });
    return output_end(&out, code);
}

static int generate_each(const call *c, generator_use *u)
{
    const struct generate_options *o = c->options;
    latent_set s = { 0 };
    int code = latents_load(c, u->g, &o->latent, NULL, &s);
    if (!code && o->save) code = latents_save(c, u->g, o->save, &s);
    if (!code && (o->out || !o->save)) code = make_set(c, u, &s, false, columns_for(s.count, o->columns));
    latents_free(&s);
    return code;
}

// --- Paths. ----------------------------------------------------------------------------------------------------

static int fill_path(const call *c, weft_generator *g, const latent_set *keys, int steps, latent_set *path)
{
    const struct generate_options *o = c->options;
    const weft_generator_info *i = weft_generator_get_info(g);
    const size_t row = o->path == PATH_Z ? (size_t) i->z : (size_t) i->layers * (size_t) i->w, w = (size_t) i->layers * (size_t) i->w;
    const float *from = o->path == PATH_Z ? keys->z : keys->ws;
    float *to = path->ws = malloc(4 * w * (size_t) path->count);
    if (o->path == PATH_Z) to = path->z = malloc(4 * row * (size_t) path->count);
    if (!path->ws || !to) return fail(c, CODE_FAILED, "out of memory");
    for (int f = 0; f < path->count; f++) {
        const float *a = from + (size_t) (f / steps % keys->count) * row, *b = from + (size_t) ((f / steps + 1) % keys->count) * row;
        const double t = (double) (f % steps) / steps;
        (o->path == PATH_Z ? weft_latent_slerp : weft_latent_lerp)(a, b, row, t, to + (size_t) f * row);
    }
    return o->path == PATH_Z ? latents_map(c, g, &o->latent, path->count, path->z, path->ws) : CODE_OK;
}

static int generate_path(const call *c, generator_use *u)
{
    const struct generate_options *o = c->options;
    latent_set keys = { 0 }, path = { 0 };
    int code = latents_load(c, u->g, &o->latent, NULL, &keys);
    const int spans = keys.count - !o->loop;
    if (!code && keys.count < 2) code = usage(c, "--interpolate wants two latents or more");
    if (!code && o->path == PATH_Z && !keys.z) code = usage(c, "--path z wants seeds or z latents; these are w");
    if (!code && (double) spans * o->steps > 1e6) code = usage(c, "more than a million frames");
    if (!code) {
        path.count = spans * o->steps + !o->loop; // the last latent itself, unless it is the first again
        code = fill_path(c, u->g, &keys, o->steps, &path);
    }
    if (!code && o->save) code = latents_save(c, u->g, o->save, &path);
    if (!code && (o->out || !o->save)) {
        const int wide = o->columns ? o->columns : spans == 1 ? path.count : o->steps;
        code = make_set(c, u, &path, true, columns_for(path.count, wide));
    }
    latents_free(&keys);
    latents_free(&path);
    return code;
}

// --- Style mixing. ---------------------------------------------------------------------------------------------

// Pictures are made of the rows' latents, then the columns', then all mixtures, row after row.
struct mixing { latent_set rows, cols; };

static void name_mixture(const void *user, int index, char *text, size_t room)
{
    const struct mixing *m = user;
    const int r = m->rows.count, k = m->cols.count, mix = index - r - k;
    if (index < r) snprintf(text, room, "seed%04lu", (unsigned long) m->rows.seeds[index]);
    else if (mix < 0) snprintf(text, room, "seed%04lu", (unsigned long) m->cols.seeds[index - r]);
    else snprintf(text, room, "%lu-%lu", (unsigned long) m->rows.seeds[mix / k], (unsigned long) m->cols.seeds[mix % k]);
}

static int fill_mixtures(const call *c, const weft_generator_info *i, const struct mixing *m, uint64_t layers, latent_set *all, int *cell)
{
    const int r = m->rows.count, k = m->cols.count;
    const size_t w = (size_t) i->layers * (size_t) i->w;
    all->ws = malloc(4 * w * (size_t) all->count);
    all->seeds = malloc(sizeof *all->seeds * (size_t) all->count);
    if (!all->ws || !all->seeds) return fail(c, CODE_FAILED, "out of memory");
    memcpy(all->ws, m->rows.ws, 4 * w * (size_t) r);
    memcpy(all->ws + w * (size_t) r, m->cols.ws, 4 * w * (size_t) k);
    for (int n = 0; n < all->count; n++) {
        const int row = n < r ? n : n < r + k ? -1 : (n - r - k) / k, col = n < r ? -1 : n < r + k ? n - r : (n - r - k) % k;
        cell[n] = (row + 1) * (k + 1) + col + 1; // the corner stays black
        all->seeds[n] = row >= 0 ? m->rows.seeds[row] : m->cols.seeds[col];
        if (n < r + k) continue;
        float *to = all->ws + (size_t) n * w;
        memcpy(to, m->rows.ws + (size_t) row * w, 4 * w);
        weft_latent_mix(to, m->cols.ws + (size_t) col * w, i->layers, i->w, layers);
    }
    return CODE_OK;
}

static int make_grid(const call *c, generator_use *u, const struct mixing *m, uint64_t layers)
{
    const struct generate_options *o = c->options;
    const weft_generator_info *i = weft_generator_get_info(u->g);
    const int r = m->rows.count, k = m->cols.count;
    char grid[4096];
    if ((double) r * k > 1e5) return usage(c, "more than 100000 mixtures");
    latent_set all = { .count = r + k + r * k };
    output out = { .c = c, .path = o->out, .sheet_path = o->sheet, .count = all.count, .name = name_mixture, .user = m };
    int code = (out.cell = malloc(sizeof *out.cell * (size_t) all.count)) ? CODE_OK : fail(c, CODE_FAILED, "out of memory");
    if (!code) code = fill_mixtures(c, i, m, layers, &all, out.cell);
    if (!code && o->save) code = latents_save(c, u->g, o->save, &all);
    if (!code && o->out && !o->sheet && !is_file_name(o->out)) { // a folder gets the grid, too
        if (snprintf(grid, sizeof grid, "%s/grid.png", o->out) >= (int) sizeof grid) code = usage(c, "%s: too long a name", o->out);
        out.sheet_path = grid;
    }
    if (!code) code = output_start(&out, i, bits_of(o), k + 1, r + 1);
    if (!code) code = make_pictures(u, &o->latent, bits_of(o), all.count, all.ws, all.seeds, (picture_sink) { output_put, &out });
    code = output_end(&out, code);
    free(out.cell);
    latents_free(&all);
    return code;
}

static int generate_mixtures(const call *c, generator_use *u)
{
    const struct generate_options *o = c->options;
    struct mixing m = { 0 };
    uint64_t layers;
    char text[4096], *cols, *chosen = NULL;
    if (o->latent.seeds || o->latent.latents) return usage(c, "--style-mix names its seeds itself; --seeds and --latents do not go with it");
    if (strlen(o->mix) >= sizeof text) return usage(c, "--style-mix is too long");
    strcpy(text, o->mix);
    if ((cols = strchr(text, '/'))) *cols++ = 0, chosen = strchr(cols, '/');
    if (chosen) *chosen++ = 0;
    if (!chosen) return usage(c, "--style-mix wants ROWS/COLS/LAYERS such as 85,100/55,821/0-6, not '%s'", o->mix);
    int code = parse_layers(c, chosen, weft_generator_get_info(u->g)->layers, &layers);
    if (!code) code = latents_from_seeds(c, u->g, &o->latent, text, &m.rows);
    if (!code) code = latents_from_seeds(c, u->g, &o->latent, cols, &m.cols);
    if (!code) code = make_grid(c, u, &m, layers);
    latents_free(&m.rows);
    latents_free(&m.cols);
    return code;
}

static int run_generate(call *c)
{
    const struct generate_options *o = c->options;
    generator_use u = { 0 };
    int code = check_latent_options(c, &o->latent);
    if (!code && !o->out && !o->save) code = usage(c, "-o OUT is missing");
    if (!code && o->mix && o->steps) code = usage(c, "give --style-mix or --interpolate, not both");
    if (!code && !o->steps && (o->loop || o->path)) code = usage(c, "--%s without --interpolate has no meaning", o->loop ? "loop" : "path");
    if (!code && !o->mix && !o->latent.seeds && !o->latent.latents) code = usage(c, "--seeds, --latents or --style-mix is missing");
    if (!code) code = generator_open(c, c->args[0], &o->device, &o->latent, o->memory, &u);
    if (!code) code = o->mix ? generate_mixtures(c, &u) : o->steps ? generate_path(c, &u) : generate_each(c, &u);
    generator_close(&u);
    return code;
}

const command command_generate = {
    .name = "generate", .args = "MODEL --seeds LIST -o OUT", .summary = "makes pictures with a generator",
    .options = generate_options, .option_bytes = sizeof(struct generate_options), .least = 1, .most = 1, .run = run_generate,
    .about = "MODEL is a generator as `weft import` makes it: a .weft file, or the name of a bundled model. A seed gives the latent that\n"
             "NVIDIA's programs make of it, RandomState(seed).randn(1, z), and 8-bit pictures are rounded as theirs. Random noise of a picture\n"
             "comes from RandomState([noise seed, seed]), or its index where it has no seed.",
    .examples = "  weft generate ffhq.weft --seeds 0,1,4-6 --trunc 0.7 -o pictures\n"
                "  weft generate ffhq.weft --seeds 0-15 --trunc 0.7 --trunc-cutoff 8 -o sheet.png --save-latents w.npz\n"
                "  weft generate ffhq.weft --style-mix 85,100,75/821,1789/0-6 -o grid.png\n"
                "  weft generate ffhq.weft --seeds 3,7,3 --interpolate 30 --path z -o frames\n"
                "  weft generate ffhq.weft --latents projected_w.npz -o again.png",
};
