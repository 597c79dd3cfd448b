// SPDX-License-Identifier: MIT
// Soft borders.
#pragma once
#include "edit/mask.h"

// alpha [height, width]: 0 outside the hole, and inside d / (width_of_ramp + 1) up to 1, with d the distance in pixels to the
// nearest pixel that is not in the hole. What lies beyond the picture is not outside.
weft_result weft_feather(const weft_hole *h, double ramp, float *alpha);
