// SPDX-License-Identifier: MIT
// Filling without a model: A. Telea, "An Image Inpainting Technique Based on the Fast Marching Method", 2004.
#pragma once
#include "base/context.h"

// Fills the pixels where hole[i] is 1 of `planes` planes of width x height numbers, one plane after the other.
// Results are limited to [0, 1]. There must be a known pixel. Same input, same result, on every machine.
weft_result weft_telea(weft_context *ctx, float *pixels, int planes, const uint8_t *hole, int width, int height, int radius,
                       int (*progress)(void *user, double done), void *progress_user);
