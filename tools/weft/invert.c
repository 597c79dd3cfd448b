// SPDX-License-Identifier: MIT
// weft invert: the latents of photos.
#include "batch.h"
#include "bundled.h"
#include "dims.h"
#include "losses.h"
#include "npz.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/invert.h>

enum { SEGMENTS_MOST = 16, ARRAYS_MOST = 128, DEFAULT_SEED = 303 };

struct invert_options {
    device_options device;
    loss_options loss;
    text_list in, segments;
    const char *out, *network, *mask, *init, *encoder;
    const char *seed, *rate, *rampup, *rampdown, *noise_factor, *noise_ramp, *noise_weight, *clip_norm, *stop_loss, *tune_rate, *tune_stop_loss;
    int space, noise, mode, fill, steps, samples, class, patience, tune, checkpoint_every, check_every, frames, stretch, memory, resume, no_sheet;
};
#define AT(field) offsetof(struct invert_options, field)
static const option invert_options[] = {
    { "input", 'i', OPTION_LIST, "PHOTO", AT(in), "a PNG or JPEG picture, or a folder of them; may be given again" },
    { "target", 0, OPTION_LIST, "PHOTO", AT(in), "the same" },
    { "network", 'n', OPTION_TEXT, "MODEL", AT(network), "the generator, a .weft file or the name of a bundled model" },
    { "output", 'o', OPTION_TEXT, "DIR", AT(out), "the folder for the results; several photos get a folder each in it" },
    { "outdir", 0, OPTION_TEXT, "DIR", AT(out), "the same" },
    { "space", 's', OPTION_CHOICE, "w+|w|z|s", AT(space), "what is looked for: a w for each layer (the default), one w, z, or styles" },
    { "noise", 0, OPTION_CHOICE, "const|none|optimize", AT(noise), "the checkpoint's noise maps (the default), none, or maps that are found too (as the projector does)" },
    { "init", 0, OPTION_TEXT, "mean|FILE|encoder", AT(init), "where to start: the mean latent (the default), a .npy or .npz of latents, or what an encoder says: --init encoder MODEL" },
    { "encoder", 0, OPTION_TEXT, "MODEL", AT(encoder), "start from this encoder: `weft import` with --arch e4e or psp" },
    { "mask", 'm', OPTION_TEXT, "MASK", AT(mask), "what does not count: white is hidden. A picture of any size, or a folder with NAME.* or NAME.mask.* for each photo" },
    { "mask-mode", 0, OPTION_CHOICE, "hole|keep|alpha", AT(mode), "white is hidden, the default; or is what counts; or what is transparent is hidden" },
    { "fill", 0, OPTION_FLAG, NULL, AT(fill), "also write the photo with what is hidden filled by the generator (Image2StyleGAN++)" },
    { "segment", 0, OPTION_LIST, "MASK", AT(segments), "a latent for this part of the photo, blended with others by their masks' brightness; may be given again (ChunkyGAN)" },
    { "segments", 0, OPTION_LIST, "MASK", AT(segments), "the same" },
    LOSS_OPTIONS(struct invert_options),
    { "num-steps", 0, OPTION_INT, "N", AT(steps), "steps; default 1000", 1, 1000000 },
    { "initial-learning-rate", 0, OPTION_TEXT, "X", AT(rate), "of Adam; default 0.1" },
    { "lr-rampup-length", 0, OPTION_TEXT, "X", AT(rampup), "share of the steps in which the rate rises from 0; default 0.05" },
    { "lr-rampdown-length", 0, OPTION_TEXT, "X", AT(rampdown), "share of the steps in which it falls to 0; default 0.25" },
    { "initial-noise-factor", 0, OPTION_TEXT, "X", AT(noise_factor), "noise on the latents, in standard deviations; default 0.05" },
    { "noise-ramp-length", 0, OPTION_TEXT, "X", AT(noise_ramp), "share of the steps after which that has vanished; default 0.75" },
    { "regularize-noise-weight", 0, OPTION_TEXT, "X", AT(noise_weight), "of noise maps that are found; default 1e5" },
    { "w-avg-samples", 0, OPTION_INT, "N", AT(samples), "for mean and deviation of w; default 10000", 2, 1000000 },
    { "clip-norm", 0, OPTION_TEXT, "X", AT(clip_norm), "limit of the gradients' norm; default: none" },
    { "seed", 0, OPTION_TEXT, "N", AT(seed), "of the noise; default 303" },
    { "class", 0, OPTION_INT, "N", AT(class), "of a generator with classes; default 0", 0, 1000000 },
    { "stop-loss", 0, OPTION_TEXT, "X", AT(stop_loss), "stop when the loss falls below this" },
    { "patience", 0, OPTION_INT, "N", AT(patience), "stop when the loss has not fallen by a thousandth in N steps", 1, 1000000 },
    { "tune", 0, OPTION_INT, "N", AT(tune), "then N steps on the generator's own weights (pivotal tuning); the tuned generator is written too", 1, 1000000 },
    { "tune-rate", 0, OPTION_TEXT, "X", AT(tune_rate), "learning rate of these; default 3e-4" },
    { "tune-stop-loss", 0, OPTION_TEXT, "X", AT(tune_stop_loss), "end the tuning when the loss falls below this (PTI: 0.06 of lpips)" },
    { "frames", 0, OPTION_INT, "N", AT(frames), "pictures on the contact sheet; default 16", 2, 400 },
    { "no-sheet", 0, OPTION_FLAG, NULL, AT(no_sheet), "no contact sheet" },
    { "stretch", 0, OPTION_FLAG, NULL, AT(stretch), "stretch the photo to the generator's shape instead of cutting out its middle" },
    { "checkpoint-every", 0, OPTION_INT, "N", AT(checkpoint_every), "steps between checkpoints; default 100", 1, 1000000 },
    { "resume", 0, OPTION_FLAG, NULL, AT(resume), "go on from the checkpoint in DIR, and skip photos that are done" },
    { "memory", 0, OPTION_INT, "MIB", AT(memory), "memory a step may take; default: no limit", 1, 1 << 30 },
    DEVICE_OPTIONS(struct invert_options),
    PRECISION_OPTION(struct invert_options),
    { 0 }
};

