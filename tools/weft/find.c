// SPDX-License-Identifier: MIT
// weft edit: finding directions, by principal components of sampled w and by a plane between labelled latents.
#include "editing.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 10000, BLOCK = 500 };


// --- Principal components. -------------------------------------------------------------------------------------

static int sample(const call *c, generator_use *u, weft_pca *p, float *z, float *ws, float *w)
{
    const struct edit_options *o = c->options;
    const weft_generator_info *i = weft_generator_get_info(u->g);
    const int samples = o->samples ? o->samples : SAMPLES;
    const latent_options plain = { .class = o->latent.class }; // not truncated
    weft_random_state r;
    weft_random_seed(&r, (uint32_t) o->sample_seed);
    for (int at = 0; at < samples; at += BLOCK) {
        const int n = samples - at < BLOCK ? samples - at : BLOCK;
        if (interrupted() || show_progress((void *) (uintptr_t) c, (double) at / samples)) return fail(c, CODE_FAILED, "stopped after %d of %d samples", at, samples);
        weft_random_normals(&r, z, (size_t) n * (size_t) i->z);
        const int code = latents_map(c, u->g, &plain, n, z, ws);
        if (code) return code;
        for (int k = 0; k < n; k++) memcpy(w + (size_t) k * (size_t) i->w, ws + (size_t) k * (size_t) i->layers * (size_t) i->w, 4 * (size_t) i->w);
        const weft_result result = weft_pca_add(p, w, (size_t) n);
        if (result != WEFT_OK) return fail_result(c, result);
    }
    return CODE_OK;
}

static int save_components(const call *c, const weft_generator_info *i, weft_pca *p, float *mean, float *directions, float *stdev)
{
    const struct edit_options *o = c->options;
    double share;
    const weft_result r = weft_pca_solve(p, o->components, mean, directions, stdev, &share);
    if (r != WEFT_OK) return fail_result(c, r);
    const named_array a[] = { { "components", WEFT_F32, WEFT_SHAPE(o->components, i->w), directions },
                              { "stdev", WEFT_F32, WEFT_SHAPE(o->components), stdev },
                              { "mean", WEFT_F32, WEFT_SHAPE(i->w), mean } };
    const int code = arrays_write(c, o->out, a, 3);
    if (!code && !c->quiet)
        printf("%d components of w hold %.2f %% of its variance; standard deviations %.4g to %.4g\n", o->components, 100 * share, (double) stdev[0],
               (double) stdev[o->components - 1]);
    return code;
}

int find_pca(const call *c, generator_use *u)
{
    const struct edit_options *o = c->options;
    const weft_generator_info *i = weft_generator_get_info(u->g);
    const size_t w = (size_t) i->w;
    weft_pca *p = NULL;
    if (!i->z) return fail(c, CODE_UNSUPPORTED, "the model has no mapping network: there is no w to sample");
    if (o->components > i->w) return usage(c, "--find-pca %d: w has %d numbers only", o->components, i->w);
    const weft_result r = weft_pca_create(c->ctx, i->w, &p);
    if (r != WEFT_OK) return fail_result(c, r);
    float *z = malloc(4 * BLOCK * (size_t) i->z), *ws = malloc(4 * BLOCK * w * (size_t) i->layers), *rows = malloc(4 * BLOCK * w);
    float *mean = malloc(4 * w), *directions = malloc(4 * w * (size_t) o->components), *stdev = malloc(4 * (size_t) o->components);
    int code = z && ws && rows && mean && directions && stdev ? CODE_OK : fail(c, CODE_FAILED, "out of memory");
    if (!code) code = sample(c, u, p, z, ws, rows);
    end_progress();
    if (!code) code = save_components(c, i, p, mean, directions, stdev);
    free(z), free(ws), free(rows), free(mean), free(directions), free(stdev);
    weft_pca_destroy(&p);
    return code;
}

// --- A plane. --------------------------------------------------------------------------------------------------

static int read_rows(const call *c, const char *text, const char *const *names, array *out)
{
    array_file *f = NULL;
    int at, code = arrays_pick(c, text, names, &f, &at);
    if (!code) code = arrays_read(c, f, at, WEFT_F32, out);
    arrays_close(f);
    return code;
}

// A w+ whose layers are all the same is a w.
static void fold_layers(array *a)
{
    const size_t rows = (size_t) a->shape.dim[0], layers = (size_t) a->shape.dim[1], w = (size_t) a->shape.dim[2];
    float *x = a->data;
    for (size_t r = 0; r < rows; r++)
        for (size_t l = 1; l < layers; l++)
            if (memcmp(x + r * layers * w, x + (r * layers + l) * w, 4 * w)) return;
    for (size_t r = 0; r < rows; r++) memmove(x + r * w, x + r * layers * w, 4 * w);
    a->shape = (weft_shape) WEFT_SHAPE((int64_t) rows, (int64_t) w);
    a->bytes = 4 * rows * w;
}

