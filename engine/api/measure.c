// SPDX-License-Identifier: MIT
// Bodies of <weft/measure.h>.
#include <weft/measure.h>
#include "cpu/fast.h"
#include "vk/kernel.h"

uint64_t weft_kernels_id(void) { return weft_kernels_hash; }
const char *weft_cpu_library(void) { return weft_cpu_fast_library(); }
