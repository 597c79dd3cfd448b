// SPDX-License-Identifier: MIT
// Named arrays and numbers in a file: a model without nodes, so that reading, writing and checking are those of models.
#pragma once
#include "base/arena.h"
#include <stdbool.h>
#include <weft/invert.h>

typedef struct weft_checkpoint {
    const char *key;    // of what it belongs to; refused elsewhere
    int stage, done;    // stage 0: latents, 1: weights; steps done in it
    int stopped;        // the stage before was stopped early
    const weft_array *arrays;
    int array_count;
} weft_checkpoint;

weft_result weft_checkpoint_save(weft_context *ctx, const weft_checkpoint *c, const char *path); // whole or not at all
// What is read lives in the arena. *there: false where there is no such file.
weft_result weft_checkpoint_load(weft_arena *a, const char *path, const char *key, weft_checkpoint *out, bool *there);
