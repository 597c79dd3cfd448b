// SPDX-License-Identifier: MIT
// Kernels that broadcast within subgroups: offered wherever their size can be relied on, nowhere else, and always asking for it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/context.h"
#include "graph/program.h"
#include "ops/conv.h"
#include "ops/conv_weights.h"
#include <stdio.h>
#include <string.h>

typedef struct scene {
    weft_context *ctx;
    weft_arena arena;
    weft_graph physical;
} scene;

static void make(scene *s, bool half)
{
    static float zeros[64 * 64 * 9];
    static const weft_weight w = { "w", WEFT_F32, WEFT_SHAPE(64, 64, 3, 3), zeros, sizeof zeros };
    const weft_conv_attrs conv = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .pads = { 1, 1, 1, 1 }, .groups = 1 };
    const weft_conv_weights_attrs back = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .pads = { 1, 1 }, .groups = 1, .kernel = { 3, 3 } };
    weft_graph g;
    assert_int_equal(weft_context_create(&(weft_context_params) { 0 }, &s->ctx), WEFT_OK);
    s->arena = (weft_arena) { .ctx = s->ctx };
    weft_graph_init(&g, &s->arena);
    weft_graph_init(&s->physical, &s->arena);
    g.bound = true;
    const weft_value x = weft_graph_input(&g, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 64, 96, 96));
    const weft_value m = weft_graph_input(&g, "m", WEFT_F32, (weft_shape) WEFT_SHAPE(256, 256));
    const weft_value y = weft_graph_call(&g, "conv2d", WEFT_V(x, weft_graph_constant(&g, &w)), &conv);
    weft_graph_output(&g, "y", y);
    weft_graph_output(&g, "dw", weft_conv_weights(&g, x, y, &back));
    weft_graph_output(&g, "mm", weft_graph_call(&g, "matmul", WEFT_V(m, m), NULL));
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    assert_int_equal(weft_pass_physical(&g, half ? WEFT_HALF_ALL : WEFT_HALF_NONE, &s->physical), WEFT_OK);
}

static void drop(scene *s)
{
    weft_arena_free(&s->arena);
    weft_context_destroy(&s->ctx);
}

typedef struct turn { int way, most; } turn; // takes way `way` of every node
static int take(void *user, const weft_node *n, const char *key, const weft_way *ways, int count)
{
    turn *t = user;
    (void) n, (void) key, (void) ways;
    if (count > t->most) t->most = count;
    return t->way < count ? t->way : 0;
}

enum { CONV, WEIGHTS, PRODUCT, KINDS };
static int kind_of(const char *kernel)
{
    if (!strncmp(kernel, "conv_subgroup", 13)) return CONV;
    return !strcmp(kernel, "conv_weights_subgroup") ? WEIGHTS : !strcmp(kernel, "matmul_subgroup") ? PRODUCT : -1;
}

// How many dispatches of such kernels all ways together make, each of which must ask for subgroups of `lanes`, in workgroups of one.
static void count(const weft_caps *caps, bool half, uint32_t lanes, int found[KINDS])
{
    scene s;
    make(&s, half);
    turn t = { 0, 1 };
    for (int k = 0; k < KINDS; k++) found[k] = 0;
    for (; t.way < t.most; t.way++) {
        weft_program p;
        assert_int_equal(weft_program_build(&s.physical, caps, &(weft_chooser) { take, &t }, &s.arena, &p), WEFT_OK);
        for (int i = 0; i < p.step_count; i++) {
            const weft_dispatch *d = &p.steps[i].dispatch;
            const int kind = kind_of(d->kernel);
            if (kind < 0) continue;
            found[kind]++;
            assert_int_equal(d->subgroup, lanes);
            assert_int_equal(d->group[0], lanes);
        }
    }
    assert_true(t.most < WEFT_MAX_WAYS); // none was left out
    drop(&s);
}

static void are_offered(const weft_caps *caps, uint32_t lanes)
{
    for (int half = 0; half <= caps->f16_storage; half++) {
        int found[KINDS];
        count(caps, half, lanes, found);
        for (int k = 0; k < KINDS; k++) assert_true(lanes ? found[k] > 0 : !found[k]);
    }
}

#define GPU(least, most) .f16_storage = true, .max_group = 1024, .shared_bytes = 32768, .subgroup_size = most, .subgroup_add = true, \
                         .subgroup_sizes = { least, most }
static void gpus_have_them(void **state)
{
    (void) state;
    are_offered(&(weft_caps) { GPU(32, 64), .int64 = true }, 32);              // RDNA
    are_offered(&(weft_caps) { GPU(64, 64), .int64 = true }, 64);              // GCN
    are_offered(&(weft_caps) { GPU(32, 32), .matrix = { 16, 16, 16 }, .matrix_subgroup = 32 }, 32); // NVIDIA
    are_offered(&(weft_caps) { GPU(8, 32), .few_registers = true }, 8);        // Intel up to Xe
    are_offered(&(weft_caps) { GPU(16, 32), .few_registers = true, .matrix = { 8, 16, 16 }, .matrix_subgroup = 16 }, 16);
    are_offered(&(weft_caps) { GPU(16, 16) }, 16);                             // Mali
    are_offered(&(weft_caps) { GPU(64, 128) }, 64);                            // Adreno
}

static void who_cannot_promise_a_size_has_none(void **state)
{
    (void) state;
    are_offered(&(weft_caps) { GPU(0, 0), .int64 = true }, 0);
    are_offered(&(weft_caps) { GPU(128, 128) }, 0);
    are_offered(&(weft_caps) { GPU(1, 1) }, 0);
    are_offered(&(weft_caps) { .max_group = 128, .shared_bytes = 16384 }, 0);
}

static void processors_have_theirs(void **state)
{
    (void) state;
    are_offered(&(weft_caps) { GPU(8, 8), .is_software = true, .int64 = true }, 8);
    are_offered(&(weft_caps) { GPU(4, 4), .is_software = true }, 4);
    are_offered(&(weft_caps) { GPU(64, 64), .is_software = true }, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpus_have_them), cmocka_unit_test(who_cannot_promise_a_size_has_none), cmocka_unit_test(processors_have_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