// What all photos share.
struct invert_tools {
    weft_model *generator, *encoder;
    weft_device *device;
    weft_inverter *inverter;
    loss_set losses;
    weft_image *segments[SEGMENTS_MOST];
    array_file *start_file;
    array starts[ARRAYS_MOST];
    weft_array start[ARRAYS_MOST];
    int start_count;
};

// --- Numbers. --------------------------------------------------------------------------------------------------

// 0 means a default to the library and none to the user.
static int read_number(const call *c, const char *name, const char *text, double *to)
{
    char *end;
    if (!text) return CODE_OK;
    const double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v) || v < 0) return usage(c, "--%s wants a number from 0 on, not '%s'", name, text);
    *to = v == 0 ? -1 : v;
    return CODE_OK;
}

static int read_params(const call *c, weft_invert_params *p)
{
    const struct invert_options *o = c->options;
    const struct { const char *name, *text; double *to; } numbers[] = {
        { "initial-learning-rate", o->rate, &p->rate }, { "lr-rampup-length", o->rampup, &p->rampup }, { "lr-rampdown-length", o->rampdown, &p->rampdown },
        { "initial-noise-factor", o->noise_factor, &p->latent_noise }, { "noise-ramp-length", o->noise_ramp, &p->latent_noise_ramp },
        { "regularize-noise-weight", o->noise_weight, &p->noise_weight }, { "clip-norm", o->clip_norm, &p->clip_norm },
        { "stop-loss", o->stop_loss, &p->stop_loss }, { "tune-rate", o->tune_rate, &p->tune_rate }, { "tune-stop-loss", o->tune_stop_loss, &p->tune_stop_loss },
    };
    int code = CODE_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !code; i++) code = read_number(c, numbers[i].name, numbers[i].text, numbers[i].to);
    if (!code && (p->rate < 0 || p->tune_rate < 0)) return usage(c, "a learning rate of 0 changes nothing");
    if (p->clip_norm < 0) p->clip_norm = 0;
    char *end = NULL;
    const unsigned long long seed = o->seed ? strtoull(o->seed, &end, 10) : DEFAULT_SEED;
    if (!code && o->seed && (end == o->seed || *end || seed > 0xffffffff || *o->seed == '-')) return usage(c, "--seed wants a whole number below 2^32, not '%s'", o->seed);
    p->seed = (uint32_t) seed;
    return code;
}

