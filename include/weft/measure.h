// SPDX-License-Identifier: MIT
// For benchmarks: which code it is that runs.
#ifndef WEFT_MEASURE_H
#define WEFT_MEASURE_H

#include <weft/session.h>

#ifdef __cplusplus
extern "C" {
#endif

WEFT_API uint64_t weft_kernels_id(void);      // a hash of all Vulkan kernels in this library: times of others are times of other code
WEFT_API const char *weft_cpu_library(void);  // what `cpu` computes heavy operators with, "oneDNN 2.7.2"; "none": plain C

#ifdef __cplusplus
}
#endif
#endif // WEFT_MEASURE_H
