// SPDX-License-Identifier: MIT
// The passes and the memory plan, on graphs of a few nodes and without a device.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/threads.h"
#include "graph/plan.h"
#include "graph/program.h"
#include "graph/rules.h"
#include "graph/state.h"
#include "one_graph.h"
#include <string.h>

static weft_value input(const char *name, weft_shape s) { return weft_graph_input(&g, name, WEFT_F32, s); }
static weft_value call(const char *op, weft_value a, weft_value b)
{
    const weft_value in[] = { a, b };
    return weft_graph_call(&g, op, in, b < 0 ? 1 : 2, NULL);
}

static void bind_turns_names_into_numbers(void **state)
{
    (void) state;
    const weft_value x = input("x", (weft_shape) { 4, { 1, 3, -1, -2 } });
    weft_graph_output(&g, "y", call("relu", x, -1));
    weft_graph to = empty();
    assert_int_equal(weft_pass_bind(&g, (const int64_t[]) { 5, 7 }, &to), WEFT_OK);
    const weft_shape y = to.values[to.outputs[0].value].shape, want = WEFT_SHAPE(1, 3, 5, 7);
    assert_true(weft_shape_equal(y, want));
}

static void bind_names_the_node_that_does_not_fit(void **state)
{
    (void) state;
    const weft_value a = input("a", (weft_shape) { 1, { -1 } }), b = input("b", (weft_shape) { 1, { 3 } });
    weft_graph_output(&g, "y", call("add", a, b));
    weft_graph to = empty();
    assert_int_equal(weft_pass_bind(&g, (const int64_t[]) { 2 }, &to), WEFT_ERR_ARGUMENT);
    assert_non_null(strstr(weft_error_text(), "add 'add.0'"));
}

static void prune_drops_what_no_output_needs(void **state)
{
    (void) state;
    const weft_value x = input("x", (weft_shape) WEFT_SHAPE(4));
    call("tanh", x, -1);
    weft_graph_output(&g, "y", call("relu", x, -1));
    g.bound = true;
    weft_graph to = empty();
    assert_int_equal(weft_pass_prune(&g, &to), WEFT_OK);
    assert_int_equal(to.node_count, 1);
    assert_string_equal(to.nodes[0].op->name, "relu");
}

static void fold_computes_constant_nodes_and_only_those(void **state)
{
    (void) state;
    g.bound = true;
    const weft_value x = input("x", (weft_shape) WEFT_SHAPE(2));
    const weft_value two = weft_graph_numbers(&g, (weft_shape) WEFT_SHAPE(2), (const float[]) { 2, -2 });
    const weft_value four = call("mul", two, two), relu = call("relu", call("sub", four, two), -1);
    weft_graph_output(&g, "y", call("add", x, relu));
    weft_graph to = empty();
    assert_int_equal(weft_pass_fold(&g, ctx->pool, &to), WEFT_OK);
    assert_int_equal(to.node_count, 1);
    const weft_weight *w = to.values[to.nodes[0].in[1]].weight;
    assert_non_null(w);
    assert_true(((const float *) w->data)[0] == 2 && ((const float *) w->data)[1] == 6);
}

static void fold_does_not_blow_up_a_small_constant(void **state)
{
    (void) state;
    g.bound = true;
    const weft_value two = weft_graph_numbers(&g, (weft_shape) WEFT_SHAPE(1), (const float[]) { 2 });
    const weft_list wide = { 3, { 1 << 12, 1 << 12, 1 << 12 } }; // 256 GiB
    weft_graph_output(&g, "y", weft_graph_call(&g, "expand", &two, 1, &wide));
    weft_graph to = empty();
    assert_int_equal(weft_pass_fold(&g, ctx->pool, &to), WEFT_OK);
    assert_int_equal(to.node_count, 1);
}

static bool join_relus(weft_graph *graph, const weft_node *producer, const weft_node *consumer, int slot, weft_fused *out)
{
    (void) graph, (void) slot;
    out->op = consumer->op;
    memcpy(out->attrs, consumer->attrs, consumer->op->attr_bytes);
    out->in[0] = producer->in[0], out->in_count = 1;
    return true;
}
static const weft_fuse_rule relu_rules[] = { { "relu + relu", "relu", "relu", join_relus }, { 0 } };