// --- Progress. -------------------------------------------------------------------------------------------------

static bool line_shown;

static int show_step(void *user, const weft_invert_progress *p)
{
    const call *c = user;
    static double last;
    const double now = seconds_since(0);
    char text[512];
    int n = 0;
    if (interrupted()) return 1;
    for (int i = 0; i < p->loss_count && n < 400; i++) n += snprintf(text + n, sizeof text - (size_t) n, "  %s %.4g", p->loss_names[i], (double) p->losses[i]);
    if (!c->quiet && isatty(STDERR_FILENO) && (!line_shown || now - last > 0.1)) {
        fprintf(stderr, "\r\033[K%s%d of %d%s  %.3g steps/s", p->tuning ? "tuning " : "", p->step, p->steps, text, p->steps_per_second);
        fflush(stderr);
        line_shown = true, last = now;
    } else if (c->verbose && !isatty(STDERR_FILENO) && (p->step % 100 == 0 || p->step == p->steps))
        note(c, "%s%d of %d%s  %.3g steps/s", p->tuning ? "tuning " : "", p->step, p->steps, text, p->steps_per_second);
    return 0;
}

static void end_line(void)
{
    if (line_shown) fputs("\r\033[K", stderr);
    line_shown = false;
}

// --- Results. --------------------------------------------------------------------------------------------------

static char *path_in(const char *folder, const char *name)
{
    char *p = malloc(strlen(folder) + strlen(name) + 2);
    if (p) sprintf(p, "%s/%s", folder, name);
    return p;
}

static int save_picture(const call *c, const char *folder, const char *name, const weft_image *i)
{
    char *path = path_in(folder, name);
    if (!i) return free(path), CODE_OK;
    if (!path) return fail(c, CODE_FAILED, "out of memory");
    const weft_result r = weft_image_save(i, path, NULL);
    free(path);
    return r == WEFT_OK ? CODE_OK : fail_result(c, r);
}

static int save_arrays(const call *c, const char *folder, const weft_inversion *v)
{
    const weft_array *arrays;
    named_array named[ARRAYS_MOST];
    const int count = weft_inversion_arrays(v, &arrays);
    if (count > ARRAYS_MOST) return fail(c, CODE_FAILED, "more than %d arrays", ARRAYS_MOST);
    for (int i = 0; i < count; i++) named[i] = (named_array) { arrays[i].name, WEFT_F32, arrays[i].shape, arrays[i].data };
    char *npz = path_in(folder, "projected_w.npz"), *npy = path_in(folder, "latents.npy");
    int code = npz && npy ? arrays_write(c, npz, named, count) : fail(c, CODE_FAILED, "out of memory");
    if (!code && count && !strcmp(arrays[0].name, "w")) code = npy_write(c, npy, WEFT_F32, arrays[0].shape, arrays[0].data);
    free(npz);
    free(npy);
    return code;
}

static cJSON *device_json(const weft_device *dev)
{
    const weft_device_info *i = weft_device_get_info(dev);
    cJSON *j = cJSON_CreateObject();
    cJSON_AddStringToObject(j, "name", i->name);
    cJSON_AddStringToObject(j, "driver", i->driver);
    cJSON_AddStringToObject(j, "type", i->type);
    return j;
}

