// SPDX-License-Identifier: MIT
// Bodies of <weft/measure.h>.
#include <weft/measure.h>
#include "api/device.h"
#include "cpu/fast.h"
#include "cpu/peak.h"
#include "vk/kernel.h"
#include "vk/peak.h"

uint64_t weft_kernels_id(void) { return weft_kernels_hash; }
const char *weft_cpu_library(void) { return weft_cpu_fast_library(); }

struct weft_peaks {
    weft_context *ctx;
    weft_cpu_peaks *cpu; // one of the two
    weft_vk_peaks *vk;
};

weft_result weft_peaks_create(weft_device *dev, weft_peaks **out)
{
    if (!dev || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_peaks_create: an argument is NULL");
    weft_peaks *p = weft_new(dev->ctx, sizeof *p);
    if (!p) return WEFT_ERR_MEMORY;
    p->ctx = dev->ctx;
    const weft_result r = dev->vk ? weft_vk_peaks_create(dev->vk, &p->vk) : weft_cpu_peaks_create(dev->ctx, &p->cpu);
    if (r != WEFT_OK) return weft_delete(dev->ctx, p), r;
    *out = p;
    return WEFT_OK;
}

void weft_peaks_destroy(weft_peaks **p)
{
    if (!p || !*p) return;
    weft_context *ctx = (*p)->ctx;
    weft_cpu_peaks_destroy((*p)->cpu);
    weft_vk_peaks_destroy((*p)->vk);
    weft_delete(ctx, *p);
    *p = NULL;
}

weft_result weft_peaks_sample(weft_peaks *p, weft_peak what, double *value)
{
    if (!p || !value) return weft_fail(WEFT_ERR_ARGUMENT, "weft_peaks_sample: an argument is NULL");
    return p->vk ? weft_vk_peaks_sample(p->vk, what, value) : weft_cpu_peaks_sample(p->cpu, what, value);
}
