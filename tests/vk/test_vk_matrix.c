// SPDX-License-Identifier: MIT
// Matrix units: tried before they are relied on, and left alone where they are wrong.
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

typedef struct seen { int warnings; char kernel[64]; } seen;

static void log_line(void *user, weft_log_level level, const char *line)
{
    (void) line;
    ((seen *) user)->warnings += level <= WEFT_LOG_WARN;
}

static void note_kernel(void *user, const weft_node_time *t)
{
    if (!strcmp(t->op, "matmul")) snprintf(((seen *) user)->kernel, sizeof ((seen *) user)->kernel, "%s", t->kernel);
}

// A product in f16, wanted on the matrix units; every element of y is `SIZE`. Gives what the session said.
static weft_result product(weft_vk_device *dev, seen *s)
{
    weft_arena arena = { .ctx = dev->ctx };
    weft_graph g;
    weft_vk_run *run = NULL;
    static float a[SIZE * SIZE], y[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++) a[i] = 1, y[i] = 0;
    weft_graph_init(&g, &arena);
    g.bound = true;
    const weft_value v = weft_graph_input(&g, "a", WEFT_F32, (weft_shape) WEFT_SHAPE(SIZE, SIZE));
    weft_graph_output(&g, "y", weft_graph_call(&g, "matmul", WEFT_V(v, v), NULL));
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    *s->kernel = 0;
    dev->caps.force = "matmul_matrix";
    weft_result r = weft_vk_run_create(dev, &g, &(weft_session_params) { .precision = WEFT_FAST, .timing = note_kernel, .timing_user = s }, &run);
    if (r == WEFT_OK) r = weft_vk_run_go(run, (const void *const[]) { a }, (void *const[]) { y });
    weft_vk_run_destroy(run);
    weft_arena_free(&arena);
    for (int i = 0; r == WEFT_OK && i < SIZE * SIZE; i++) assert_true(y[i] == SIZE);
    return r;
}

static void with(bool spoiled)
{
    seen s = { 0 };
    weft_context *ctx;
    weft_vk_device *dev;
    assert_int_equal(weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &s, .log_level = WEFT_LOG_WARN }, &ctx), WEFT_OK);
    const weft_result opened = weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev);
    const bool matrices = opened == WEFT_OK && dev->caps.matrix[0];
    if (matrices) {
        dev->matrix_spoiled = spoiled;
        for (int turn = 0; turn < 2; turn++) {
            assert_int_equal(product(dev, &s), WEFT_OK);
            assert_int_equal(!strcmp(s.kernel, "matmul_matrix"), !spoiled);
            assert_int_equal(s.warnings, spoiled); // once per device
        }
    }
    if (opened == WEFT_OK) weft_vk_close(dev);
    weft_context_destroy(&ctx);
    if (!matrices) puts("skip: no device with matrix units"), skip();
}

static void right(void **state) { (void) state; with(false); }
static void wrong(void **state) { (void) state; with(true); }

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(right), cmocka_unit_test(wrong) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