static cJSON *log_json(const weft_inversion *v)
{
    const char *const *names;
    const float *rows;
    int columns;
    const int count = weft_inversion_log(v, &names, &columns, &rows);
    cJSON *j = cJSON_CreateObject();
    for (int k = 0; k < columns; k++) {
        cJSON *list = cJSON_AddArrayToObject(j, names[k]);
        for (int i = 0; i < count; i++) cJSON_AddItemToArray(list, cJSON_CreateNumber((double) rows[i * columns + k]));
    }
    return j;
}

static void add_settings(const call *c, cJSON *j)
{
    static const char *const spaces[] = { "w+", "w", "z", "s" }, *const noises[] = { "const", "none", "optimize" };
    const struct invert_options *o = c->options;
    cJSON_AddStringToObject(j, "space", spaces[o->space]);
    cJSON_AddStringToObject(j, "noise", noises[o->noise]);
    cJSON_AddStringToObject(j, "precision", ((const char *const[]) { "exact", "fast", "mixed" })[o->device.precision]);
    cJSON_AddStringToObject(j, "start", o->encoder ? o->encoder : o->init ? o->init : "mean");
    if (o->mask) cJSON_AddStringToObject(j, "mask", o->mask);
    if (o->segments.count) cJSON_AddNumberToObject(j, "segments", o->segments.count);
}

static void add_facts(cJSON *j, const weft_inversion *v)
{
    const weft_invert_facts *f = weft_inversion_get_facts(v);
    struct rusage usage_ = { 0 };
    weft_metrics m;
    cJSON_AddNumberToObject(j, "steps", f->steps);
    if (f->tune_steps) cJSON_AddNumberToObject(j, "tune_steps", f->tune_steps);
    cJSON_AddBoolToObject(j, "stopped_early", f->stopped);
    cJSON_AddNumberToObject(j, "build_seconds", 1e-9 * (double) f->build_ns);
    cJSON_AddNumberToObject(j, "seconds", 1e-9 * (double) f->run_ns);
    cJSON_AddNumberToObject(j, "steps_per_second", f->steps_per_second);
    cJSON_AddNumberToObject(j, "step_bytes", (double) f->bytes);
    if (!getrusage(RUSAGE_SELF, &usage_)) cJSON_AddNumberToObject(j, "peak_process_bytes", 1024.0 * (double) usage_.ru_maxrss);
    cJSON_AddNumberToObject(j, "dispatches_per_step", f->dispatches);
    cJSON *crop = cJSON_AddArrayToObject(j, "crop");
    for (int i = 0; i < 4; i++) cJSON_AddItemToArray(crop, cJSON_CreateNumber(f->crop[i]));
    if (weft_compare(weft_inversion_image(v), weft_inversion_target(v), NULL, WEFT_MASK_HOLE, &m, NULL) != WEFT_OK) return;
    if (isfinite(m.psnr_db)) cJSON_AddNumberToObject(j, "psnr_db", m.psnr_db);
    cJSON_AddNumberToObject(j, "ssim", m.ssim);
}

static bool put_text(const void *what, FILE *to) { return fputs(what, to) >= 0; }

static int save_log(const call *c, const struct invert_tools *with, const char *photo, const char *folder, const weft_inversion *v)
{
    const struct invert_options *o = c->options;
    cJSON *j = cJSON_CreateObject();
    char *path = path_in(folder, "log.json");
    cJSON_AddStringToObject(j, "photo", photo);
    cJSON_AddStringToObject(j, "generator", o->network);
    cJSON_AddStringToObject(j, "weft", WEFT_VERSION);
    cJSON_AddItemToObject(j, "device", device_json(with->device));
    add_settings(c, j);
    add_facts(j, v);
    cJSON_AddItemToObject(j, "losses", log_json(v));
    char *text = cJSON_Print(j);
    const int code = path && text ? write_whole(c, path, put_text, text) : fail(c, CODE_FAILED, "out of memory");
    cJSON_Delete(j);
    free(text);
    free(path);
    return code;
}

