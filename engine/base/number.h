// SPDX-License-Identifier: MIT
// Numbers in text, the same in every locale: strtod follows the host's.
#pragma once
#include <stdbool.h>

// Reads "-1", "0.485", "2.5e-3" at *text and moves *text behind it. False, with nothing moved, when there is none.
bool weft_read_number(const char **text, double *out);
