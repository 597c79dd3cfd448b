// SPDX-License-Identifier: MIT
// For benchmarks: which code it is that runs, and what a device can do at best.
#ifndef WEFT_MEASURE_H
#define WEFT_MEASURE_H

#include <weft/session.h>

#ifdef __cplusplus
extern "C" {
#endif

WEFT_API uint64_t weft_kernels_id(void);      // a hash of all Vulkan kernels in this library: times of others are times of other code
WEFT_API const char *weft_cpu_library(void);  // what `cpu` computes heavy operators with, "oneDNN 2.7.2"; "none": plain C

// The shapes by which an operator (weft_op_name) is tested and measured, as models with one entry of one node. Inputs are called "x0",
// "x1", ...; weights and biases are constants. fill: numbers that suit the input, in its type. Errors: WEFT_ERR_ARGUMENT, WEFT_ERR_MEMORY.
WEFT_API int weft_op_case_count(const char *op); // 0 also where there is no such operator
WEFT_API weft_result weft_op_case_model(weft_context *ctx, const char *op, int index, weft_model **out);
WEFT_API weft_result weft_op_case_fill(const char *op, int index, const char *port, uint32_t seed, void *data, size_t count);

// The limits of a device, measured by loops made for nothing else, so that a share of them can be told.
typedef enum weft_peak {
    WEFT_PEAK_F32,    // flops a second, a fused multiply-add being two
    WEFT_PEAK_F16,    // the same of f16 arithmetic
    WEFT_PEAK_MATRIX, // the same of matrix units, f16 with sums in f32
    WEFT_PEAK_READ,   // bytes a second read from memory beyond the caches
    WEFT_PEAK_COPY,   // bytes a second, those read and those written
    WEFT_PEAK_LAUNCH, // seconds of a kernel that does nothing, behind one that it waits for; `cpu`: of a loop on all threads that does nothing
    WEFT_PEAK_SUBMIT, // seconds of a submission of such a kernel and the wait for it
    WEFT_PEAK_HAND_OVER, // of these, until the driver has it and the calling thread can go on
    WEFT_PEAKS,
} weft_peak;

typedef struct weft_peaks weft_peaks; // one thread at a time; the device must outlive it
WEFT_API weft_result weft_peaks_create(weft_device *dev, weft_peaks **out); // takes up to a gigabyte of the device's memory
// One sample. The first of each kind takes longer: it finds out how much work is enough. WEFT_ERR_UNSUPPORTED: the device has no such limit.
WEFT_API weft_result weft_peaks_sample(weft_peaks *p, weft_peak what, double *value);
WEFT_API void weft_peaks_destroy(weft_peaks **p);

#ifdef __cplusplus
}
#endif
#endif // WEFT_MEASURE_H
