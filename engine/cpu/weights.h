// SPDX-License-Identifier: MIT
// What sessions of a processor make from weights - widened, or packed for a library -, made once for all that need the same.
#pragma once
#include "base/context.h"

typedef struct weft_cpu_weights weft_cpu_weights;
typedef struct weft_cpu_weight weft_cpu_weight;

weft_result weft_cpu_weights_create(weft_context *ctx, weft_cpu_weights **out);
void weft_cpu_weights_destroy(weft_cpu_weights *w); // all must have been given back; NULL is fine

typedef struct weft_cpu_form { // what is made from which numbers
    const void *data;
    size_t data_bytes;
    const void *form; // bytes that tell forms apart
    size_t form_bytes;
    size_t bytes;     // of what is made
    weft_result (*make)(void *user, void *to); // to: zeroed, aligned to 64
    void *user;
} weft_cpu_form;

typedef struct weft_cpu_taken { size_t bytes, shared_bytes; } weft_cpu_taken; // of all that was taken, and of what was there already

// Makes it, unless it is there; adds to `sum`. Callable from any thread.
weft_result weft_cpu_weights_take(weft_cpu_weights *w, const weft_cpu_form *f, weft_cpu_weight **out, weft_cpu_taken *sum);
void weft_cpu_weights_give_back(weft_cpu_weights *w, weft_cpu_weight *one); // NULL is fine

const void *weft_cpu_weight_data(const weft_cpu_weight *one);
