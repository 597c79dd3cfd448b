// SPDX-License-Identifier: MIT
// weft edit: latents moved and mixed, pictures of them, and those put back into a photo.
#include "editing.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const option edit_options[] = {
    LATENT_OPTIONS(struct edit_options),
    { "direction", 0, OPTION_LIST, "FILE[:NAME][:N]", offsetof(struct edit_options, direction),
      "where to move the latents: a .npy or .npz file with [w], [layers, w], or several of them, of which N is chosen. May be given again" },
    { "strength", 0, OPTION_LIST, "LIST", offsetof(struct edit_options, strength),
      "how far, such as -3,0,3: a picture for each. Along component N of --find-pca in standard deviations. One for all directions or one for each; default 1" },
    { "layers", 0, OPTION_LIST, "LIST", offsetof(struct edit_options, layers), "which layers a direction moves, such as 0-3,6; default: all. One for all directions or one for each" },
    { "mix", 0, OPTION_TEXT, "FILE[:NAME]", offsetof(struct edit_options, mix), "take layers from these latents instead, before anything is moved" },
    { "mix-layers", 0, OPTION_TEXT, "LIST", offsetof(struct edit_options, mix_layers), "which ones" },
    { "output", 'o', OPTION_TEXT, "OUT", offsetof(struct edit_options, out),
      "a folder, or a .png or .jpg file: the picture, or a sheet with a row for each latent. What is found goes to a .npz file" },
    { "save-latents", 0, OPTION_TEXT, "FILE.npz", offsetof(struct edit_options, save), "keep the edited latents, as w [n, layers, w]" },
    { "find-pca", 0, OPTION_INT, "N", offsetof(struct edit_options, components), "find the N principal components of w (GANSpace): arrays components, stdev, mean", 1, 32768 },
    { "samples", 0, OPTION_INT, "N", offsetof(struct edit_options, samples), "of w, for --find-pca; default 10000", 2, 100000000 },
    { "sample-seed", 0, OPTION_INT, "N", offsetof(struct edit_options, sample_seed), "of RandomState, for what is drawn; default 0", 0, 2147483647 },
    { "find-plane", 0, OPTION_TEXT, "SCORES.npy", offsetof(struct edit_options, scores),
      "find the direction across the plane between --latents of high and of low score (InterFaceGAN), a linear support vector machine: arrays direction, bias" },
    { "threshold", 0, OPTION_REAL, "X", offsetof(struct edit_options, threshold), "scores above it are high; default 0" },
    { "share", 0, OPTION_REAL, "X", offsetof(struct edit_options, share), "instead: only this share of highest and of lowest scores counts, such as 0.02" },
    { "held", 0, OPTION_REAL, "X", offsetof(struct edit_options, held), "share that is held back to measure accuracy, such as 0.3" },
    { "cost", 0, OPTION_REAL, "C", offsetof(struct edit_options, cost), "of a latent on the wrong side; default 1" },
    { "condition", 0, OPTION_LIST, "FILE[:NAME]", offsetof(struct edit_options, condition), "a direction along which the one that is found must not move. May be given again" },
    { "photo", 'i', OPTION_TEXT, "PHOTO", offsetof(struct edit_options, photo), "put the result back into this picture" },
    { "edited", 0, OPTION_TEXT, "PICTURE", offsetof(struct edit_options, edited), "put this back; no model is used" },
    { "mask", 'm', OPTION_TEXT, "MASK", offsetof(struct edit_options, mask), "where the photo takes the edit: white, in a picture of any size" },
    { "mask-mode", 0, OPTION_CHOICE, "hole|keep|alpha", offsetof(struct edit_options, mask_mode), "white takes the edit, the default; or keeps the photo; or what is transparent takes it" },
    { "region", 0, OPTION_TEXT, "X,Y,W,H", offsetof(struct edit_options, region), "where in the photo the edit belongs, in pixels; default: all of it" },
    { "blend", 0, OPTION_CHOICE, "poisson|alpha|mixed", offsetof(struct edit_options, blend),
      "the edit's gradients between the photo's borders, the default; or a weighted mean, greys of the mask being soft; or the larger gradient of both" },
    { "feather", 0, OPTION_REAL, "PIXELS", offsetof(struct edit_options, feather), "of alpha: a ramp of this width inside the mask" },
    { "sheet", 0, OPTION_TEXT, "FILE.png", offsetof(struct edit_options, sheet), "besides a folder, a sheet of all pictures" },
    { "columns", 0, OPTION_INT, "N", offsetof(struct edit_options, columns), "of a sheet", 1, 10000 },
    { "bits", 0, OPTION_CHOICE, "8|16", offsetof(struct edit_options, bits), "of a sample; with --photo it is the photo's" },
    DEVICE_OPTIONS(struct edit_options),
    PRECISION_OPTION(struct edit_options),
    { "memory", 0, OPTION_INT, "MIB", offsetof(struct edit_options, memory), "refuse to take more memory than this", 1, 1 << 30 },
    { 0 }
};

