// SPDX-License-Identifier: MIT
// Kernels whose matrices are as large as a workgroup's tile: offered where the device has such matrices, in workgroups and sizes that it named,
// and nowhere else. What NVIDIA's driver says is only played here: no device at hand says it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/context.h"
#include "graph/program.h"
#include "ops/conv.h"
#include "ops/conv_emit.h"
#include <string.h>

enum { SIZE = 512 };

typedef struct turn { // takes way `way` of every node
    int way, most, found;
    bool behind; // none of these comes before others
} turn;

static bool is_large(const weft_way *w) { return strstr(w->kernel, "_matrix2") != NULL; }

static int take(void *user, const weft_node *n, const char *key, const weft_way *ways, int count)
{
    turn *t = user;
    (void) n, (void) key;
    if (count > t->most) t->most = count;
    for (int i = 1; i < count; i++) t->behind &= !is_large(&ways[i - 1]) || is_large(&ways[i]);
    return t->way < count ? t->way : 0;
}

static const weft_matrix_form *form_of(const weft_caps *caps, uint32_t threads)
{
    for (int i = 0; i < WEFT_MATRIX_FORMS; i++)
        if (caps->matrix_form[i].threads == threads) return &caps->matrix_form[i];
    return NULL;
}

// The constants of shaders/glsl/matmul_matrix.glsl from 10 on, and of conv_matrix.glsl from OWN + 2 on.
enum { TALL, WIDE, THREADS, SCOPE, DEEP, PRODUCT = 7, CONV = WEFT_CONV_SPEC + 2 };
// Of shaders/sdpa_matrix2.comp.
enum { OWN = 4, OTHER, COLUMNS, LONG, SDPA_THREADS, SDPA_SCOPE };

static void check_attention(const weft_caps *caps, const weft_dispatch *d)
{
    const weft_matrix_form *f = form_of(caps, d->group[0]);
    assert_non_null(f);
    assert_true(caps->matrix_reduces);
    assert_int_equal(d->spec[SDPA_THREADS], f->threads);
    assert_int_equal(d->spec[SDPA_SCOPE], f->scope);
    assert_int_equal(d->spec[OWN] % f->m, 0);
    assert_int_equal(d->spec[OTHER] % f->n + d->spec[OTHER] % f->k, 0);
    assert_int_equal(d->spec[COLUMNS] % f->n, 0);
    assert_int_equal(d->spec[LONG] % f->k, 0);
    for (int i = OWN; i <= LONG; i++) assert_in_range(d->spec[i], 1, caps->matrix_most);
    assert_int_equal(d->subgroup, caps->matrix_subgroup);
}

static void check(const weft_caps *caps, const weft_node *n, const weft_dispatch *d)
{
    if (!strcmp(d->kernel, "sdpa_matrix2")) {
        check_attention(caps, d);
        return;
    }
    const weft_matrix_form *f = form_of(caps, d->group[0]);
    const bool conv = !strncmp(d->kernel, "conv", 4), gate = conv && ((const weft_conv_attrs *) n->attrs)->gate;
    const uint32_t *spec = d->spec + (conv ? CONV : PRODUCT);
    assert_non_null(f);
    assert_int_equal(spec[THREADS], f->threads);
    assert_int_equal(spec[SCOPE], f->scope);
    assert_int_equal(spec[TALL] % f->m, 0);
    assert_int_equal(spec[WIDE] % (gate ? 2 * f->n : f->n), 0);
    assert_int_equal(spec[DEEP] % f->k, 0);
    assert_true(spec[TALL] <= caps->matrix_most && spec[WIDE] <= caps->matrix_most);
    assert_true(2 * (spec[TALL] + spec[WIDE]) * spec[DEEP] + caps->matrix_reserved <= caps->shared_bytes);
    assert_int_equal(d->subgroup, caps->matrix_subgroup);
    assert_int_equal(d->grid[0] % d->group[0], 0);
}

static weft_value conv(weft_graph *g, int64_t channels, int64_t out, int64_t size, int32_t gate)
{
    static float zeros[512 * 64 * 9];
    weft_weight *w = weft_arena_new(g->arena, sizeof *w);
    const weft_conv_attrs attrs = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .pads = { 1, 1, 1, 1 }, .groups = 1, .gate = gate };
    assert_true(channels * out * 9 <= (int64_t) (sizeof zeros / sizeof *zeros));
    assert_non_null(w);
    *w = (weft_weight) { "w", WEFT_F32, WEFT_SHAPE(out, channels, 3, 3), zeros, (size_t) (out * channels * 9) * 4 };
    const weft_value x = weft_graph_input(g, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, channels, size, size));
    return weft_graph_call(g, "conv2d", WEFT_V(x, weft_graph_constant(g, w)), &attrs);
}

