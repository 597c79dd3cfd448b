// SPDX-License-Identifier: MIT
#include "cpu/add.h"
#include "cpu/clones.h"

WEFT_CLONES static void one(float *restrict y, const float *restrict x, float by, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] += by * x[i];
}
WEFT_CLONES static void four(float *restrict y, const float *restrict x, int64_t step, const float *by, int64_t count)
{
    const float *b = x + step, *c = b + step, *d = c + step;
    for (int64_t i = 0; i < count; i++) y[i] += by[0] * x[i] + by[1] * b[i] + by[2] * c[i] + by[3] * d[i];
}

void weft_cpu_add(float *restrict y, const float *restrict x, float by, int64_t count) { one(y, x, by, count); }
void weft_cpu_add_four(float *restrict y, const float *restrict x, int64_t step, const float by[4], int64_t count) { four(y, x, step, by, count); }