// --- Stitching. ------------------------------------------------------------------------------------------------

static int read_region(const call *c, const char *text, weft_region *r)
{
    double *v;
    int n, code = parse_numbers(c, "--region", text, &v, &n);
    if (code) return code;
    bool whole = n == 4;
    for (int k = 0; whole && k < 4; k++) whole = v[k] == floor(v[k]) && v[k] >= (k > 1) && v[k] <= WEFT_IMAGE_MAX_SIDE;
    if (whole) *r = (weft_region) { (int) v[0], (int) v[1], (int) v[2], (int) v[3] };
    free(v);
    return whole ? CODE_OK : usage(c, "--region wants X,Y,WIDTH,HEIGHT in whole pixels, not '%s'", text);
}

int stitching_open(const call *c, stitching *s)
{
    static const weft_blend blends[] = { WEFT_BLEND_POISSON, WEFT_BLEND_ALPHA, WEFT_BLEND_MIXED };
    const struct edit_options *o = c->options;
    if (!o->photo && (o->mask || o->edited || o->region)) return usage(c, "--mask, --region and --edited go with --photo");
    if (!o->photo) return CODE_OK;
    if (!o->mask) return usage(c, "--mask is missing: where does the photo take the edit?");
    if (!(o->feather >= 0 && o->feather <= WEFT_IMAGE_MAX_SIDE)) return usage(c, "--feather is 0 to %d pixels", WEFT_IMAGE_MAX_SIDE);
    s->params = (weft_stitch_params) { .blend = blends[o->blend], .mask_mode = (weft_mask_mode) o->mask_mode, .feather = o->feather };
    const int code = o->region ? read_region(c, o->region, &s->params.region) : CODE_OK;
    if (code) return code;
    weft_result r = weft_image_load(c->ctx, o->photo, &s->photo);
    if (r == WEFT_OK) r = weft_image_load(c->ctx, o->mask, &s->mask);
    return r == WEFT_OK ? CODE_OK : fail_input(c, r);
}

void stitching_close(stitching *s)
{
    weft_image_destroy(&s->photo);
    weft_image_destroy(&s->mask);
}

int stitching_make(const call *c, const stitching *s, const weft_image *edit, weft_image **out)
{
    weft_stitch_facts f;
    const weft_result r = weft_stitch(s->photo, edit, s->mask, &s->params, out, &f);
    if (r != WEFT_OK) return fail(c, r == WEFT_ERR_ARGUMENT ? CODE_INPUT : result_code(r), "%s", weft_error_text());
    if (c->verbose) note(c, "stitched %lld pixels, %d steps of the solver", (long long) f.pixels, f.iterations);
    if (!f.pixels) note(c, "the mask shows none of the edit");
    return CODE_OK;
}

static int stitch_picture(const call *c)
{
    const struct edit_options *o = c->options;
    stitching s = { 0 };
    weft_image *edit = NULL, *out = NULL;
    int code = stitching_open(c, &s);
    weft_result r = code ? WEFT_OK : weft_image_load(c->ctx, o->edited, &edit);
    if (r != WEFT_OK) code = fail_input(c, r);
    if (!code) code = stitching_make(c, &s, edit, &out);
    r = code ? WEFT_OK : weft_image_save(out, o->out, NULL);
    if (r != WEFT_OK) code = fail_result(c, r);
    weft_image_destroy(&edit);
    weft_image_destroy(&out);
    stitching_close(&s);
    return code;
}

