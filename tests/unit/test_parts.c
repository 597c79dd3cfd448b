// SPDX-License-Identifier: MIT
// Slices that are a stretch of memory are not copied, and what slices give back to a value lies side by side.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cpu/run.h"
#include "graph/grad.h"
#include "graph/lower.h"
#include "graph/program.h"
#include "graph/rules.h"
#include "ops/grad.h"
#include "one_graph.h"
#include <string.h>

static int count(const weft_graph *graph, const char *op)
{
    int found = 0;
    for (int i = 0; i < graph->node_count; i++) found += !strcmp(graph->nodes[i].op->name, op);
    return found;
}

static weft_graph lowered(void)
{
    weft_graph to = empty();
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    if (weft_lower(&g, ctx->pool, true, &to) != WEFT_OK) fail_msg("%s", weft_error_text());
    return to;
}

// Runs `graph` as it is and as the cpu device does it: the outputs must be the same bits.
static void run(const weft_graph *graph, const float *x, void *const *out, int runs, bool fast)
{
    weft_cpu_run *r;
    if (weft_cpu_run_create(ctx, graph, &(weft_session_params) { 0 }, fast, &r) != WEFT_OK) fail_msg("%s", weft_error_text());
    for (int i = 0; i < runs; i++) assert_int_equal(weft_cpu_run_go(r, (const void *const[]) { x }, out), WEFT_OK);
    weft_cpu_run_destroy(r);
}

enum { ROWS = 3, WIDTH = 256, ALL = ROWS * WIDTH };

static const float *numbers(void)
{
    static float x[ALL];
    for (int i = 0; i < ALL; i++) x[i] = (float) (i % 97) - 40;
    return x;
}

static weft_value input(void)
{
    g.bound = true;
    return weft_graph_input(&g, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, ROWS, WIDTH));
}

static void a_slice_that_is_a_stretch_is_not_copied(void **state)
{
    (void) state;
    float want[2][WIDTH], got[2][WIDTH];
    const weft_value x = input(), row = weft_grad_slice(&g, x, 1, 1, 2), end = weft_grad_slice(&g, row, 2, 128, 256);
    const weft_value rest = weft_grad_slice(&g, x, 2, 0, 128), some = weft_grad_slice(&g, row, 2, 64, 128);
    weft_graph_output(&g, "end", end);
    weft_graph_output(&g, "row", weft_grad_unary(&g, "neg", weft_grad_reshape(&g, row, (weft_shape) WEFT_SHAPE(2, 128))));
    run(&g, numbers(), (void *[]) { want[0], want[1] }, 1, false);
    run(&g, numbers(), (void *[]) { got[0], got[1] }, 1, true);
    assert_memory_equal(got[0], want[0], 128 * sizeof(float));
    assert_memory_equal(got[1], want[1], sizeof want[1]);
    weft_graph_output(&g, "rest", weft_grad_unary(&g, "neg", rest)); // of every row a part
    weft_graph_output(&g, "some", weft_grad_unary(&g, "neg", some)); // not where a tensor may begin on every device
    const weft_graph to = lowered();
    assert_int_equal(count(&to, "part"), 2);
    assert_int_equal(count(&to, "slice"), 2);
    assert_int_equal(weft_lower_root(&to, to.outputs[0].value), to.inputs[0].value);
    assert_int_equal(weft_lower_begin(&to, to.outputs[0].value), WIDTH + 128);
    weft_program p;
    assert_int_equal(weft_program_build(&to, &(weft_caps) { 0 }, NULL, &arena, &p), WEFT_OK);
    assert_int_equal(weft_program_begin(&p, to.outputs[0].value), 4 * (WIDTH + 128));
}

