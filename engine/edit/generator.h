// SPDX-License-Identifier: MIT
// Generators: <weft/generate.h> without the argument checks.
#pragma once
#include "base/context.h"
#include <weft/generate.h>

weft_result weft_generator_new(weft_context *ctx, weft_device *dev, const weft_model *model, const weft_generator_params *params,
                               weft_generator **out);
void weft_generator_free(weft_generator *g);
weft_result weft_generator_go_map(weft_generator *g, int count, const float *z, const int *classes, float *ws);
weft_result weft_generator_go_average(weft_generator *g, float *ws);
weft_result weft_generator_go_truncate(weft_generator *g, int count, float *ws, double psi, int cutoff);
weft_result weft_generator_go(weft_generator *g, int count, const float *ws, const weft_noise *noise, float *image);
weft_result weft_generator_go_styles(weft_generator *g, int count, const float *ws, float *styles);
weft_result weft_generator_go_from_styles(weft_generator *g, int count, const float *styles, float *image);
weft_result weft_generator_to_picture(const weft_generator *g, const float *image, int bits, weft_image **out);