static void describe(const call *c, const char *photo, const weft_inversion *v)
{
    const weft_invert_facts *f = weft_inversion_get_facts(v);
    const char *const *names;
    const float *rows;
    int columns;
    weft_metrics m;
    const int count = weft_inversion_log(v, &names, &columns, &rows);
    if (weft_compare(weft_inversion_image(v), weft_inversion_target(v), NULL, WEFT_MASK_HOLE, &m, NULL) != WEFT_OK || !count) return;
    note(c, "%s: %d step%s%s, loss %.4g, PSNR %.2f dB, SSIM %.4f; %.3g steps/s, %s for a step", photo, f->steps + f->tune_steps, f->steps + f->tune_steps == 1 ? "" : "s",
         f->stopped ? " (stopped early)" : "", (double) rows[(count - 1) * columns], m.psnr_db, m.ssim, f->steps_per_second, bytes_text((double) f->bytes));
}

static int save_all(const call *c, const struct invert_tools *with, const char *photo, const char *folder, const weft_inversion *v)
{
    int code = save_picture(c, folder, "proj.png", weft_inversion_image(v));
    if (!code) code = save_picture(c, folder, "target.png", weft_inversion_target(v));
    if (!code) code = save_picture(c, folder, "filled.png", weft_inversion_filled(v));
    if (!code) code = save_picture(c, folder, "sheet.png", weft_inversion_sheet(v));
    if (!code) code = save_arrays(c, folder, v);
    if (!code && weft_inversion_generator(v)) {
        char *path = path_in(folder, "generator.weft");
        const weft_result r = path ? weft_model_save(weft_inversion_generator(v), path) : WEFT_ERR_MEMORY;
        free(path);
        if (r != WEFT_OK) code = fail_result(c, r);
    }
    return code ? code : save_log(c, with, photo, folder, v); // last: it says that the photo is done
}

// --- One photo. ------------------------------------------------------------------------------------------------

static int run_loaded(call *c, const struct invert_tools *with, const struct task *t, const char *folder, const weft_image *photo, const weft_image *mask)
{
    const struct invert_options *o = c->options;
    char *checkpoint = path_in(folder, "checkpoint.weft");
    weft_inversion *v = NULL;
    if (!checkpoint) return fail(c, CODE_FAILED, "out of memory");
    const weft_invert_job job = {
        .photo = photo, .mask = mask, .mask_mode = (weft_mask_mode) o->mode, .fill = o->fill,
        .segments = (const weft_image *const *) with->segments, .segment_count = o->segments.count,
        .start = with->start, .start_count = with->start_count, .encoder = with->encoder, .checkpoint = checkpoint, .resume = o->resume,
    };
    const weft_result r = weft_inverter_run(with->inverter, &job, &v);
    end_line();
    int code = CODE_OK;
    if (r == WEFT_ERR_CANCELLED) code = fail(c, CODE_FAILED, "%s: %s; --resume goes on from there", t->photo, weft_error_text());
    else if (r != WEFT_OK) code = fail(c, r == WEFT_ERR_ARGUMENT ? CODE_INPUT : result_code(r), "%s: %s", t->photo, weft_error_text());
    if (!code) code = save_all(c, with, t->photo, folder, v);
    if (!code) remove(checkpoint);
    if (!code && !c->quiet) describe(c, t->photo, v);
    weft_inversion_destroy(&v);
    free(checkpoint);
    return code;
}

static int run_task(call *c, const struct invert_tools *with, const struct task *t, const char *folder)
{
    weft_image *photo = NULL, *mask = NULL;
    if (mkdir(folder, 0777) && errno != EEXIST) return fail(c, CODE_FAILED, "%s: cannot be made: %s", folder, strerror(errno));
    weft_result r = weft_image_load(c->ctx, t->photo, &photo);
    if (r == WEFT_OK && t->mask) r = weft_image_load(c->ctx, t->mask, &mask);
    const int code = r == WEFT_OK ? run_loaded(c, with, t, folder, photo, mask) : fail_input(c, r);
    weft_image_destroy(&photo);
    weft_image_destroy(&mask);
    return code;
}

