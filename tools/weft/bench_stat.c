// SPDX-License-Identifier: MIT
#include "bench.h"
#include <math.h>
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

static int ascending(const void *a, const void *b)
{
    const double d = *(const double *) a - *(const double *) b;
    return d < 0 ? -1 : d > 0;
}

static double middle(const double *sorted, int n) { return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2; }

// The median lies below the k-th smallest of n samples if fewer than k of them are below it: a binomial with p = 1/2. The largest k for
// which that happens in at most 2.5 % of all cases, and the same from above.
void stat_ranks(int n, int *low, int *high)
{
    const double half = log(0.5);
    double below = 0;
    int k = 0;
    for (; k < n / 2; k++) {
        below += exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + n * half); // exactly k are below the median
        if (below > 0.025) break;
    }
    *low = k > 0 ? k : 1;
    *high = n + 1 - *low;
}

void stat_finish(bench_stat *s)
{
    double *sorted = s->count ? malloc(sizeof *sorted * (size_t) s->count) : NULL;
    int low, high;
    if (!sorted) return;
    memcpy(sorted, s->sample, sizeof *sorted * (size_t) s->count);
    qsort(sorted, (size_t) s->count, sizeof *sorted, ascending);
    stat_ranks(s->count, &low, &high);
    s->median = middle(sorted, s->count);
    s->low = sorted[low - 1], s->high = sorted[high - 1];
    for (int i = 0; i < s->count; i++) sorted[i] = fabs(s->sample[i] - s->median);
    qsort(sorted, (size_t) s->count, sizeof *sorted, ascending);
    s->mad = middle(sorted, s->count);
    free(sorted);
}
