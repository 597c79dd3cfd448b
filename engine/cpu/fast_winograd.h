// SPDX-License-Identifier: MIT
// conv2d and conv_transpose2d of 3 x 3 taps and stride 1 or 2 by cpu/winograd.h.
#pragma once
#include "cpu/fast.h"

// A row like those of the table, for all nodes that it can serve; those of the table leave those to others that are slower so. For tests.
// NULL: built without oneDNN.
const weft_cpu_fast *weft_cpu_winograd_row(bool transposed);
