// SPDX-License-Identifier: MIT
// Time that only goes forward, from some moment on.
#pragma once
#include <stdint.h>
#include <time.h>

static inline int64_t weft_nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}
static inline double weft_seconds(void) { return (double) weft_nanoseconds() * 1e-9; }