static void fuse_joins_a_chain_in_one_walk(void **state)
{
    (void) state;
    g.bound = true;
    weft_value v = input("x", (weft_shape) WEFT_SHAPE(4));
    for (int i = 0; i < 4; i++) v = call("relu", v, -1);
    weft_graph_output(&g, "y", v);
    weft_graph to = empty(), pruned = empty();
    assert_int_equal(weft_pass_fuse(&g, relu_rules, &to), WEFT_OK);
    assert_int_equal(weft_pass_prune(&to, &pruned), WEFT_OK);
    assert_int_equal(pruned.node_count, 1);
    assert_int_equal(pruned.values[pruned.outputs[0].value].origin, v);
}

static void fuse_leaves_a_value_that_somebody_else_needs(void **state)
{
    (void) state;
    g.bound = true;
    const weft_value x = input("x", (weft_shape) WEFT_SHAPE(4)), first = call("relu", x, -1), second = call("relu", first, -1);
    weft_graph_output(&g, "y", second);
    weft_graph_output(&g, "z", first);
    weft_graph to = empty();
    assert_int_equal(weft_pass_fuse(&g, relu_rules, &to), WEFT_OK);
    assert_int_equal(to.nodes[1].in[0], to.nodes[0].out[0]);
}

static void plan_is_valid_and_no_smaller_than_the_largest_live_set(void **state)
{
    (void) state;
    enum { COUNT = 60 };
    weft_random r = { 7 };
    for (int turn = 0; turn < 200; turn++) {
        weft_life lives[COUNT];
        weft_plan plan;
        for (int i = 0; i < COUNT; i++) {
            const int first = (int) weft_random_uniform(&r, 0, 40);
            lives[i] = (weft_life) { (size_t) weft_random_uniform(&r, 0, 5000), first, first + (int) weft_random_uniform(&r, -1, 6), 0 };
        }
        assert_int_equal(weft_plan_memory(ctx, lives, COUNT, 256, &plan), WEFT_OK);
        assert_true(plan.bytes >= plan.least);
        for (int i = 0; i < COUNT; i++) {
            const weft_life *a = &lives[i];
            if (a->first > a->last) continue;
            assert_int_equal(a->offset % 256, 0);
            assert_true(a->offset + a->bytes <= plan.bytes);
            for (int k = 0; k < i; k++) {
                const weft_life *b = &lives[k];
                if (b->first > b->last || a->first > b->last || b->first > a->last) continue;
                assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
            }
        }
    }
}

static void plan_of_a_chain_needs_two_buffers(void **state)
{
    (void) state;
    weft_life lives[10];
    weft_plan plan;
    for (int i = 0; i < 10; i++) lives[i] = (weft_life) { 1024, i, i + 1, 0 };
    assert_int_equal(weft_plan_memory(ctx, lives, 10, 256, &plan), WEFT_OK);
    assert_int_equal(plan.bytes, 2048);
    assert_int_equal(plan.least, 2048);
}

static void physical_pass_converts_once_at_each_border(void **state)
{
    (void) state;
    g.bound = true;
    const weft_value x = input("x", (weft_shape) WEFT_SHAPE(1, 3, 8, 8));
    weft_weight weight = { "w", WEFT_F32, WEFT_SHAPE(4, 3, 3, 3), NULL, 0 };
    const weft_value w = weft_graph_constant(&g, &weight);
    const weft_value a = weft_graph_call(&g, "conv2d", WEFT_V(x, w), NULL), b = weft_graph_call(&g, "conv2d", WEFT_V(x, w), NULL);
    weft_graph_output(&g, "y", call("relu", call("add", a, b), -1));
    weft_graph to = empty();
    assert_int_equal(weft_pass_physical(&g, WEFT_HALF_ALL, &to), WEFT_OK);
    int converts = 0, constants = 0;
    for (int i = 0; i < to.node_count; i++) converts += (to.nodes[i].op->flags & WEFT_OP_CONVERT) != 0;
    for (int v = 0; v < to.value_count; v++) constants += to.values[v].weight != NULL;
    assert_int_equal(converts, 2); // the input, shared by both convolutions, and the output
    assert_int_equal(constants, 1);
    for (int i = 0; i < to.node_count; i++) {
        const weft_node *n = &to.nodes[i];
        if (strcmp(n->op->name, "conv2d")) continue;
        assert_int_equal(n->in_layout[0], WEFT_IMAGE);
        assert_int_equal(n->in_layout[1], WEFT_KERNEL);
        assert_int_equal(n->out_layout[0], WEFT_IMAGE);
        assert_int_equal(to.values[n->out[0]].storage, WEFT_F16);
    }
    const weft_value_def *y = &to.values[to.outputs[0].value];
    assert_int_equal(y->layout, WEFT_ROW);
    assert_int_equal(y->storage, WEFT_F32);
}

