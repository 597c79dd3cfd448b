// SPDX-License-Identifier: MIT
// Shapes at the limits of devices: loops of more than 65,535 turns together, where an old software driver gives up (ops/turns.h), and more
// workgroups than a grid can have. No way of a row may need either.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/context.h"
#include "graph/program.h"
#include "ops/grad.h"
#include "params/conv_weights.h"
#include "params/matmul.h"
#include <string.h>

enum { MOST_TURNS = 65535 };

typedef struct scene {
    weft_context *ctx;
    weft_arena arena;
    weft_graph physical;
    int way, ways; // which is taken, and how many there are
} scene;

static int take(void *user, const weft_node *n, const char *key, const weft_way *ways, int count)
{
    scene *s = user;
    (void) n, (void) key, (void) ways;
    s->ways = count;
    return s->way < count ? s->way : 0;
}

// One node of inputs alone.
static void make(scene *s, const char *op, const weft_shape *shapes, int count, const weft_grad_attr *with)
{
    weft_graph g;
    weft_value in[2];
    *s = (scene) { .ways = 1 };
    assert_int_equal(weft_context_create(NULL, &s->ctx), WEFT_OK);
    s->arena = (weft_arena) { .ctx = s->ctx };
    weft_graph_init(&g, &s->arena);
    weft_graph_init(&s->physical, &s->arena);
    g.bound = true;
    for (int i = 0; i < count; i++) in[i] = weft_graph_input(&g, i ? "b" : "a", WEFT_F32, shapes[i]);
    weft_graph_output(&g, "y", weft_grad_call(&g, op, in, count, with));
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    assert_int_equal(weft_pass_physical(&g, WEFT_HALF_NONE, &s->physical), WEFT_OK);
}

static void drop(scene *s)
{
    weft_arena_free(&s->arena);
    weft_context_destroy(&s->ctx);
}

static weft_caps device(bool software)
{
    return (weft_caps) { .subgroup_size = software ? 8 : 32, .subgroup_add = true, .subgroup_sizes = { 8, 64 }, .max_group = 1024, .shared_bytes = 32768, .is_software = software };
}

static weft_program next(scene *s, const weft_caps *caps)
{
    weft_program p;
    assert_int_equal(weft_program_build(&s->physical, caps, &(weft_chooser) { take, s }, &s->arena, &p), WEFT_OK);
    return p;
}

