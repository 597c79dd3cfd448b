// SPDX-License-Identifier: MIT
#include "bench.h"
#include "summary.h"
#include <stdlib.h>
#include <string.h>

bool stat_add(bench_stat *s, double sample)
{
    if (s->count == s->room) {
        double *more = realloc(s->sample, sizeof *more * (size_t) (2 * s->room + 16));
        if (!more) return false;
        s->sample = more, s->room = 2 * s->room + 16;
    }
    s->sample[s->count++] = sample;
    return true;
}

void stat_free(bench_stat *s)
{
    free(s->sample);
    *s = (bench_stat) { 0 };
}

void stat_finish(bench_stat *s)
{
    double *sorted = s->count ? malloc(sizeof *sorted * (size_t) s->count) : NULL;
    if (!sorted) return;
    memcpy(sorted, s->sample, sizeof *sorted * (size_t) s->count);
    const summary of = summary_of(sorted, s->count);
    s->median = of.median, s->mad = of.mad, s->low = of.low, s->high = of.high;
    free(sorted);
}