static void large_images_alone_are_halved_when_that_is_asked_for(void **state)
{
    (void) state;
    g.bound = true;
    weft_value x = input("x", (weft_shape) WEFT_SHAPE(1, 4, 1, 1)); // doubled five times: 2, 4, 8, 16, 32
    for (int i = 0; i < 5; i++) {
        const weft_value v = weft_graph_call(&g, "concat", WEFT_V(x, x), &(const int32_t[]) { 2 }), u = weft_graph_call(&g, "concat", WEFT_V(v, v), &(const int32_t[]) { 3 });
        x = call("tanh", u, -1);
    }
    weft_graph_output(&g, "y", x);
    weft_graph to = empty();
    assert_int_equal(weft_pass_physical(&g, WEFT_HALF_LARGE, &to), WEFT_OK);
    int halved = 0, whole = 0;
    for (int i = 0; i < to.node_count; i++) {
        if (strcmp(to.nodes[i].op->name, "tanh")) continue;
        const bool large = to.nodes[i].out_shape[0].dim[2] >= 4; // 32 and the three sizes below it
        assert_int_equal(to.values[to.nodes[i].out[0]].storage, large ? WEFT_F16 : WEFT_F32);
        ++*(large ? &halved : &whole);
    }
    assert_int_equal(halved, 4);
    assert_int_equal(whole, 1);
}

static weft_value state(const char *name, const weft_weight *init) { return weft_graph_state(&g, name, WEFT_F32, (weft_shape) WEFT_SHAPE(4), init); }
static weft_value scalar(double v) { return weft_graph_scalar(&g, v); }

// What a pass keeps of the states: their names, what they begin as, and who makes their next value.
static void assert_states(const weft_graph *to, const weft_weight *init, const char *op)
{
    assert_int_equal(to->state_count, 2);
    assert_string_equal(to->states[0].name, "a");
    assert_ptr_equal(to->states[0].init, init);
    assert_int_equal(to->states[1].next, to->states[0].value);
    assert_true(to->values[to->states[0].value].node < 0 && !to->values[to->states[0].value].weight);
    assert_string_equal(to->nodes[to->values[to->states[0].next].node].op->name, op);
    assert_int_equal(to->values[to->states[0].next].storage, WEFT_F32);
    assert_int_equal(to->values[to->states[0].next].layout, WEFT_ROW);
}

static void every_pass_carries_states(void **unused)
{
    (void) unused;
    static const float numbers[4] = { 1, 2, 3, 4 };
    const weft_weight init = { "w", WEFT_F32, WEFT_SHAPE(4), numbers, sizeof numbers };
    const weft_value a = state("a", &init), b = state("b", NULL), next = call("add", a, scalar(1));
    weft_graph_next(&g, a, next);
    weft_graph_next(&g, b, a);
    weft_graph_output(&g, "y", call("relu", b, -1));
    weft_graph bound = empty(), to = empty();
    assert_int_equal(weft_pass_bind(&g, NULL, &bound), WEFT_OK);
    assert_states(&bound, &init, "add");
    assert_int_equal(weft_pass_prune(&bound, &to), WEFT_OK); // no output needs the sum
    assert_states(&to, &init, "add");
    assert_int_equal(weft_pass_expand(&bound, NULL, &to), WEFT_OK);
    assert_states(&to, &init, "add");
    assert_int_equal(weft_pass_unfuse(&bound, &to), WEFT_OK);
    assert_states(&to, &init, "add");
    assert_int_equal(weft_pass_fold(&bound, ctx->pool, &to), WEFT_OK); // what a state begins as is no constant
    assert_states(&to, &init, "add");
    assert_int_equal(weft_pass_fuse(&bound, relu_rules, &to), WEFT_OK);
    assert_states(&to, &init, "add");
    assert_int_equal(weft_pass_physical(&bound, WEFT_HALF_NONE, &to), WEFT_OK);
    assert_states(&to, &init, "add");
    assert_int_equal(weft_pass_physical(&bound, WEFT_HALF_ALL, &to), WEFT_OK); // states are f32 whatever lies in between
    assert_states(&to, &init, "add");
    assert_int_equal(to.values[to.states[0].value].storage, WEFT_F32);
}

static void a_next_value_keeps_a_chain_from_being_fused_away(void **unused)
{
    (void) unused;
    g.bound = true;
    const weft_value a = state("a", NULL), first = call("relu", a, -1), second = call("relu", first, -1);
    weft_graph_next(&g, a, first);
    weft_graph_output(&g, "y", second);
    weft_graph to = empty();
    assert_int_equal(weft_pass_fuse(&g, relu_rules, &to), WEFT_OK);
    assert_int_equal(to.nodes[1].in[0], to.nodes[0].out[0]);
}