static void lines_are_shared_by_enough(void **state)
{
    enum { GROUP, LINES, KEPT, TURN = 8 }; // constants of shaders/glsl/lines.glsl; numbers of a turn where none are kept
    static const struct { const char *op; int64_t lines, count; } cases[] = {
        { "layer_norm", 2, 4194500 }, { "layer_norm", 8, 2097400 }, { "layer_norm", 1, 8388700 }, { "softmax", 3, 8388672 }, { "log_softmax", 1, 40000001 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene s;
        const weft_caps caps = device(true);
        make(&s, cases[i].op, &(const weft_shape) WEFT_SHAPE(cases[i].lines, cases[i].count), 1, WEFT_WITH({ NULL }));
        for (; s.way < s.ways; s.way++) {
            const weft_program p = next(&s, &caps);
            const uint32_t *spec = p.steps[0].dispatch.spec;
            assert_true(2.0 * (double) cases[i].count / (TURN * (spec[GROUP] / spec[LINES])) <= MOST_TURNS && spec[KEPT] == 0); // one loop reads, one writes
            assert_true(spec[GROUP] == p.steps[0].dispatch.group[0]);
        }
        drop(&s);
    }
}

// Turns of the loops over k.
static double product_turns(const weft_dispatch *d)
{
    const struct matmul_params *p = d->params;
    const double k = p->k_part;
    if (!strcmp(d->kernel, "matmul_tile")) return k / 16 * (1 + 16 + 1);
    if (!strcmp(d->kernel, "matmul_vector")) return k / 32 / (d->spec[1] ? 4 : 1);
    const bool in_fours = d->spec[strcmp(d->kernel, "matmul_subgroup") ? 1 : 0];
    return k / (in_fours ? 4 : 1);
}

static void long_products_are_cut(void **state)
{
    static const struct { int64_t m, n, k; int trans_a, trans_b; } cases[] = {
        { 8, 8, 300000, 0, 1 }, { 8, 8, 70001, 0, 1 }, { 64, 64, 262144, 0, 1 }, { 300, 500, 100000, 1, 0 }, { 1, 3, 300000, 0, 0 }, { 1, 4, 3000000, 0, 1 }, { 8, 8, 1100000, 0, 1 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene s;
        const weft_caps caps = device(true);
        const int64_t m = cases[i].m, n = cases[i].n, k = cases[i].k;
        const weft_shape a = WEFT_SHAPE(cases[i].trans_a ? k : m, cases[i].trans_a ? m : k), b = WEFT_SHAPE(cases[i].trans_b ? n : k, cases[i].trans_b ? k : n);
        make(&s, "matmul", (const weft_shape[]) { a, b }, 2, WEFT_WITH({ "trans_a", NULL, 1, { cases[i].trans_a } }, { "trans_b", NULL, 1, { cases[i].trans_b } }));
        for (; s.way < s.ways; s.way++) {
            const weft_program p = next(&s, &caps);
            for (int j = 0; j < p.step_count; j++)
                if (strcmp(p.steps[j].dispatch.kernel, "matmul_pack") && strcmp(p.steps[j].dispatch.kernel, "matmul_finish"))
                    assert_true(product_turns(&p.steps[j].dispatch) <= MOST_TURNS);
        }
        drop(&s);
    }
}

static void weight_gradients_of_large_images_are_cut(void **state)
{
    static const struct { int64_t ci, co, size; } cases[] = { { 8, 8, 256 }, { 3, 64, 1024 }, { 33, 5, 600 }, { 64, 64, 2048 } };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene s;
        const weft_caps caps = device(true);
        const int64_t size = cases[i].size;
        make(&s, "conv2d_weight_grad", (const weft_shape[]) { WEFT_SHAPE(2, cases[i].ci, size, size), WEFT_SHAPE(2, cases[i].co, size, size) }, 2,
             WEFT_WITH({ "kernel", NULL, 2, { 3, 3 } }, { "pads", NULL, 2, { 1, 1 } }));
        for (; s.way < s.ways; s.way++) {
            const weft_program p = next(&s, &caps);
            int j = 0;
            while (j < p.step_count && strncmp(p.steps[j].dispatch.kernel, "conv_weights_", 13)) j++; // before it x and dy are laid as images
            assert_true(j < p.step_count);
            const struct conv_weights_params *params = p.steps[j].dispatch.params;
            const bool tiles = !strcmp(p.steps[j].dispatch.kernel, "conv_weights_tile"); // parts are of pixels, else of lines
            assert_true((double) params->part * (tiles ? 4 : (double) size + 4) <= MOST_TURNS);
            assert_true((int64_t) params->part * params->parts >= 2 * size * (tiles ? size : 1));
        }
        drop(&s);
    }
}

// A product of one row each, of so many that a workgroup for every element of y would be too many.
static void grids_have_room(void **state)
{
    const struct { weft_shape a, b; int trans_b; } cases[] = {
        { WEFT_SHAPE(1 << 20, 1, 32), WEFT_SHAPE(256, 32), 1 }, { WEFT_SHAPE(1 << 27, 1, 4), WEFT_SHAPE(4, 4), 0 }, { WEFT_SHAPE(1 << 26, 2, 5), WEFT_SHAPE(5, 5), 1 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int software = 0; software < 2; software++) {
            scene s;
            const weft_caps caps = device(software);
            make(&s, "matmul", (const weft_shape[]) { cases[i].a, cases[i].b }, 2, WEFT_WITH({ "trans_b", NULL, 1, { cases[i].trans_b } }));
            const double outputs = (double) weft_shape_count(s.physical.values[s.physical.outputs[0].value].shape);
            for (; s.way < s.ways; s.way++) {
                enum { MOST = 128 }; // elements of y that an invocation makes
                const weft_program p = next(&s, &caps);
                assert_true(p.steps[p.step_count - 1].dispatch.grid[0] * (double) MOST >= outputs);
            }
            drop(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(lines_are_shared_by_enough), cmocka_unit_test(long_products_are_cut),
                                       cmocka_unit_test(weight_gradients_of_large_images_are_cut), cmocka_unit_test(grids_have_room) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
