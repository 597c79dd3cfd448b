// SPDX-License-Identifier: MIT
// weft inpaint: one picture, several, or a folder of them.
#include "batch.h"
#include "bundled.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct inpaint_options {
    device_options device;
    text_list in, mask;
    const char *out, *model, *entry, *context;
    int format, mode, quality, radius, memory, resume;
};
static const option inpaint_options[] = {
    { "input", 'i', OPTION_LIST, "PHOTO", offsetof(struct inpaint_options, in), "a PNG or JPEG picture, or a folder of them; may be given again" },
    { "mask", 'm', OPTION_LIST, "MASK", offsetof(struct inpaint_options, mask),
      "what to fill, a picture of any size: white is the hole. One for all, one for each, or a folder with NAME.* or NAME.mask.* for each photo" },
    { "output", 'o', OPTION_TEXT, "OUT", offsetof(struct inpaint_options, out), "the result; for several pictures a folder" },
    { "model", 'n', OPTION_TEXT, "MODEL", offsetof(struct inpaint_options, model), "a .weft file, the name of a bundled model, or telea: no model, fast marching. Default: the bundled one" },
    { "entry", 'e', OPTION_TEXT, "NAME", offsetof(struct inpaint_options, entry), "the model's entry; default: the first" },
    DEVICE_OPTIONS(struct inpaint_options),
    PRECISION_OPTION(struct inpaint_options),
    { "mask-mode", 0, OPTION_CHOICE, "hole|keep|alpha", offsetof(struct inpaint_options, mode),
      "white (above 127 of 255) is filled, the default; or is kept; or what is transparent in the mask is filled" },
    { "context", 'c', OPTION_TEXT, "auto|full|PIXELS", offsetof(struct inpaint_options, context),
      "what the model sees: the whole picture, or windows this much larger than the holes. auto: all, unless it does not fit or attention over it takes too long" },
    { "memory", 0, OPTION_INT, "MIB", offsetof(struct inpaint_options, memory), "memory a run may take; default: three quarters of the device's", 1, 1 << 30 },
    { "radius", 0, OPTION_INT, "PIXELS", offsetof(struct inpaint_options, radius), "of telea: how far it looks; default 4", 1, 64 },
    { "format", 'f', OPTION_CHOICE, "auto|png|jpg", offsetof(struct inpaint_options, format), "of the results; default: as the output's or the photo's name ends" },
    { "quality", 0, OPTION_INT, "1-100", offsetof(struct inpaint_options, quality), "of JPEG results; default 95", 1, 100 },
    { "resume", 0, OPTION_FLAG, NULL, offsetof(struct inpaint_options, resume), "skip pictures whose result is there already" },
    { 0 }
};

// --- The model. ------------------------------------------------------------------------------------------------

// CODE_OK and *m NULL: without a model.
static int choose_model(const call *c, const char *name, weft_model **m)
{
    char path[4096];
    if (name && !strcmp(name, "telea")) return CODE_OK;
    if (!name && !find_bundled("garment", path, sizeof path)) {
        note(c, "no bundled model is installed: filling by fast marching (--model telea)");
        return CODE_OK;
    }
    return load_named_model(c, name ? name : path, m);
}

// --- One picture. ----------------------------------------------------------------------------------------------

struct tools { weft_model *model; weft_device *device; weft_inpainter *inpainter; };

static int fail_run(const call *c, const char *path, weft_result r)
{
    const struct inpaint_options *o = c->options;
    if (r == WEFT_ERR_CANCELLED) return fail(c, CODE_FAILED, "%s: stopped", path);
    if (r == WEFT_ERR_VRAM)
        return fail(c, CODE_FAILED, "%s: %s; try %s, a smaller picture or --device cpu", path, weft_error_text(), o->context ? "a smaller --context" : "--context 32");
    return fail(c, r == WEFT_ERR_ARGUMENT ? CODE_INPUT : result_code(r), "%s: %s", path, weft_error_text());
}

static void describe(const call *c, const struct task *t, const weft_image *photo, const weft_inpaint_facts *f)
{
    const weft_image_info *i = weft_image_get_info(photo);
    if (!c->verbose) return;
    note(c, "%s: %d x %d, %d channels of %d bits, hole of %lld pixels (%.1f %%), %d window%s, session %.3f s, run %.3f s", t->photo, i->width, i->height,
         i->channels, i->bits, (long long) f->hole_pixels, 100.0 * (double) f->hole_pixels / ((double) i->width * i->height), f->windows,
         f->windows == 1 ? "" : "s", 1e-9 * (double) f->session_ns, 1e-9 * (double) f->run_ns);
    if (f->session.dispatches)
        note(c, "%s of weights, %s of workspace, %d dispatches, %d submissions", bytes_text((double) f->session.weight_bytes),
             bytes_text((double) f->session.workspace_bytes), f->session.dispatches, f->session.submissions);
}

