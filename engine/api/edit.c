// SPDX-License-Identifier: MIT
// Bodies of <weft/edit.h>.
#include "edit/inpaint.h"
#include "edit/metrics.h"
#include "edit/stitch.h"
#include <math.h>

static weft_result check_mode(weft_mask_mode mode)
{
    if (mode == WEFT_MASK_HOLE || mode == WEFT_MASK_KEEP || mode == WEFT_MASK_ALPHA) return WEFT_OK;
    return weft_fail(WEFT_ERR_ARGUMENT, "there is no mask mode %d", (int) mode);
}

weft_result weft_inpainter_create(weft_context *ctx, weft_device *dev, const weft_model *model, const weft_inpaint_params *params, weft_inpainter **out)
{
    const weft_inpaint_params p = params ? *params : (weft_inpaint_params) { 0 };
    if (!ctx || !out || !dev != !model)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_inpainter_create: an argument is NULL (device and model may be, together)");
    if (p.context < WEFT_CONTEXT_FULL || p.context > WEFT_IMAGE_MAX_SIDE)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_inpainter_create: a context of %d pixels", p.context);
    if (p.radius < 0 || p.radius > 64) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inpainter_create: radius %d is not 1 to 64", p.radius);
    WEFT_TRY(check_mode(p.mask_mode));
    return weft_inpaint_new(ctx, dev, model, &p, out);
}

void weft_inpainter_destroy(weft_inpainter **p)
{
    if (!p || !*p) return;
    weft_inpaint_free(*p);
    *p = NULL;
}

weft_result weft_inpainter_run(weft_inpainter *p, const weft_image *photo, const weft_image *mask, weft_image **out, weft_inpaint_facts *facts)
{
    if (!p || !photo || !mask || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inpainter_run: an argument is NULL");
    return weft_inpaint_go(p, photo, mask, out, facts);
}

weft_result weft_inpaint(weft_context *ctx, weft_device *dev, const weft_model *model, const weft_inpaint_params *params,
                         const weft_image *photo, const weft_image *mask, weft_image **out)
{
    weft_inpainter *p;
    WEFT_TRY(weft_inpainter_create(ctx, dev, model, params, &p));
    const weft_result r = weft_inpainter_run(p, photo, mask, out, NULL);
    weft_inpainter_destroy(&p);
    return r;
}

weft_result weft_compare(const weft_image *a, const weft_image *b, const weft_image *mask, weft_mask_mode mask_mode,
                         weft_metrics *all, weft_metrics *hole)
{
    weft_hole h = { 0 };
    if (!a || !b) return weft_fail(WEFT_ERR_ARGUMENT, "weft_compare: an argument is NULL");
    if (hole && !mask) return weft_fail(WEFT_ERR_ARGUMENT, "weft_compare: a mask is needed for the figures of the hole");
    WEFT_TRY(check_mode(mask_mode));
    if (!hole) return weft_metrics_compute(a, b, NULL, all, NULL);
    WEFT_TRY(weft_hole_make(mask, mask_mode, a->info.width, a->info.height, &h));
    const weft_result r = weft_metrics_compute(a, b, &h, all, hole);
    weft_hole_free(&h);
    return r;
}

weft_result weft_stitch(const weft_image *photo, const weft_image *edit, const weft_image *mask, const weft_stitch_params *params,
                        weft_image **out, weft_stitch_facts *facts)
{
    weft_stitch_params p = params ? *params : (weft_stitch_params) { 0 };
    if (!photo || !edit || !mask || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_stitch: an argument is NULL");
    WEFT_TRY(check_mode(p.mask_mode));
    if (p.blend != WEFT_BLEND_ALPHA && p.blend != WEFT_BLEND_POISSON && p.blend != WEFT_BLEND_MIXED)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_stitch: there is no way of blending %d", (int) p.blend);
    if (!(p.feather >= 0 && p.feather <= WEFT_IMAGE_MAX_SIDE) || !(p.tolerance >= 0 && p.tolerance < 1))
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_stitch: a feather of that many pixels, or that tolerance, cannot be");
    if (!p.tolerance) p.tolerance = 1e-9;
    if (!p.region.width) p.region = (weft_region) { 0, 0, photo->info.width, photo->info.height };
    const weft_region r = p.region;
    if (r.x < 0 || r.y < 0 || r.width < 1 || r.height < 1 || r.width > photo->info.width - r.x || r.height > photo->info.height - r.y)
        return weft_fail(WEFT_ERR_ARGUMENT, "the region of %d x %d pixels at %d, %d is not inside the photo of %d x %d", r.width, r.height, r.x, r.y,
                         photo->info.width, photo->info.height);
    return weft_stitch_go(photo, edit, mask, &p, out, facts);
}
