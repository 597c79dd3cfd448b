// SPDX-License-Identifier: MIT
// A set of samples in four numbers.
#pragma once

typedef struct summary {
    double median, mad, low, high; // mad: the median distance to the median; low, high: 95 % interval of the median by order statistics
} summary;

// Sorts the samples, at least one. Where they are too few for an interval, it is the range of all.
summary summary_of(double *samples, int count);
