// SPDX-License-Identifier: MIT
// A square product in a kernel that is asked for, and what was seen meanwhile.
#pragma once
#include "graph/graph.h"
#include "vk/inside.h"
#include "vk/run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { SIZE = 48 };

typedef struct seen { int warnings; char kernel[64]; } seen; // kernel: in which the product was made

static inline void log_line(void *user, weft_log_level level, const char *line)
{
    (void) line;
    ((seen *) user)->warnings += level <= WEFT_LOG_WARN;
}

static inline void note_kernel(void *user, const weft_node_time *t)
{
    if (!strcmp(t->op, "matmul")) snprintf(((seen *) user)->kernel, sizeof ((seen *) user)->kernel, "%s", t->kernel);
}

static inline bool makes_kernel(const char *call) { return !strcmp(call, "vkCreateComputePipelines") || !strcmp(call, "vkCreateShadersEXT"); }

static inline void whole_numbers(float a[SIZE * SIZE], float y[SIZE * SIZE])
{
    for (int i = 0; i < SIZE * SIZE; i++) a[i] = (float) (i % 7 - 3), y[i] = -1;
}

static inline void assert_square(const float a[SIZE * SIZE], const float y[SIZE * SIZE]) // exactly
{
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            float sum = 0;
            for (int k = 0; k < SIZE; k++) sum += a[i * SIZE + k] * a[k * SIZE + j];
            assert_true(y[i * SIZE + j] == sum);
        }
}

// y = a a, wanted in `kernel`. Gives what the session said.
static inline weft_result multiply(weft_vk_device *dev, seen *s, const char *kernel, weft_precision precision, const float a[SIZE * SIZE], float y[SIZE * SIZE])
{
    weft_arena arena = { .ctx = dev->ctx };
    weft_graph g;
    weft_vk_run *run = NULL;
    weft_graph_init(&g, &arena);
    g.bound = true;
    const weft_value v = weft_graph_input(&g, "a", WEFT_F32, (weft_shape) WEFT_SHAPE(SIZE, SIZE));
    weft_graph_output(&g, "y", weft_graph_call(&g, "matmul", WEFT_V(v, v), NULL));
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    *s->kernel = 0;
    dev->caps.force = kernel;
    weft_result r = weft_vk_run_create(dev, &g, &(weft_session_params) { .precision = precision, .timing = note_kernel, .timing_user = s }, &run);
    if (r == WEFT_OK) r = weft_vk_run_go(run, (const void *const[]) { a }, (void *const[]) { y });
    weft_vk_run_destroy(run);
    weft_arena_free(&arena);
    return r;
}
