// SPDX-License-Identifier: MIT
// Inversion: <weft/invert.h> without the argument checks.
#pragma once
#include "base/context.h"
#include <weft/invert.h>

weft_result weft_invert_new(weft_context *ctx, weft_device *dev, const weft_model *generator, const weft_invert_params *params, weft_inverter **out);
void weft_invert_free(weft_inverter *p);
weft_result weft_invert_go(weft_inverter *p, const weft_invert_job *job, weft_inversion **out);

// What is found.
struct weft_inversion {
    weft_context *ctx;
    struct weft_arena *arena; // everything but the pictures and the generator
    weft_invert_facts facts;
    weft_image *image, *filled, *target, *sheet;
    weft_array *arrays;
    int array_count;
    const char *const *names; // of the log's columns
    int columns, rows;
    float *log;
    weft_model *generator;
};
weft_result weft_inversion_new(weft_context *ctx, weft_inversion **out);
void weft_inversion_free(weft_inversion *v);
