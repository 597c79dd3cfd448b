// SPDX-License-Identifier: MIT
// Where an inversion starts, and what is usual: mean and deviation of a generator's latents.
#pragma once
#include "edit/fit.h"
#include "edit/objective.h"

enum { WEFT_START_BATCH = 250 }; // what `g` should take at once

// Fills o->latents for o->space, with `samples` of RandomState(123) through the mapping.
weft_result weft_start_latents(weft_objective *o, weft_generator *g, int samples);

// The latents that a job starts from: to[i] has room for o->segments times o->latents[i].
weft_result weft_start_from(const weft_objective *o, weft_generator *g, weft_device *dev, const weft_invert_job *job, const weft_fit *fit,
                            float *const *to);

// The noise maps that it starts from: those of the job, others normal.
weft_result weft_start_maps(const weft_objective *o, const weft_invert_job *job, uint32_t seed, float *const *to);

int64_t weft_count_of(weft_shape s);
const weft_array *weft_find_array(const weft_invert_job *job, const char *name); // NULL: none