// --- Editing. --------------------------------------------------------------------------------------------------

struct work {
    const call *c;
    latent_set from, all; // all: every latent at every strength
    directions directions;
    stitching stitching;
    output out;
};

static void name_edit(const void *user, int index, char *text, size_t room)
{
    const struct work *w = user;
    const int latent = index / w->directions.steps, step = index % w->directions.steps;
    const int n = w->from.seeds ? snprintf(text, room, "seed%04lu", (unsigned long) w->from.seeds[latent]) : snprintf(text, room, "latent%04d", latent);
    if (w->directions.steps > 1 && n > 0 && (size_t) n < room) snprintf(text + n, room - (size_t) n, "-%02d", step);
}

static int put_edit(void *user, int index, const weft_image *picture)
{
    struct work *w = user;
    weft_image *stitched = NULL;
    if (!w->stitching.photo) return output_put(&w->out, index, picture);
    int code = stitching_make(w->c, &w->stitching, picture, &stitched);
    if (!code) code = output_put(&w->out, index, stitched);
    weft_image_destroy(&stitched);
    return code;
}

static int mix(const call *c, weft_generator *g, latent_set *s)
{
    const struct edit_options *o = c->options;
    const weft_generator_info *i = weft_generator_get_info(g);
    const size_t w = (size_t) i->layers * (size_t) i->w;
    latent_set other = { 0 };
    uint64_t layers;
    if (!o->mix != !o->mix_layers) return usage(c, "--mix FILE and --mix-layers LIST go together");
    if (!o->mix) return CODE_OK;
    int code = parse_layers(c, o->mix_layers, i->layers, &layers);
    if (!code) code = latents_load(c, g, &o->latent, o->mix, &other);
    if (!code && other.count != 1 && other.count != s->count) code = usage(c, "--mix: %d latents for %d; give one, or as many", other.count, s->count);
    for (int k = 0; !code && k < s->count; k++)
        weft_latent_mix(s->ws + (size_t) k * w, other.ws + (other.count > 1 ? (size_t) k * w : 0), i->layers, i->w, layers);
    latents_free(&other);
    return code;
}

static int move_all(const call *c, const weft_generator_info *i, struct work *k)
{
    const size_t w = (size_t) i->layers * (size_t) i->w;
    const int steps = k->directions.steps;
    if ((double) k->from.count * steps > 1e6) return usage(c, "more than a million pictures");
    k->all.count = k->from.count * steps;
    k->all.ws = malloc(4 * w * (size_t) k->all.count);
    k->all.seeds = malloc(sizeof *k->all.seeds * (size_t) k->all.count);
    if (!k->all.ws || !k->all.seeds) return fail(c, CODE_FAILED, "out of memory");
    for (int n = 0; n < k->all.count; n++) {
        float *ws = k->all.ws + (size_t) n * w;
        memcpy(ws, k->from.ws + (size_t) (n / steps) * w, 4 * w);
        k->all.seeds[n] = k->from.seeds ? k->from.seeds[n / steps] : (uint32_t) (n / steps); // random noise: one for all strengths
        for (int d = 0; d < k->directions.count; d++) {
            const direction *to = &k->directions.at[d];
            weft_latent_move(ws, i->layers, i->w, to->data, to->layers, to->strength[to->strengths > 1 ? n % steps : 0], to->chosen);
        }
    }
    return CODE_OK;
}

static int make_edits(const call *c, generator_use *u, struct work *w)
{
    const struct edit_options *o = c->options;
    weft_generator_info size = *weft_generator_get_info(u->g); // of the pictures that come out
    int bits = o->bits ? 16 : 8;
    const int steps = w->directions.steps, columns = columns_for(w->all.count, o->columns ? o->columns : steps > 1 ? steps : 0);
    if (w->stitching.photo) {
        const weft_image_info *p = weft_image_get_info(w->stitching.photo);
        size.width = p->width, size.height = p->height, size.channels = p->channels, bits = p->bits;
    }
    w->out = (output) { .c = c, .path = o->out, .sheet_path = o->sheet, .count = w->all.count, .name = name_edit, .user = w };
    int code = output_start(&w->out, &size, bits, columns, (w->all.count + columns - 1) / columns);
    if (!code) code = make_pictures(u, &o->latent, bits, w->all.count, w->all.ws, w->all.seeds, (picture_sink) { put_edit, w });
    return output_end(&w->out, code);
}

