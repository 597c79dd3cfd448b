// SPDX-License-Identifier: MIT
// How far two pictures are apart.
#pragma once
#include "edit/mask.h"

// hole: NULL when `inside` is. Either result may be NULL.
weft_result weft_metrics_compute(const weft_image *a, const weft_image *b, const weft_hole *hole, weft_metrics *all, weft_metrics *inside);