static int fill_loaded(call *c, const struct tools *with, const struct task *t, const weft_image *photo, const weft_image *mask)
{
    const struct inpaint_options *o = c->options;
    weft_image *out = NULL;
    weft_inpaint_facts facts = { 0 };
    weft_result r = weft_inpainter_run(with->inpainter, photo, mask, &out, &facts);
    end_progress();
    int code = r == WEFT_OK ? CODE_OK : fail_run(c, t->photo, r);
    if (!code && interrupted()) code = fail(c, CODE_FAILED, "%s: stopped", t->photo);
    if (!code) {
        const weft_image_save_params params = { (weft_image_format) o->format, o->quality };
        r = weft_image_save(out, t->out, &params);
        if (r != WEFT_OK) code = fail_result(c, r);
    }
    if (!code) describe(c, t, photo, &facts);
    weft_image_destroy(&out);
    return code;
}

static int fill_task(call *c, const struct tools *with, const struct task *t)
{
    weft_image *photo = NULL, *mask = NULL;
    weft_result r = weft_image_load(c->ctx, t->photo, &photo);
    if (r == WEFT_OK) r = weft_image_load(c->ctx, t->mask, &mask);
    const int code = r == WEFT_OK ? fill_loaded(c, with, t, photo, mask) : fail_input(c, r);
    weft_image_destroy(&photo);
    weft_image_destroy(&mask);
    return code;
}

// --- All of them. ----------------------------------------------------------------------------------------------

static int fill_all(call *c, const struct tools *with, const struct batch *b)
{
    const struct inpaint_options *o = c->options;
    int failed = 0, last = CODE_OK, skipped = 0;
    for (int i = 0; i < b->count; i++) {
        if (o->resume && !access(b->task[i].out, F_OK)) {
            skipped++;
            continue;
        }
        if (c->verbose && b->count > 1) note(c, "%d of %d: %s", i + 1, b->count, b->task[i].photo);
        const int code = fill_task(c, with, &b->task[i]);
        if (code) failed++, last = code;
        if (code == CODE_DEVICE || interrupted()) return code ? code : CODE_FAILED; // the rest would fare no better
    }
    if (skipped) note(c, "%d of %d were there already", skipped, b->count);
    if (b->count == 1 || !failed) return last;
    return fail(c, CODE_FAILED, "%d of %d pictures failed", failed, b->count);
}

static int read_context(const call *c, const char *text, int *context)
{
    char *end;
    if (!text || !strcmp(text, "auto")) return *context = WEFT_CONTEXT_AUTO, CODE_OK;
    if (!strcmp(text, "full")) return *context = WEFT_CONTEXT_FULL, CODE_OK;
    const long pixels = strtol(text, &end, 10);
    if (!*text || *end || pixels < 1 || pixels > WEFT_IMAGE_MAX_SIDE) return usage(c, "--context is auto, full or a number of pixels, not '%s'", text);
    *context = (int) pixels;
    return CODE_OK;
}

static int open_tools(call *c, struct tools *with)
{
    const struct inpaint_options *o = c->options;
    weft_inpaint_params params = {
        .entry = o->entry, .precision = (weft_precision) o->device.precision, .mask_mode = (weft_mask_mode) o->mode,
        .max_bytes = (size_t) o->memory << 20, .radius = o->radius, .progress = show_progress, .progress_user = c,
    };
    int code = read_context(c, o->context, &params.context);
    if (!code) code = choose_model(c, o->model, &with->model);
    if (!code && with->model) code = open_device(c, &o->device, &with->device);
    if (code) return code;
    const weft_result r = weft_inpainter_create(c->ctx, with->device, with->model, &params, &with->inpainter);
    return r == WEFT_OK ? CODE_OK : fail_input(c, r);
}

static int run_inpaint(call *c)
{
    const struct inpaint_options *o = c->options;
    struct tools with = { 0 };
    struct batch b = { 0 };
    if (!o->in.count || !o->mask.count || !o->out)
        return usage(c, "%s is missing", !o->in.count ? "-i PHOTO" : !o->mask.count ? "-m MASK" : "-o OUT");
    int code = batch_make(c, &o->in, &o->mask, o->out, o->format, &b);
    if (!code) code = open_tools(c, &with);
    if (!code) code = fill_all(c, &with, &b);
    weft_inpainter_destroy(&with.inpainter);
    weft_device_destroy(&with.device);
    weft_model_destroy(&with.model);
    batch_free(&b);
    return code;
}

const command command_inpaint = {
    .name = "inpaint", .args = "-i PHOTO -m MASK -o OUT [options]", .summary = "fills the holes of pictures", .options = inpaint_options,
    .option_bytes = sizeof(struct inpaint_options), .run = run_inpaint,
    .about = "PNG and JPEG, any size. A PNG result keeps every pixel outside the hole bit by bit, with depth, alpha and colour profile.\n"
             "In a batch a bad picture is reported and the others go on; the exit code is 1 then.",
    .examples = "  weft inpaint -i photo.jpg -m mask.png -o out.png\n"
                "  weft inpaint -i photo.png -m mask.png -o out.png --model telea\n"
                "  weft inpaint -i photos/ -m masks/ -o results/ -n net.weft -g 0 --precision fast -v",
};
