// SPDX-License-Identifier: MIT
// Filling holes with a model, or without one.
#pragma once
#include "edit/mask.h"

weft_result weft_inpaint_new(weft_context *ctx, weft_device *dev, const weft_model *model, const weft_inpaint_params *params, weft_inpainter **out);
void weft_inpaint_free(weft_inpainter *p);
weft_result weft_inpaint_go(weft_inpainter *p, const weft_image *photo, const weft_image *mask, weft_image **out, weft_inpaint_facts *facts);
