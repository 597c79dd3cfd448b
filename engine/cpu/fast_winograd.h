// SPDX-License-Identifier: MIT
// conv2d and conv_transpose2d of 3 x 3 taps and stride 1 or 2 by cpu/winograd.h.
#pragma once
#include "cpu/fast.h"

// Whether that is faster than the library's own convolution, as measured; false where it cannot be.
bool weft_cpu_winograd_wins(const weft_node *n, bool transposed, bool constant_weights);

// A row like those of the table, for nodes that it can serve: *state stays NULL for others. It does not ask whether it wins.
// NULL: built without oneDNN.
const weft_cpu_fast *weft_cpu_winograd_row(bool transposed);
