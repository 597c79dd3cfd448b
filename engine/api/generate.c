// SPDX-License-Identifier: MIT
// Bodies of <weft/generate.h>.
#include "edit/generator.h"
#include <math.h>

weft_result weft_generator_create(weft_context *ctx, weft_device *dev, const weft_model *model, const weft_generator_params *params,
                                  weft_generator **out)
{
    const weft_generator_params p = params ? *params : (weft_generator_params) { 0 };
    if (!ctx || !dev || !model || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_generator_create: an argument is NULL");
    if (p.batch < 0 || p.batch > 1 << 16) return weft_fail(WEFT_ERR_ARGUMENT, "weft_generator_create: a batch of %d", p.batch);
    return weft_generator_new(ctx, dev, model, &p, out);
}

void weft_generator_destroy(weft_generator **g)
{
    if (!g || !*g) return;
    weft_generator_free(*g);
    *g = NULL;
}

static weft_result check(const char *function, const void *g, int count, const void *a, const void *b)
{
    if (!g || !a || !b) return weft_fail(WEFT_ERR_ARGUMENT, "%s: an argument is NULL", function);
    if (count < 1 || count > 1 << 24) return weft_fail(WEFT_ERR_ARGUMENT, "%s: a count of %d", function, count);
    return WEFT_OK;
}

void weft_generator_seed(const weft_generator *g, uint32_t seed, float *z)
{
    weft_random_state r;
    weft_random_seed(&r, seed);
    weft_random_normals(&r, z, (size_t) weft_generator_get_info(g)->z);
}

weft_result weft_generator_map(weft_generator *g, int count, const float *z, const int *classes, float *ws)
{
    WEFT_TRY(check("weft_generator_map", g, count, z, ws));
    return weft_generator_go_map(g, count, z, classes, ws);
}

weft_result weft_generator_average(weft_generator *g, float *ws)
{
    WEFT_TRY(check("weft_generator_average", g, 1, ws, ws));
    return weft_generator_go_average(g, ws);
}

weft_result weft_generator_truncate(weft_generator *g, int count, float *ws, double psi, int cutoff)
{
    WEFT_TRY(check("weft_generator_truncate", g, count, ws, ws));
    if (!isfinite(psi)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_generator_truncate: psi is not a number");
    return weft_generator_go_truncate(g, count, ws, psi, cutoff);
}

weft_result weft_generator_run(weft_generator *g, int count, const float *ws, const weft_noise *noise, float *image)
{
    WEFT_TRY(check("weft_generator_run", g, count, ws, image));
    if (noise && (noise->mode < WEFT_NOISE_CONST || noise->mode > WEFT_NOISE_MAPS || (noise->mode == WEFT_NOISE_RANDOM && !noise->random) ||
                  (noise->mode == WEFT_NOISE_MAPS && !noise->maps)))
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_generator_run: noise of mode %d without what it needs", (int) noise->mode);
    return weft_generator_go(g, count, ws, noise, image);
}

weft_result weft_generator_styles(weft_generator *g, int count, const float *ws, float *styles)
{
    WEFT_TRY(check("weft_generator_styles", g, count, ws, styles));
    return weft_generator_go_styles(g, count, ws, styles);
}

weft_result weft_generator_run_styles(weft_generator *g, int count, const float *styles, float *image)
{
    WEFT_TRY(check("weft_generator_run_styles", g, count, styles, image));
    return weft_generator_go_from_styles(g, count, styles, image);
}

weft_result weft_generator_picture(const weft_generator *g, const float *image, int bits, weft_image **out)
{
    WEFT_TRY(check("weft_generator_picture", g, 1, image, out));
    if (bits != 8 && bits != 16) return weft_fail(WEFT_ERR_ARGUMENT, "weft_generator_picture: %d bits, not 8 or 16", bits);
    return weft_generator_to_picture(g, image, bits, out);
}
