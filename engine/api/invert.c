// SPDX-License-Identifier: MIT
// Bodies of <weft/invert.h>: argument checks.
#include "edit/invert.h"
#include "base/status.h"
#include <math.h>

enum { MOST_SEGMENTS = 16, MOST_LOSSES = 32, MOST_STEPS = 1000000 };

static weft_result check_number(const char *what, double v)
{
    return isfinite(v) ? WEFT_OK : weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_create: %s is no number", what);
}

static weft_result check_count(const char *what, int v, int least)
{
    if (v >= least && v <= MOST_STEPS) return WEFT_OK;
    return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_create: %s is %d, not %d to %d", what, v, least, MOST_STEPS);
}

static weft_result check_params(const weft_invert_params *p)
{
    if (p->space < WEFT_SPACE_WPLUS || p->space > WEFT_SPACE_S) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_create: there is no space %d", (int) p->space);
    if (p->maps < WEFT_MAPS_CONST || p->maps > WEFT_MAPS_OPTIMIZE) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_create: there is no mode %d of noise maps", (int) p->maps);
    WEFT_TRY(check_count("steps", p->steps, 0));
    WEFT_TRY(check_count("samples", p->samples, 0));
    WEFT_TRY(check_count("patience", p->patience, 0));
    WEFT_TRY(check_count("tune", p->tune, 0));
    WEFT_TRY(check_count("check_every", p->check_every, 0));
    WEFT_TRY(check_count("checkpoint_every", p->checkpoint_every, 0));
    WEFT_TRY(check_count("frames", p->frames < 0 ? 0 : p->frames, 0));
    WEFT_TRY(check_count("class_index", p->class_index, 0));
    const struct { const char *name; double v; } numbers[] = {
        { "rate", p->rate }, { "rampup", p->rampup }, { "rampdown", p->rampdown }, { "latent_noise", p->latent_noise }, { "latent_noise_ramp", p->latent_noise_ramp },
        { "noise_weight", p->noise_weight }, { "clip_norm", p->clip_norm }, { "stop_loss", p->stop_loss }, { "tune_rate", p->tune_rate }, { "tune_stop_loss", p->tune_stop_loss },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) WEFT_TRY(check_number(numbers[i].name, numbers[i].v));
    if (p->rate < 0 || p->tune_rate < 0 || p->clip_norm < 0) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_create: a rate or a norm below 0");
    if (p->loss_count < 0 || p->loss_count > MOST_LOSSES || (p->loss_count && !p->losses))
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_create: %d losses, not 0 to %d, or none there", p->loss_count, MOST_LOSSES);
    return WEFT_OK;
}

weft_result weft_inverter_create(weft_context *ctx, weft_device *dev, const weft_model *generator, const weft_invert_params *params, weft_inverter **out)
{
    const weft_invert_params p = params ? *params : (weft_invert_params) { 0 };
    if (!ctx || !dev || !generator || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_create: an argument is NULL");
    WEFT_TRY(check_params(&p));
    return weft_invert_new(ctx, dev, generator, &p, out);
}

void weft_inverter_destroy(weft_inverter **p)
{
    if (!p || !*p) return;
    weft_invert_free(*p);
    *p = NULL;
}

weft_result weft_inverter_run(weft_inverter *p, const weft_invert_job *job, weft_inversion **out)
{
    if (!p || !job || !job->photo || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_run: an argument is NULL");
    if (job->mask_mode < WEFT_MASK_HOLE || job->mask_mode > WEFT_MASK_ALPHA) return weft_fail(WEFT_ERR_ARGUMENT, "there is no mask mode %d", (int) job->mask_mode);
    if (job->segment_count < 0 || job->segment_count > MOST_SEGMENTS || (job->segment_count && !job->segments))
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_run: %d segments, not 0 to %d, or none there", job->segment_count, MOST_SEGMENTS);
    if (job->start_count < 0 || (job->start_count && !job->start)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_run: no start");
    if (job->fill && !job->mask) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_run: there is no mask that says what to fill");
    for (int i = 0; i < job->segment_count; i++)
        if (!job->segments[i]) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_run: segment %d is NULL", i);
    for (int i = 0; i < job->start_count; i++)
        if (!job->start[i].name || !job->start[i].data) return weft_fail(WEFT_ERR_ARGUMENT, "weft_inverter_run: start %d is not there", i);
    return weft_invert_go(p, job, out);
}

void weft_inversion_destroy(weft_inversion **v)
{
    if (!v || !*v) return;
    weft_inversion_free(*v);
    *v = NULL;
}

const weft_invert_facts *weft_inversion_get_facts(const weft_inversion *v) { return &v->facts; }
const weft_image *weft_inversion_image(const weft_inversion *v) { return v->image; }
const weft_image *weft_inversion_filled(const weft_inversion *v) { return v->filled; }
const weft_image *weft_inversion_target(const weft_inversion *v) { return v->target; }
const weft_image *weft_inversion_sheet(const weft_inversion *v) { return v->sheet; }
const weft_model *weft_inversion_generator(const weft_inversion *v) { return v->generator; }

int weft_inversion_arrays(const weft_inversion *v, const weft_array **arrays)
{
    *arrays = v->arrays;
    return v->array_count;
}

int weft_inversion_log(const weft_inversion *v, const char *const **names, int *count, const float **rows)
{
    *names = v->names, *count = v->columns, *rows = v->log;
    return v->rows;
}
