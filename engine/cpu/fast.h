// SPDX-License-Identifier: MIT
// Library-backed versions of the few heavy rows. Checked against the rows' own truth.
#pragma once
#include "base/threads.h"
#include "graph/graph.h"

typedef struct weft_cpu_fast {
    const char *op;
    // Made once per node and session: packed weights, library objects. A NULL *state means: use the plain truth.
    weft_result (*prepare)(weft_context *ctx, const weft_node *n, const void *const *constant_in, void **state);
    weft_result (*run)(void *state, weft_pool *pool, const weft_node *n, void *const *out, const void *const *in);
    void (*destroy)(weft_context *ctx, void *state);
} weft_cpu_fast;

const weft_cpu_fast *weft_cpu_fast_find(const char *op); // NULL: none
