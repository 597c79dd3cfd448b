// SPDX-License-Identifier: MIT
// A graph of each test's own, to build as it likes, and the memory behind it. Include after cmocka.h.
#pragma once
#include "base/arena.h"
#include "base/context.h"
#include "graph/graph.h"

static weft_context *ctx;
static weft_arena arena;
static weft_graph g;

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(NULL, &ctx)) return 1;
    arena = (weft_arena) { .ctx = ctx };
    weft_graph_init(&g, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    weft_arena_free(&arena);
    weft_context_destroy(&ctx);
    return 0;
}

static weft_graph empty(void) // one more
{
    weft_graph to;
    weft_graph_init(&to, &arena);
    return to;
}
