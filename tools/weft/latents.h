// SPDX-License-Identifier: MIT
// What commands that work with a generator share: latents from seeds and files, truncation, noise, and pictures to where they go.
#pragma once
#include "npz.h"
#include "sheet.h"
#include <weft/generate.h>
#include <weft/latent.h>

typedef struct latent_options {
    const char *seeds, *latents, *trunc, *class, *noise_maps;
    int space, cutoff, noise, noise_seed, batch;
} latent_options;
enum { NOISE_CONST, NOISE_RANDOM, NOISE_NONE };
#define LATENT_OPTIONS(T)                                                                                                                  \
    { "seeds", 's', OPTION_TEXT, "LIST", offsetof(T, latent.seeds), "latents from seeds such as 0,1,4-6; a seed is what it is in NVIDIA's programs" }, \
    { "latents", 'l', OPTION_TEXT, "FILE[:NAME]", offsetof(T, latent.latents),                                                               \
      "latents from a .npy or .npz file: z [n, z], w [n, w] or [n, 1, w], w+ [n, layers, w]. NAME: which array of a .npz, if it has several" }, \
    { "space", 0, OPTION_CHOICE, "auto|z|w", offsetof(T, latent.space), "what a file's [n, numbers] are where z and w are equally long; an array called z or w says so itself" }, \
    { "trunc", 't', OPTION_TEXT, "PSI", offsetof(T, latent.trunc), "truncation: w goes to mean + PSI (w - mean). Default: 1" },                \
    { "trunc-cutoff", 0, OPTION_INT, "N", offsetof(T, latent.cutoff), "truncate the first N layers only", 1, WEFT_MAX_LAYERS },              \
    { "class", 'c', OPTION_TEXT, "N", offsetof(T, latent.class), "the class, for a conditional generator" },                                \
    { "noise", 0, OPTION_CHOICE, "const|random|none", offsetof(T, latent.noise), "the checkpoint's noise (the default), drawn anew for each picture, or none" }, \
    { "noise-seed", 0, OPTION_INT, "N", offsetof(T, latent.noise_seed), "of random noise; default 0", 0, 2147483647 },                       \
    { "noise-maps", 0, OPTION_TEXT, "FILE.npz", offsetof(T, latent.noise_maps), "noise maps by name, as inversion saves them" },            \
    { "batch", 'b', OPTION_INT, "N", offsetof(T, latent.batch), "pictures per run; default 1", 1, 1024 }

typedef struct latent_set {
    int count;
    float *z;        // [count, z]; NULL: only w is known
    float *ws;       // [count, layers, w], truncated
    uint32_t *seeds; // NULL: not from seeds
} latent_set;

int check_latent_options(const call *c, const latent_options *o); // before a device is opened: --trunc and --class are numbers

// From what the options say. CODE_OK or an exit code, with the failure printed. file: instead of --seeds and --latents; or NULL.
int latents_load(const call *c, weft_generator *g, const latent_options *o, const char *file, latent_set *out);
int latents_from_seeds(const call *c, weft_generator *g, const latent_options *o, const char *list, latent_set *out);
// Maps z [count, z] and truncates, as the options say.
int latents_map(const call *c, weft_generator *g, const latent_options *o, int count, const float *z, float *ws);
void latents_free(latent_set *s);
// w, and z and seeds where they are known; .npy: w alone.
int latents_save(const call *c, weft_generator *g, const char *path, const latent_set *s);

// "0-6,9" as bits; layers beyond the last are an error.
int parse_layers(const call *c, const char *text, int layers, uint64_t *out);
// "0,1,4-6". The list is malloc'd.
int parse_seeds(const call *c, const char *text, uint32_t **out, int *count);
// "-2,0,1.5". The list is malloc'd.
int parse_numbers(const call *c, const char *what, const char *text, double **out, int *count);
// Splits FILE:NAME, where no file has the whole as its name, opens it and finds the array: NAME, the first of `names` (ends with
// NULL) that is there, or the only one.
int arrays_pick(const call *c, const char *text, const char *const *names, array_file **f, int *index);

// --- Generators. ------------------------------------------------------------------------------------------------

// A generator with its model and device, opened from the options and closed.
typedef struct generator_use {
    weft_model *model;
    weft_device *device;
    weft_generator *g;
    const call *c;
    double from, span; // what a run is of the whole work, for the progress bar; 0: no bar
} generator_use;
int generator_open(call *c, const char *model, const device_options *d, const latent_options *o, int memory_mib, generator_use *out);
void generator_close(generator_use *u);

// --- Pictures. -------------------------------------------------------------------------------------------------

// Makes `count` pictures of ws. ids: of each, for its noise; NULL: its index. each: takes the picture, not its ownership; gives CODE_OK.
typedef struct picture_sink { int (*each)(void *user, int index, const weft_image *picture); void *user; } picture_sink;
int make_pictures(generator_use *u, const latent_options *o, int bits, int count, const float *ws, const uint32_t *ids, picture_sink to);

// Where pictures go: to a folder under their names, or into one file, a sheet where they are several. Both where `sheet_path` is given.
typedef struct output {
    const call *c;
    const char *path, *sheet_path; // sheet_path: NULL, or a sheet besides
    bool folder;
    int count;
    int *cell;          // on the sheet, for each picture; NULL: its index; -1: not on it
    void (*name)(const void *user, int index, char *text, size_t room); // without ending; text empty: no file of its own
    const void *user;
    sheet sheet;
} output;
// `columns` x `rows` is the sheet. CODE_OK or an exit code.
int output_start(output *o, const weft_generator_info *i, int bits, int columns, int rows);
int output_put(void *output, int index, const weft_image *picture); // a picture_sink's `each`
int output_end(output *o, int code);                                // saves the sheet unless `code` says that something failed
bool is_file_name(const char *path);                                  // it ends as pictures do
int columns_for(int count, int wanted);                             // wanted 0: about as many as rows
