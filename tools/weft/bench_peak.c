// SPDX-License-Identifier: MIT
// Suite `peak`: what the device can do at best, against which all other figures are held.
#include "bench.h"
#include <string.h>

static const struct { weft_peak what; const char *name; } peaks[PEAKS] = {
    [PEAK_F32] = { WEFT_PEAK_F32, "f32" }, [PEAK_F16] = { WEFT_PEAK_F16, "f16" }, [PEAK_MATRIX] = { WEFT_PEAK_MATRIX, "matrix units" },
    [PEAK_READ] = { WEFT_PEAK_READ, "memory read" }, [PEAK_COPY] = { WEFT_PEAK_COPY, "memory copied" },
    [PEAK_LAUNCH] = { WEFT_PEAK_LAUNCH, "launch" }, [PEAK_SUBMIT] = { WEFT_PEAK_SUBMIT, "submission" },
    [PEAK_HAND_OVER] = { WEFT_PEAK_HAND_OVER, "handing it over" },
};

static weft_result sample(bench *b, weft_peaks *p, int k)
{
    double value;
    weft_result r = weft_peaks_sample(p, peaks[k].what, &value); // the first finds out how much is enough
    const double begin = seconds_since(0);
    while (r == WEFT_OK && !interrupted() && (b->peak[k].count < b->o->samples || seconds_since(begin) < b->o->seconds)) {
        r = weft_peaks_sample(p, peaks[k].what, &value);
        if (r == WEFT_OK && !stat_add(&b->peak[k], value)) r = WEFT_ERR_MEMORY;
    }
    host_watch(&b->host, weft_device_get_info(b->device));
    stat_finish(&b->peak[k]);
    return r;
}

bool bench_peak(bench *b)
{
    weft_peaks *p;
    if (b->o->list || b->counting || b->start) return true;
    weft_result r = weft_peaks_create(b->device, &p);
    if (r != WEFT_OK) return bench_error(b, "peak", "peak", weft_error_text());
    b->has_peak = true;
    for (int k = 0; k < PEAKS && !interrupted(); k++) {
        r = sample(b, p, k);
        if (r == WEFT_ERR_UNSUPPORTED) continue; // no such limit
        if (r != WEFT_OK && !bench_error(b, "peak", peaks[k].name, weft_error_text())) break;
        if (r == WEFT_ERR_DEVICE_LOST) break;
        if (r == WEFT_OK) note(b->c, "peak/%s: %.4g", peaks[k].name, b->peak[k].median);
    }
    weft_peaks_destroy(&p);
    b->stopped |= interrupted(), b->lost |= r == WEFT_ERR_DEVICE_LOST;
    return !b->stopped && !b->lost;
}
