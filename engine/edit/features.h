// SPDX-License-Identifier: MIT
// The networks that losses look through: what they are shown of a picture, and which of their outputs count.
#pragma once
#include "edit/objective.h"

enum { WEFT_MOST_TAPS = 64 };
typedef struct weft_tap { const char *name; weft_value value; } weft_tap; // an output of such a network

bool weft_loss_has_network(weft_loss_kind kind);

// Whether the network of such a loss, called `name`, is there and is one for it.
weft_result weft_features_check(const weft_loss *t, const char *name);

// The features that a term looks at, of a picture [1, 3, h, w] in -1..1. Gives their count.
int weft_features_call(const weft_objective *o, weft_builder *b, int term, weft_value picture, weft_tap taps[WEFT_MOST_TAPS]);

// What weights and ports of a term are called, "<term>.<tap>"; "": no memory.
const char *weft_features_name(const weft_objective *o, int term, const char *tap);
