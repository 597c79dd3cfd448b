// SPDX-License-Identifier: MIT
#include "summary.h"
#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static double middle(const double *sorted, int n) { return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2; }

// The median of |x - median|: the n/2 nearest to it lie together in sorted x, so walk outwards.
static double deviation(const double *sorted, int n, double median)
{
    int low = 0, high = n - 1;
    double last = 0, before = 0;
    for (int left = n; left > (n - 1) / 2; left--) { // drop the farthest
        const double below = median - sorted[low], above = sorted[high] - median;
        before = last;
        if (below > above) last = below, low++;
        else last = above, high--;
    }
    return n % 2 ? last : (before + last) / 2;
}

// The median lies below the k-th smallest of n samples if fewer than k of them are below it: a binomial with p = 1/2. The largest k for
// which that happens in at most 2.5 % of all cases, from 0, and the same from above.
static int order_index(int n)
{
    double term = n * log(0.5), below = 0; // term: the logarithm, because 2^-n soon leaves the range
    int k = 0;
    for (; k < n / 2; k++) {
        below += exp(term); // exactly k are below the median
        if (below > 0.025) break;
        term += log((double) (n - k) / (k + 1));
    }
    return k > 0 ? k - 1 : 0;
}

summary summary_of(double *samples, int count)
{
    qsort(samples, (size_t) count, sizeof *samples, ascending);
    const double median = middle(samples, count);
    const int k = order_index(count);
    return (summary) { median, deviation(samples, count, median), samples[k], samples[count - 1 - k] };
}