static int project(const call *c, float *direction, size_t width)
{
    static const char *const names[] = { "direction", "boundary", "normal", NULL };
    const struct edit_options *o = c->options;
    float *all = malloc(4 * width * (size_t) o->condition.count + 1);
    int code = all ? CODE_OK : fail(c, CODE_FAILED, "out of memory");
    for (int k = 0; !code && k < o->condition.count; k++) {
        array a = { 0 };
        code = read_rows(c, o->condition.at[k], names, &a);
        if (!code && a.bytes != 4 * width)
            code = fail(c, CODE_INPUT, "%s: shape %s does not have the direction's %zu numbers", o->condition.at[k], shape_text(a.shape, NULL), width);
        if (!code) memcpy(all + (size_t) k * width, a.data, 4 * width);
        free(a.data);
    }
    const weft_result r = code ? WEFT_OK : weft_latent_project(c->ctx, direction, (int) width, all, o->condition.count);
    free(all);
    return code || r == WEFT_OK ? code : fail(c, CODE_INPUT, "%s", weft_error_text());
}

static int save_plane(const call *c, const array *x, float *direction, size_t width, const weft_separate_facts *f)
{
    const struct edit_options *o = c->options;
    const float bias[] = { (float) f->bias };
    weft_shape shape = WEFT_SHAPE((int64_t) width);
    if (x->shape.rank == 3) shape = (weft_shape) WEFT_SHAPE(x->shape.dim[1], x->shape.dim[2]);
    if (!c->quiet) {
        printf("%d positive and %d negative latents, %d steps: accuracy %.2f %%", f->positive, f->negative, f->iterations, 100 * f->accuracy);
        if (f->held) printf(", of %d held back %.2f %%", f->held, 100 * f->held_accuracy);
        printf("\n");
    }
    const int code = o->condition.count ? project(c, direction, width) : CODE_OK;
    const named_array a[] = { { "direction", WEFT_F32, shape, direction }, { "bias", WEFT_F32, WEFT_SHAPE(1), bias } };
    return code ? code : arrays_write(c, o->out, a, o->condition.count ? 1 : 2); // projected, it is no plane any more
}

static int separate(const call *c, array *x, const array *scores)
{
    const struct edit_options *o = c->options;
    if (x->shape.rank == 3) fold_layers(x);
    const int64_t rows = x->shape.rank > 1 ? x->shape.dim[0] : 1;
    const size_t width = x->bytes / 4 / (size_t) rows;
    if (scores->bytes / 4 != (size_t) rows) return fail(c, CODE_INPUT, "%zu scores for %lld latents", scores->bytes / 4, (long long) rows);
    if (rows < 2 || rows > 1 << 20 || width > 1 << 20) return fail(c, CODE_INPUT, "%lld latents of %zu numbers cannot be separated", (long long) rows, width);
    float *direction = malloc(4 * width);
    weft_separate_facts facts;
    const weft_separate_params params = { .threshold = o->threshold, .share = o->share, .cost = o->cost, .held = o->held, .seed = (uint32_t) o->sample_seed };
    if (!direction) return fail(c, CODE_FAILED, "out of memory");
    const weft_result r = weft_latent_separate(c->ctx, x->data, (int) rows, (int) width, scores->data, &params, direction, &facts);
    int code = r == WEFT_OK ? CODE_OK : fail(c, r == WEFT_ERR_MEMORY ? CODE_FAILED : CODE_INPUT, "%s", weft_error_text());
    if (!code) code = save_plane(c, x, direction, width, &facts);
    free(direction);
    return code;
}

int find_plane(const call *c)
{
    static const char *const latents[] = { "w", "ws", "w_plus", "z", NULL }, *const labels[] = { "scores", "labels", NULL };
    const struct edit_options *o = c->options;
    array x = { 0 }, scores = { 0 };
    if (!o->latent.latents) return usage(c, "--find-plane wants the latents that the scores belong to: --latents FILE");
    if (!(o->share >= 0 && o->share <= 0.5) || !(o->held >= 0 && o->held < 1) || !(o->cost >= 0) || !isfinite(o->cost) || !isfinite(o->threshold))
        return usage(c, "--share is 0 to 0.5, --held 0 to 1, and --cost above 0");
    int code = read_rows(c, o->latent.latents, latents, &x);
    if (!code) code = read_rows(c, o->scores, labels, &scores);
    if (!code) code = separate(c, &x, &scores);
    free(x.data), free(scores.data);
    return code;
}
