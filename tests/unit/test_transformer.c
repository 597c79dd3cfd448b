// SPDX-License-Identifier: MIT
// A small transformer and its gradient: how many dispatches devices make of a block, and that these are the numbers of the graph as it was built.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "cpu/run.h"
#include "graph/grad.h"
#include "graph/lower.h"
#include "graph/program.h"
#include <math.h>
#include <string.h>

enum { IMAGES = 2, PLACES = 20, HEADS = 3, EACH = 8, WIDTH = HEADS * EACH, COUNT = IMAGES * PLACES * WIDTH };
typedef struct list { weft_list list; } list; // of reshape and transpose

typedef struct scene {
    weft_context *ctx;
    weft_arena arena;
    weft_graph g, lowered;
    weft_random random;
} scene;

static weft_value numbers(scene *s, weft_shape shape)
{
    const weft_value v = weft_graph_numbers(&s->g, shape, NULL);
    assert_true(v >= 0);
    float *f = (float *) (uintptr_t) s->g.values[v].weight->data;
    for (int64_t i = 0; i < weft_shape_count(shape); i++) f[i] = (float) weft_random_uniform(&s->random, -0.5, 0.5);
    return v;
}

static weft_value dense(scene *s, weft_value x, int64_t in, int64_t out)
{
    return weft_graph_call(&s->g, "linear", WEFT_V(x, numbers(s, (weft_shape) WEFT_SHAPE(out, in)), numbers(s, (weft_shape) WEFT_SHAPE(out))), NULL);
}

static weft_value norm(scene *s, weft_value x)
{
    return weft_graph_call(&s->g, "layer_norm", WEFT_V(x, numbers(s, (weft_shape) WEFT_SHAPE(WIDTH)), numbers(s, (weft_shape) WEFT_SHAPE(WIDTH))), NULL);
}

static weft_value listed(scene *s, const char *op, weft_value x, list to) { return weft_graph_call(&s->g, op, WEFT_V(x), &to); }

static weft_value heads(scene *s, weft_value x)
{
    return listed(s, "transpose", listed(s, "reshape", x, (list) { { 4, { 0, 0, HEADS, EACH } } }), (list) { { 4, { 0, 2, 1, 3 } } });
}

static weft_value block(scene *s, weft_value x)
{
    const weft_value all = weft_graph_call(&s->g, "split", WEFT_V(dense(s, norm(s, x), WIDTH, 3 * WIDTH)), &(struct { int32_t axis, parts; weft_list sizes; }) { 2, 3, { 0 } });
    weft_value y = weft_graph_call(&s->g, "sdpa", WEFT_V(heads(s, all), heads(s, all + 1), heads(s, all + 2)), NULL);
    y = listed(s, "reshape", listed(s, "transpose", y, (list) { { 4, { 0, 2, 1, 3 } } }), (list) { { 3, { 0, 0, WIDTH } } });
    x = weft_graph_call(&s->g, "add", WEFT_V(x, dense(s, y, WIDTH, WIDTH)), NULL);
    y = weft_graph_call(&s->g, "quick_gelu", WEFT_V(dense(s, norm(s, x), WIDTH, 2 * WIDTH)), NULL);
    return weft_graph_call(&s->g, "add", WEFT_V(x, dense(s, y, 2 * WIDTH, WIDTH)), NULL);
}

static void build(scene *s, int blocks, bool back)
{
    *s = (scene) { .random = { 5 } };
    assert_int_equal(weft_context_create(&(weft_context_params) { 0 }, &s->ctx), WEFT_OK);
    s->arena.ctx = s->ctx;
    weft_graph_init(&s->g, &s->arena);
    weft_graph_init(&s->lowered, &s->arena);
    s->g.bound = true;
    const weft_value x = weft_graph_input(&s->g, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(IMAGES, PLACES, WIDTH));
    weft_value y = x;
    for (int i = 0; i < blocks; i++) y = block(s, y);
    weft_graph_output(&s->g, "y", y);
    assert_int_equal(weft_graph_status(&s->g), WEFT_OK);
    if (back) {
        const weft_graph forward = s->g;
        weft_graph_init(&s->g, &s->arena);
        assert_int_equal(weft_pass_grad(&forward, &(weft_grad_request) { (const bool[]) { true }, -1, &x, 1 }, &s->g), WEFT_OK);
    }
    assert_int_equal(weft_lower_device(&s->g, s->ctx->pool, true, &s->lowered), WEFT_OK);
}

static void drop(scene *s)
{
    weft_arena_free(&s->arena);
    weft_context_destroy(&s->ctx);
}

static int dispatches(int blocks, bool back)
{
    scene s;
    weft_graph physical;
    weft_program program;
    build(&s, blocks, back);
    weft_graph_init(&physical, &s.arena);
    assert_int_equal(weft_pass_physical(&s.lowered, WEFT_HALF_NONE, &physical), WEFT_OK);
    assert_int_equal(weft_program_build(&physical, &(weft_caps) { .max_group = 1024, .shared_bytes = 32768 }, NULL, &s.arena, &program), WEFT_OK);
    int count = 0;
    for (int i = 0; i < program.step_count; i++) // a product that is cut into parts, or copies an operand first, is one
        count += !i || program.steps[i].node != program.steps[i - 1].node || strncmp(program.steps[i].dispatch.kernel, "matmul_", 7);
    drop(&s);
    return count;
}

static void blocks_are_few_dispatches(void **state)
{
    (void) state;
    // Two norms with the sums before them, four products, attention, an activation.
    assert_int_equal(dispatches(3, false) - dispatches(2, false), 8);
    // And back: two norms with the sums behind them, four products, three of attention, an activation.
    assert_int_equal(dispatches(3, true) - dispatches(2, true), 8 + 10);
}

static void run(scene *s, const weft_graph *g, bool fast, bool back, float out[2][COUNT])
{
    static float in[2][COUNT]; // x and what y receives
    weft_random random = { 9 };
    weft_cpu_run *r;
    for (int i = 0; i < 2 * COUNT; i++) in[i / COUNT][i % COUNT] = (float) weft_random_uniform(&random, -1, 1);
    assert_int_equal(weft_cpu_run_create(s->ctx, g, &(weft_session_params) { 0 }, fast, &r), WEFT_OK);
    assert_int_equal(weft_cpu_run_go(r, (const void *const[]) { in[0], in[1] }, (void *const[]) { out[0], back ? out[1] : NULL }), WEFT_OK);
    weft_cpu_run_destroy(r);
}

static void compare(float a[2][COUNT], float b[2][COUNT], bool back)
{
    for (int k = 0; k < 1 + back; k++) {
        double apart = 0, all = 0;
        for (int i = 0; i < COUNT; i++) apart += pow((double) a[k][i] - b[k][i], 2), all += pow(b[k][i], 2);
        assert_true(all > 0);
        assert_true(sqrt(apart / all) < 1e-5);
    }
}

static void numbers_stay_what_they_were(void **state)
{
    static float plain[2][COUNT], fast[2][COUNT], device[2][COUNT];
    (void) state;
    for (int back = 0; back < 2; back++) {
        scene s;
        build(&s, 2, back);
        run(&s, &s.g, false, back, plain);
        run(&s, &s.g, true, back, fast);
        run(&s, &s.lowered, false, back, device); // the nodes that devices have, by their truth
        compare(fast, plain, back);
        compare(device, plain, back);
        drop(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(blocks_are_few_dispatches), cmocka_unit_test(numbers_stay_what_they_were) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