static void a_state_may_become_a_part(void **state)
{
    (void) state;
    float want[128], got[128];
    const weft_value x = input(), s = weft_graph_state(&g, "s", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 1, 128), NULL);
    const weft_value sum = weft_graph_call(&g, "add", WEFT_V(x, weft_grad_call(&g, "tile", WEFT_V(s), WEFT_WITH({ "repeats", NULL, 3, { 1, 1, 2 } }))), NULL);
    weft_graph_next(&g, s, weft_grad_slice(&g, weft_grad_slice(&g, sum, 1, 2, 3), 2, 128, 256));
    weft_graph_output(&g, "y", weft_grad_unary(&g, "neg", s));
    const weft_graph to = lowered();
    assert_int_equal(count(&to, "part"), 2);
    weft_state_update u;
    assert_int_equal(weft_state_plan(&to, true, &arena, &u), WEFT_OK);
    assert_int_equal(u.way, WEFT_STATE_COPY); // what it is a part of is larger than the state
    run(&g, numbers(), (void *[]) { want }, 3, false);
    run(&g, numbers(), (void *[]) { got }, 3, true);
    assert_memory_equal(got, want, sizeof want);
}

// d loss / d x of the sum over slices of x of factor times their elements.
typedef struct stretch { int axis, begin, end; float factor; } stretch;
static void check_gradient(const stretch *list, int slices, int concats, int adds)
{
    float want[ALL] = { 0 }, got[ALL];
    const weft_value x = input();
    weft_value loss = -1;
    for (int i = 0; i < slices; i++) {
        const weft_value part = weft_grad_scale(&g, weft_grad_slice(&g, x, list[i].axis, list[i].begin, list[i].end), list[i].factor);
        const weft_value sum = weft_grad_reshape(&g, weft_grad_reduce(&g, "sum", part, 7), (weft_shape) WEFT_SHAPE(1));
        loss = i ? weft_grad_binary(&g, "add", loss, sum) : sum;
        for (int k = 0; k < ALL; k++) {
            const int at = list[i].axis == 1 ? k / WIDTH : k % WIDTH;
            if (at >= list[i].begin && at < list[i].end) want[k] += list[i].factor;
        }
    }
    weft_graph_output(&g, "loss", loss);
    weft_graph whole = empty(), to = empty();
    assert_int_equal(weft_pass_grad(&g, &(weft_grad_request) { .loss = 0, .wrt = &x, .wrt_count = 1 }, &whole), WEFT_OK);
    assert_int_equal(weft_pass_prune(&whole, &to), WEFT_OK);
    float out;
    run(&to, numbers(), (void *[]) { &out, got }, 1, false);
    assert_memory_equal(got, want, sizeof want);
    assert_int_equal(count(&to, "concat"), concats);
    assert_int_equal(count(&to, "pad") > 0, concats == 0);
    assert_int_equal(count(&to, "add") - (slices - 1), adds);
}

static void parts_of_a_gradient_lie_side_by_side(void **state)
{
    (void) state;
    check_gradient((const stretch[]) { { 1, 2, 3, 3 }, { 1, 0, 1, 1 }, { 1, 1, 2, 2 } }, 3, 1, 0);
}
static void equal_parts_are_added_and_gaps_are_zeros(void **state)
{
    (void) state;
    check_gradient((const stretch[]) { { 2, 16, 48, 3 }, { 2, 100, 116, 1 }, { 2, 16, 48, 2 } }, 3, 1, 1);
}
static void overlapping_parts_are_added(void **state)
{
    (void) state;
    check_gradient((const stretch[]) { { 2, 16, 48, 3 }, { 2, 32, 64, 1 } }, 2, 0, 1);
}
static void parts_along_two_axes_are_added(void **state)
{
    (void) state;
    check_gradient((const stretch[]) { { 1, 1, 2, 3 }, { 2, 32, 64, 1 } }, 2, 0, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_slice_that_is_a_stretch_is_not_copied),
        TEST(a_state_may_become_a_part),
        TEST(parts_of_a_gradient_lie_side_by_side),
        TEST(equal_parts_are_added_and_gaps_are_zeros),
        TEST(overlapping_parts_are_added),
        TEST(parts_along_two_axes_are_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
