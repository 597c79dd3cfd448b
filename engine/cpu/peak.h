// SPDX-License-Identifier: MIT
// What the processor can do at best, all threads together, measured by loops made for it.
#pragma once
#include "base/context.h"
#include <weft/measure.h>

typedef struct weft_cpu_peaks weft_cpu_peaks;

weft_result weft_cpu_peaks_create(weft_context *ctx, weft_cpu_peaks **out);
void weft_cpu_peaks_destroy(weft_cpu_peaks *p); // NULL is fine
weft_result weft_cpu_peaks_sample(weft_cpu_peaks *p, weft_peak what, double *value); // as weft_peaks_sample
