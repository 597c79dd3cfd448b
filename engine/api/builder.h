// SPDX-License-Identifier: MIT
// What a builder is made of: a model in the making, and the first thing that went wrong.
#pragma once
#include "graph/model.h"
#include <weft/build.h>

struct weft_builder {
    weft_context *ctx;
    weft_model *model;
    weft_result failed;
    char failure[1024];
};

static inline bool broken(weft_builder *b, weft_result r) // keeps the first failure
{
    if (r != WEFT_OK) weft_build_fail(b, r, weft_error_text());
    return b->failed != WEFT_OK;
}

// The entry being built; a builder that names none builds "main".
static inline weft_graph *current(weft_builder *b)
{
    if (b->failed) return NULL;
    if (!b->model->entry_count) weft_build_entry(b, "main");
    return b->failed ? NULL : &b->model->entries[b->model->entry_count - 1].graph;
}
