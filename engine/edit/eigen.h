// SPDX-License-Identifier: MIT
// Eigenvalues of symmetric matrices.
#pragma once
#include "base/context.h"

// a [n, n], symmetric, is used up. values [n] in falling order; row k of vectors [n, n] is the unit eigenvector of values[k].
weft_result weft_eigen(weft_context *ctx, int n, double *a, double *values, double *vectors);