static int run_all(call *c, const struct invert_tools *with, const struct batch *b, bool several)
{
    const struct invert_options *o = c->options;
    int failed = 0, last = CODE_OK, skipped = 0;
    for (int i = 0; i < b->count; i++) {
        char *folder = b->task[i].out; // DIR/NAME.png: without its ending, the photo's own folder
        folder[strlen(folder) - 4] = 0;
        if (!several) folder[strlen(o->out)] = 0;
        char *done = path_in(folder, "log.json");
        const bool skip = done && o->resume && !access(done, F_OK);
        free(done);
        if (skip) {
            skipped++;
            continue;
        }
        const int code = run_task(c, with, &b->task[i], folder);
        if (code) failed++, last = code;
        if (code == CODE_DEVICE || interrupted()) return code ? code : CODE_FAILED;
    }
    if (skipped) note(c, "%d of %d were there already", skipped, b->count);
    if (b->count == 1 || !failed) return last;
    return fail(c, CODE_FAILED, "%d of %d pictures failed", failed, b->count);
}

// --- Beginnings. -----------------------------------------------------------------------------------------------

static bool ends_in(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n > m && !strcmp(name + n - m, end);
}

// --init FILE: every array of it; the only one of a .npy is w, or z in space z.
static int read_start(const call *c, const char *path, struct invert_tools *with)
{
    const struct invert_options *o = c->options;
    int code = arrays_open(c, path, &with->start_file);
    if (code) return code;
    const int count = arrays_count(with->start_file);
    if (count > ARRAYS_MOST) return fail(c, CODE_INPUT, "%s: more than %d arrays", path, ARRAYS_MOST);
    for (int i = 0; i < count && !code; i++) {
        const char *name = arrays_name(with->start_file, i);
        array *a = &with->starts[i];
        code = arrays_read(c, with->start_file, i, WEFT_F32, a);
        if (!code) with->start[with->start_count++] = (weft_array) { *name ? name : o->space == 2 ? "z" : "w", a->shape, a->data };
    }
    return code;
}

static int choose_start(const call *c, struct invert_tools *with)
{
    const struct invert_options *o = c->options;
    const char *encoder = o->encoder, *init = o->init;
    if (init && !strcmp(init, "encoder")) {
        encoder = encoder ? encoder : c->arg_count ? c->args[0] : NULL, init = NULL;
        if (!encoder) return usage(c, "--init encoder wants a model: --init encoder MODEL; `weft import CHECKPOINT.safetensors --arch e4e -o e4e.weft` makes one");
    } else if (c->arg_count) return usage(c, "'%s' belongs to no option", c->args[0]);
    if (init && ends_in(init, ".weft")) encoder = init, init = NULL;
    if (encoder && init) return usage(c, "give --init or --encoder, not both");
    if (encoder) return load_model(c, encoder, &with->encoder);
    return init && strcmp(init, "mean") ? read_start(c, init, with) : CODE_OK;
}

static int open_tools(call *c, struct invert_tools *with)
{
    const struct invert_options *o = c->options;
    weft_invert_params params = {
        .space = (weft_space) o->space, .maps = (weft_maps) o->noise, .precision = (weft_precision) o->device.precision, .steps = o->steps, .samples = o->samples,
        .class_index = o->class, .patience = o->patience, .tune = o->tune, .checkpoint_every = o->checkpoint_every, .frames = o->no_sheet ? -1 : o->frames,
        .max_bytes = (size_t) o->memory << 20, .stretch = o->stretch, .progress = show_step, .progress_user = c,
    };
    int code = read_params(c, &params);
    if (!code && o->segments.count > SEGMENTS_MOST) code = usage(c, "more than %d segments", SEGMENTS_MOST);
    if (!code) code = choose_start(c, with);
    if (!code) code = load_named_model(c, o->network, &with->generator);
    for (int i = 0; i < o->segments.count && !code; i++) {
        const weft_result r = weft_image_load(c->ctx, o->segments.at[i], &with->segments[i]);
        if (r != WEFT_OK) code = fail_input(c, r);
    }
    if (!code) code = open_device(c, &o->device, &with->device);
    if (!code) code = loss_set_make(c, &o->loss, with->device, &with->losses);
    if (code) return code;
    params.losses = with->losses.losses, params.loss_count = with->losses.count;
    const weft_result r = weft_inverter_create(c->ctx, with->device, with->generator, &params, &with->inverter);
    return r == WEFT_OK ? CODE_OK : fail_input(c, r);
}