static int edit_latents(const call *c, generator_use *u)
{
    const struct edit_options *o = c->options;
    struct work w = { .c = c };
    int code = stitching_open(c, &w.stitching);
    if (!code) code = directions_read(c, weft_generator_get_info(u->g), &w.directions);
    if (!code) code = latents_load(c, u->g, &o->latent, NULL, &w.from);
    if (!code) code = mix(c, u->g, &w.from);
    if (!code) code = move_all(c, weft_generator_get_info(u->g), &w);
    if (!code && o->save) code = latents_save(c, u->g, o->save, &(latent_set) { .count = w.all.count, .ws = w.all.ws });
    if (!code && (o->out || !o->save)) code = make_edits(c, u, &w);
    directions_free(&w.directions);
    latents_free(&w.from);
    latents_free(&w.all);
    stitching_close(&w.stitching);
    return code;
}

static int check(const call *c)
{
    const struct edit_options *o = c->options;
    const int kinds = (o->components > 0) + (o->scores != NULL) + (o->edited != NULL);
    const bool finds = o->components || o->scores;
    if (kinds > 1) return usage(c, "give one of --find-pca, --find-plane and --edited");
    if (!o->out && (!o->save || kinds)) return usage(c, "-o OUT is missing");
    if (finds && !is_npz_name(o->out)) return usage(c, "-o %s: what is found goes to a .npz file", o->out);
    if (!finds && o->condition.count) return usage(c, "--condition goes with --find-plane");
    if (!c->arg_count && !o->scores && !o->edited) return usage(c, "the generator is missing: weft edit MODEL ...");
    if (c->arg_count && o->edited) return usage(c, "--edited puts a finished picture back; no model is used");
    return check_latent_options(c, &o->latent);
}

static int run_edit(call *c)
{
    const struct edit_options *o = c->options;
    generator_use u = { 0 };
    int code = check(c);
    if (code) return code;
    if (o->edited) return stitch_picture(c);
    if (o->scores) return find_plane(c);
    code = generator_open(c, c->args[0], &o->device, &o->latent, o->memory, &u);
    if (!code) code = o->components ? find_pca(c, &u) : edit_latents(c, &u);
    generator_close(&u);
    return code;
}

const command command_edit = {
    .name = "edit", .args = "[MODEL] --latents FILE --direction FILE -o OUT", .summary = "edits latents along directions, finds directions, puts edits into photos",
    .options = edit_options, .option_bytes = sizeof(struct edit_options), .most = 1, .run = run_edit,
    .about = "Moves latents of a generator (see `weft generate`) along directions and makes pictures of them, one for each strength; with\n"
             "--photo each is put back into the photo where the mask is white: resized to it, or to --region, and blended in. The photo\n"
             "outside the mask stays as it is.",
    .examples = "  weft edit ffhq.weft --find-pca 20 --samples 100000 -o pca.npz\n"
                "  weft edit ffhq.weft --seeds 4,7 --trunc 0.7 --direction pca.npz:2 --strength -3,-1,1,3 --layers 0-5 -o strip.png\n"
                "  weft edit --find-plane smile_scores.npy --latents w.npz --share 0.02 --held 0.3 --condition age.npz -o smile.npz\n"
                "  weft edit ffhq.weft --latents inverted.npz --direction smile.npz --strength 2 -i photo.jpg -m mask.png -o smiling.png\n"
                "  weft edit ffhq.weft --latents a.npz --mix b.npz --mix-layers 8-17 -o mixed.png --save-latents mixed.npz\n"
                "  weft edit --edited generated.png -i photo.jpg -m mask.png --blend alpha --feather 8 -o out.png",
};
