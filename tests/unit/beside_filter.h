// SPDX-License-Identifier: MIT
// A convolution and a filter beside it, as a device or `cpu` gets them: what they became, and what lies between them. Include after cmocka.h.
#pragma once
#include "base/context.h"
#include "graph/lower.h"
#include "graph/program.h"
#include <string.h>

typedef struct scene {
    weft_context *ctx;
    weft_arena arena;
    weft_graph lowered;
    weft_program program;
} scene;

static void begin(scene *s, weft_graph *g)
{
    assert_int_equal(weft_context_create(&(weft_context_params) { 0 }, &s->ctx), WEFT_OK);
    s->arena = (weft_arena) { .ctx = s->ctx };
    weft_graph_init(g, &s->arena);
    weft_graph_init(&s->lowered, &s->arena);
    g->bound = true;
}

static void build(scene *s, const weft_graph *g, const weft_caps *caps, bool device)
{
    weft_graph physical;
    weft_graph_init(&physical, &s->arena);
    assert_int_equal(weft_graph_status(g), WEFT_OK);
    assert_int_equal((device ? weft_lower_device : weft_lower)(g, s->ctx->pool, true, &s->lowered), WEFT_OK);
    assert_int_equal(weft_pass_physical(&s->lowered, WEFT_HALF_NONE, &physical), WEFT_OK);
    assert_int_equal(weft_program_build(&physical, caps, NULL, &s->arena, &s->program), WEFT_OK);
}

static void drop(scene *s)
{
    weft_arena_free(&s->arena);
    weft_context_destroy(&s->ctx);
}

static const weft_caps processor = { .max_group = 1024, .shared_bytes = 32768, .is_software = true }, gpu = { .max_group = 1024, .shared_bytes = 32768 };

static int count_nodes(const scene *s, const char *op)
{
    int count = 0;
    for (int i = 0; i < s->lowered.node_count; i++) count += !strcmp(s->lowered.nodes[i].op->name, op);
    return count;
}

typedef enum shape { TOGETHER, WHOLE, IN_BANDS } shape; // what lies between the two: nothing, the image, some of its rows

static bool is_fused(const char *kernel, const char *fused) // itself, or its other form
{
    const size_t n = strlen(fused);
    return !strncmp(kernel, fused, n) && (!kernel[n] || !strcmp(kernel + n, "_subgroup"));
}

// fused: the kernel that does both; between: the bytes of the image.
static shape shape_between(const scene *s, const char *fused, size_t between, const weft_caps *caps)
{
    bool found = false;
    size_t scratch = 0;
    for (int i = 0; i < s->program.step_count; i++) found |= is_fused(s->program.steps[i].dispatch.kernel, fused);
    for (int b = 0; b < s->program.buffer_count; b++) scratch += s->program.buffers[b].value < 0 ? s->program.buffers[b].bytes : 0;
    if (found) assert_int_equal(scratch, 0); // which nothing but the fused kernel does without
    else assert_in_range(scratch, 1, between);
    if (!found && scratch < between) assert_true(scratch <= caps->range);
    return found ? TOGETHER : scratch == between ? WHOLE : IN_BANDS;
}