// How many dispatches of such kernels all ways of a product, some convolutions and an attention in f16 make.
static int count(const weft_caps *caps, int64_t size, bool half)
{
    weft_context *ctx;
    turn t = { 0, 1, 0, true };
    assert_int_equal(weft_context_create(&(weft_context_params) { 0 }, &ctx), WEFT_OK);
    weft_arena arena = { .ctx = ctx };
    weft_graph g, physical;
    weft_graph_init(&g, &arena);
    weft_graph_init(&physical, &arena);
    g.bound = true;
    const weft_value m = weft_graph_input(&g, "m", WEFT_F32, (weft_shape) WEFT_SHAPE(size, size));
    weft_graph_output(&g, "y", weft_graph_call(&g, "matmul", WEFT_V(m, m), NULL));
    weft_graph_output(&g, "large", conv(&g, 64, 64, 128, 0));
    weft_graph_output(&g, "gated", conv(&g, 64, 128, 128, 1));
    weft_graph_output(&g, "deep", conv(&g, 512, 64, 4, 0)); // in parts, too
    const weft_value h = weft_graph_input(&g, "h", WEFT_F32, (weft_shape) WEFT_SHAPE(4, 256, 56));
    weft_graph_output(&g, "heads", weft_graph_call(&g, "sdpa", WEFT_V(h, h, h), NULL));
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    assert_int_equal(weft_pass_physical(&g, half ? WEFT_HALF_ALL : WEFT_HALF_NONE, &physical), WEFT_OK);
    for (; t.way < t.most; t.way++) {
        weft_program p;
        assert_int_equal(weft_program_build(&physical, caps, &(weft_chooser) { take, &t }, &arena, &p), WEFT_OK);
        for (int i = 0; i < p.step_count; i++)
            if (strstr(p.steps[i].dispatch.kernel, "_matrix2")) check(caps, p.steps[i].node, &p.steps[i].dispatch), t.found++;
    }
    assert_true(t.behind);
    assert_true(t.most < WEFT_MAX_WAYS); // none was left out
    weft_arena_free(&arena);
    weft_context_destroy(&ctx);
    return t.found;
}

#define GPU .f16_storage = true, .max_group = 1024, .shared_bytes = 49152, .subgroup_size = 32, .subgroup_add = true, .subgroup_sizes = { 32, 32 }, \
            .matrix = { 16, 16, 16 }, .matrix_subgroup = 32
#define WORKGROUPS .matrix_form = { { 128, 2, 32, 16, 16 }, { 256, 2, 32, 32, 16 } }, .matrix_most = 1024, .matrix_reserved = 16384

static void workgroups(void **state)
{
    (void) state;
    const weft_caps gpu = { GPU, WORKGROUPS }, reducing = { GPU, WORKGROUPS, .matrix_reduces = true };
    assert_true(count(&gpu, SIZE, true) >= 24); // of each of four nodes three tiles at least in each of both
    assert_true(count(&reducing, SIZE, true) >= count(&gpu, SIZE, true) + 4); // of the attention two
    assert_true(count(&gpu, 8, true) > 0);      // the smallest tile of each form serves everything
    assert_int_equal(count(&gpu, SIZE, false), 0);
}

static void subgroups(void **state)
{
    (void) state;
    const weft_caps gpu = { GPU, .matrix_form = { { 32, 3, 16, 16, 16 } }, .matrix_most = 64 };
    assert_true(count(&gpu, SIZE, true) >= 12);
    const weft_caps software = { .f16_storage = true, .is_software = true, .max_group = 1024, .shared_bytes = 32768, .subgroup_size = 8,
                                 .subgroup_sizes = { 8, 8 }, .matrix = { 8, 8, 8 }, .matrix_subgroup = 8, .matrix_form = { { 8, 3, 8, 8, 8 } },
                                 .matrix_most = 1024 };
    assert_true(count(&software, SIZE, true) > 0);
}

static void not_without(void **state)
{
    (void) state;
    assert_int_equal(count(&(weft_caps) { GPU }, SIZE, true), 0);
    assert_int_equal(count(&(weft_caps) { GPU, .matrix_form = { { 128, 2, 32, 16, 16 } } }, SIZE, true), 0);                        // of no size
    assert_int_equal(count(&(weft_caps) { GPU, .matrix_form = { { 128, 2, 48, 16, 16 } }, .matrix_most = 1024 }, SIZE, true), 0);   // grains that no tile has
    assert_int_equal(count(&(weft_caps) { GPU, .matrix_form = { { 128, 2, 16, 16, 64 } }, .matrix_most = 1024 }, SIZE, true), 0);   // nor step
    assert_int_equal(count(&(weft_caps) { GPU, .matrix_form = { { 2048, 2, 16, 16, 16 } }, .matrix_most = 1024 }, SIZE, true), 0);  // too many
    assert_int_equal(count(&(weft_caps) { GPU, .matrix_form = { { 128, 2, 16, 16, 16 } }, .matrix_most = 1024, .matrix_reserved = 49000 }, SIZE, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(workgroups), cmocka_unit_test(subgroups), cmocka_unit_test(not_without) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