static void close_tools(struct invert_tools *with)
{
    weft_inverter_destroy(&with->inverter);
    loss_set_free(&with->losses);
    weft_device_destroy(&with->device);
    weft_model_destroy(&with->generator);
    weft_model_destroy(&with->encoder);
    for (int i = 0; i < SEGMENTS_MOST; i++) weft_image_destroy(&with->segments[i]);
    for (int i = 0; i < with->start_count; i++) free(with->starts[i].data);
    arrays_close(with->start_file);
}

static int run_invert(call *c)
{
    const struct invert_options *o = c->options;
    struct invert_tools *with = calloc(1, sizeof *with);
    struct batch b = { 0 };
    struct stat st;
    if (!with) return fail(c, CODE_FAILED, "out of memory");
    if (!o->in.count || !o->network || !o->out)
        return free(with), usage(c, "%s is missing", !o->in.count ? "-i PHOTO" : !o->network ? "-n MODEL" : "-o DIR");
    if (o->fill && !o->mask) return free(with), usage(c, "--fill wants -m MASK: what shall be filled");
    int code = CODE_OK;
    if (mkdir(o->out, 0777) && errno != EEXIST) code = fail(c, CODE_FAILED, "%s: cannot be made: %s", o->out, strerror(errno));
    if (!code && (stat(o->out, &st) || !S_ISDIR(st.st_mode))) code = fail(c, CODE_FAILED, "%s: not a folder", o->out);
    const bool several = o->in.count > 1 || (!stat(o->in.at[0], &st) && S_ISDIR(st.st_mode));
    const text_list mask = { { o->mask }, o->mask ? 1 : 0 };
    if (!code) code = batch_make(c, &o->in, &mask, o->out, 1, &b);
    if (!code) code = open_tools(c, with);
    if (!code) code = run_all(c, with, &b, several);
    close_tools(with);
    batch_free(&b);
    free(with);
    return code;
}

const command command_invert = {
    .name = "invert", .args = "-i PHOTO -n MODEL -o DIR [options]", .summary = "finds the latents with which a generator makes a photo", .options = invert_options,
    .option_bytes = sizeof(struct invert_options), .run = run_invert, .most = 1,
    .about = "Writes into DIR: proj.png (what the generator makes), target.png, projected_w.npz (w and whatever else was found: z, styles, noise maps), latents.npy (w),\n"
             "sheet.png (the aim, then the picture over time), log.json (every loss of every step, device, times, memory), filled.png with --fill, generator.weft with --tune.\n"
             "checkpoint.weft is there while it works: after Ctrl-C or a crash, --resume goes on, on the same device to the same bits.\n"
             "Defaults are those of StyleGAN2's projector; --space w --noise optimize --lpips vgg16-lpips.weft is that projector.",
    .examples = "  weft invert -i photo.png -n generator.weft -o found\n"
                "  weft invert -i face.png -n ffhq.weft -o found --lpips lpips-alex.weft --loss lpips --loss l2=0.1 --init encoder e4e.weft\n"
                "  weft invert -i photo.png -m hole.png --fill -n generator.weft -o found\n"
                "  weft invert -i photos/ -n generator.weft -o found --space w --tune 350 --resume",
};