static weft_state_way way(int index, bool in_place)
{
    weft_state_update u[4];
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    assert_int_equal(weft_state_plan(&g, in_place, g.arena, u), WEFT_OK);
    return u[index].way;
}

static void states_are_updated_in_place_only_where_no_reader_is_left(void **unused)
{
    (void) unused;
    const weft_shape four = WEFT_SHAPE(4);
    g.bound = true;
    const weft_value a = state("a", NULL), b = state("b", NULL), c = state("c", NULL), d = state("d", NULL);
    const weft_value next = call("mul", call("add", a, a), input("x", four));
    weft_graph_next(&g, a, next);              // read before by other nodes
    weft_graph_next(&g, b, call("add", b, b)); // read by its maker, element by element
    weft_graph_next(&g, c, call("softmax", c, -1)); // read by its maker, all of it
    assert_int_equal(way(0, true), WEFT_STATE_IN_PLACE);
    assert_int_equal(way(1, true), WEFT_STATE_IN_PLACE);
    assert_int_equal(way(2, true), WEFT_STATE_COPY);
    assert_int_equal(way(3, true), WEFT_STATE_STAYS);
    assert_int_equal(way(0, false), WEFT_STATE_COPY);
    weft_graph_next(&g, d, b); // b's old value is wanted when the run is over
    assert_int_equal(way(1, true), WEFT_STATE_COPY);
    assert_int_equal(way(3, true), WEFT_STATE_VIA);
    call("relu", a, -1); // a reader that comes later
    assert_int_equal(way(0, true), WEFT_STATE_COPY);
}

static void a_state_that_is_an_output_or_read_in_other_clothes_is_not_overwritten(void **unused)
{
    (void) unused;
    const weft_list shape = { 2, { 2, 2 } };
    g.bound = true;
    const weft_value a = state("a", NULL), b = state("b", NULL), c = state("c", NULL);
    const weft_value square = weft_graph_call(&g, "reshape", &a, 1, &shape);
    weft_graph_next(&g, a, call("neg", a, -1));
    weft_graph_output(&g, "y", call("relu", square, -1)); // after it
    weft_graph_next(&g, b, call("neg", b, -1));
    weft_graph_output(&g, "b", b);
    weft_graph_next(&g, c, call("neg", b, -1)); // who makes it does not read c, but b's value is taken
    assert_int_equal(way(0, true), WEFT_STATE_COPY);
    assert_int_equal(way(1, true), WEFT_STATE_COPY);
    assert_int_equal(way(2, true), WEFT_STATE_IN_PLACE);
}

static void two_states_of_one_next_value_take_turns(void **unused)
{
    (void) unused;
    g.bound = true;
    const weft_value a = state("a", NULL), b = state("b", NULL), x = input("x", (weft_shape) WEFT_SHAPE(4)), next = call("neg", x, -1);
    weft_graph_next(&g, a, next);
    weft_graph_next(&g, b, next);
    assert_int_equal(way(0, true), WEFT_STATE_IN_PLACE);
    assert_int_equal(way(1, true), WEFT_STATE_COPY);
}

static void an_allocation_that_fails_is_an_error(void **state)
{
    (void) state;
    weft_graph broken;
    weft_arena full = { .ctx = ctx, .failed = true };
    weft_graph_init(&broken, &full);
    assert_int_equal(weft_graph_input(&broken, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1)), -1);
    assert_int_equal(weft_graph_status(&broken), WEFT_ERR_MEMORY);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(bind_turns_names_into_numbers),
        TEST(bind_names_the_node_that_does_not_fit),
        TEST(prune_drops_what_no_output_needs),
        TEST(fold_computes_constant_nodes_and_only_those),
        TEST(fold_does_not_blow_up_a_small_constant),
        TEST(fuse_joins_a_chain_in_one_walk),
        TEST(fuse_leaves_a_value_that_somebody_else_needs),
        TEST(plan_is_valid_and_no_smaller_than_the_largest_live_set),
        TEST(plan_of_a_chain_needs_two_buffers),
        TEST(physical_pass_converts_once_at_each_border),
        TEST(large_images_alone_are_halved_when_that_is_asked_for),
        TEST(every_pass_carries_states),
        TEST(a_next_value_keeps_a_chain_from_being_fused_away),
        TEST(states_are_updated_in_place_only_where_no_reader_is_left),
        TEST(a_state_that_is_an_output_or_read_in_other_clothes_is_not_overwritten),
        TEST(two_states_of_one_next_value_take_turns),
        TEST(an_allocation_that_fails_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
