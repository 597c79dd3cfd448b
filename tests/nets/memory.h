// SPDX-License-Identifier: MIT
// How much memory an entry's activations are planned to take, against the most that is ever alive at once: from the program alone.
#pragma once
#include "graph/lower.h"
#include "graph/model.h"
#include "graph/place.h"
#include "graph/program.h"
#include <stdio.h>

#define MEMORY_RATIO 1.15

static inline int memory_row(const char *name, const char *device, const weft_plan *plan)
{
    const double ratio = plan->least ? (double) plan->bytes / (double) plan->least : 1;
    const bool fine = ratio <= MEMORY_RATIO && plan->bytes >= plan->least;
    if (!fine) printf("BAD %s, %s: %zu bytes planned, %zu alive at once: %.3f\n", name, device, plan->bytes, plan->least, ratio);
    return !fine;
}

static inline weft_result memory_on_vulkan(const weft_graph *lowered, weft_half half, const char *name, int *bad)
{
    const weft_caps caps = { .f16_storage = true, .max_group = 128, .shared_bytes = 16384 };
    const weft_place_params params = { 256, (size_t) 1 << 31, false };
    weft_graph physical;
    weft_program program;
    weft_plan plan;
    weft_graph_init(&physical, lowered->arena);
    WEFT_TRY(weft_pass_physical(lowered, half, &physical));
    WEFT_TRY(weft_program_build(&physical, &caps, NULL, lowered->arena, &program));
    weft_life *lives = weft_arena_new(lowered->arena, sizeof *lives * (size_t) (program.buffer_count + 1));
    weft_state_update *updates = weft_arena_new(lowered->arena, sizeof *updates * (size_t) (physical.state_count + 1));
    if (!lives || !updates) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_state_plan(&physical, true, lowered->arena, updates));
    WEFT_TRY(weft_program_plan(&program, &physical, updates, &params, lives, &plan));
    *bad += memory_row(name, half == WEFT_HALF_NONE ? "vulkan, exact" : half == WEFT_HALF_ALL ? "vulkan, fast" : "vulkan, mixed", &plan);
    return WEFT_OK;
}

static inline weft_result memory_plans(weft_arena *a, const weft_model *m, int entry, const weft_port_shape *shapes, int shape_count, const char *name, int *bad)
{
    weft_graph bound, lowered;
    int64_t *dims = weft_arena_new(a, sizeof *dims * (size_t) (m->dim_count + 1));
    weft_graph_init(&bound, a);
    weft_graph_init(&lowered, a);
    if (!dims) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_model_bind_dims(m, entry, shapes, shape_count, dims));
    WEFT_TRY(weft_pass_bind(&m->entries[entry].graph, dims, &bound));
    WEFT_TRY(weft_lower_device(&bound, m->ctx->pool, true, &lowered));
    weft_model_facts facts; // what a device without kernels of its own plans
    WEFT_TRY(weft_entry_measure(m, entry, shapes, shape_count, &facts));
    *bad += memory_row(name, "cpu", &(weft_plan) { .bytes = facts.workspace_bytes, .least = facts.workspace_least_bytes });
    for (weft_half half = WEFT_HALF_NONE; half <= WEFT_HALF_LARGE; half++) WEFT_TRY(memory_on_vulkan(&lowered, half, name, bad));
    return WEFT_OK;
}

// How many of the plans of an entry take more than MEMORY_RATIO, each with a line that says so.
static inline int memory_bad(const weft_model *m, int entry, const weft_port_shape *shapes, int shape_count, const char *name)
{
    weft_arena arena = { .ctx = m->ctx };
    int bad = 0;
    if (memory_plans(&arena, m, entry, shapes, shape_count, name, &bad) != WEFT_OK) bad++, printf("BAD %s: %s\n", name, weft_error_text());
    weft_arena_free(&arena);
    return bad;
}
