// SPDX-License-Identifier: MIT
// What the device can do at best, measured by kernels made for it.
#pragma once
#include "vk/device.h"
#include <weft/measure.h>

typedef struct weft_vk_peaks weft_vk_peaks;

weft_result weft_vk_peaks_create(weft_vk_device *dev, weft_vk_peaks **out);
void weft_vk_peaks_destroy(weft_vk_peaks *p); // NULL is fine
weft_result weft_vk_peaks_sample(weft_vk_peaks *p, weft_peak what, double *value); // as weft_peaks_sample
