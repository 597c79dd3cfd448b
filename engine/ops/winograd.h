// SPDX-License-Identifier: MIT
// Convolutions of 3 x 3 taps with fewer products (Winograd 1980; Lavin and Gray 2016): tiles of m x m outputs as products of transforms.
#pragma once
#include "ops/conv.h"

struct conv_params; // params/conv.h

// Whether the node can be run so: m is 2 or 4.
bool weft_winograd_serves(const weft_node *n, const weft_emit *e, int m);
// `d` and `p`: the constants and numbers that any kernel of this convolution gets.
weft_result weft_winograd_emit(const weft_node *n, weft_emit *e, const weft_dispatch *d, const struct conv_params *p, int m);
