// SPDX-License-Identifier: MIT
// Convolutions on a device: which kernel, and with what.
#pragma once
#include "ops/conv.h"

// emit of conv2d and conv_transpose2d.
weft_result weft_conv_emit(const weft_node *n, weft_emit *e);
