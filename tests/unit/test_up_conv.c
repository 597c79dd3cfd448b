// SPDX-License-Identifier: MIT
// A transposed convolution and its filter: when devices make one node of them, and when the image between them is done without.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "beside_filter.h"
#include "ops/up_conv2d.h"

typedef struct layer { int channels, size, dilation, down; bool seen; } layer; // seen: the image between the two is an output as well

static void make(scene *s, layer l, const weft_caps *caps, bool device)
{
    static float zeros[128 * 128 * 9];
    const int c = l.channels;
    const weft_weight w = { "w", WEFT_F32, WEFT_SHAPE(c, c, 3, 3), zeros, (size_t) (c * c) * 36 }, f = { "f", WEFT_F32, WEFT_SHAPE(4, 4), zeros, 64 };
    const weft_conv_attrs conv = { .stride = { 2, 2 }, .dilation = { l.dilation, 1 }, .groups = 1 };
    const weft_upfirdn_attrs fir = { .up = { 1, 1 }, .down = { l.down, l.down }, .pads = { 1, 1, 1, 1 }, .gain = 4, .act = 2, .a = 0.2f };
    weft_graph g;
    begin(s, &g);
    const weft_value x = weft_graph_input(&g, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, c, l.size, l.size));
    const weft_value between = weft_graph_call(&g, "conv_transpose2d", WEFT_V(x, weft_graph_constant(&g, &w)), &conv);
    weft_graph_output(&g, "y", weft_graph_call(&g, "upfirdn2d", WEFT_V(between, weft_graph_constant(&g, &f)), &fir));
    if (l.seen) weft_graph_output(&g, "between", between);
    build(s, &g, caps, device);
}

static const layer usual = { 8, 20, 1, 1 };

static int nodes_of(const layer *l, bool device)
{
    scene s;
    make(&s, *l, &processor, device);
    const int count = count_nodes(&s, "up_conv2d");
    drop(&s);
    return count;
}

static void devices_alone_have_one_node(void **state)
{
    (void) state;
    assert_int_equal(nodes_of(&usual, true), 1);
    assert_int_equal(nodes_of(&usual, false), 0);
}

static void others_stay_two(void **state)
{
    (void) state;
    assert_int_equal(nodes_of(&(layer) { 8, 20, 1, 1, .seen = true }, true), 0);
    assert_int_equal(nodes_of(&(layer) { 8, 20, 2, 1 }, true), 0);
    assert_int_equal(nodes_of(&(layer) { 8, 20, 1, 2 }, true), 0);
}

static shape shape_of(layer l, const weft_caps *caps)
{
    scene s;
    make(&s, l, caps, true);
    const shape found = shape_between(&s, "up_conv", (size_t) l.channels * (2 * (size_t) l.size + 1) * (2 * (size_t) l.size + 1) * 4, caps);
    drop(&s);
    return found;
}

static bool is_together(layer l, const weft_caps *caps) { return shape_of(l, caps) == TOGETHER; }

static void a_processor_stores_what_it_can(void **state)
{
    (void) state;
    const uint32_t between = 8 * 41 * 41 * 4;
    const weft_caps enough = { .max_group = 128, .shared_bytes = 16384, .is_software = true, .range = between };
    weft_caps little = enough, other = enough;
    little.range--, other.range--, other.is_software = false;
    assert_int_equal(shape_of(usual, &processor), WHOLE);
    assert_int_equal(shape_of(usual, &enough), WHOLE);
    assert_int_equal(shape_of(usual, &little), IN_BANDS);
    assert_int_equal(shape_of(usual, &other), TOGETHER);
    assert_int_equal(shape_of((layer) { 7, 9, 1, 1 }, &(weft_caps) { .max_group = 128, .shared_bytes = 16384, .is_software = true, .range = 7 * 19 * 19 * 4 - 1 }), TOGETHER); // no row but the first begins where a tensor may
}

static void a_gpu_where_bytes_cost_more_than_products(void **state)
{
    (void) state;
    assert_true(is_together((layer) { 32, 256, 1, 1 }, &gpu));
    assert_false(is_together((layer) { 128, 256, 1, 1 }, &gpu)); // products
    assert_false(is_together((layer) { 32, 32, 1, 1 }, &gpu));   // idle
    assert_false(is_together((layer) { 32, 256, 1, 1 }, &(weft_caps) { .max_group = 1024, .shared_bytes = 32768, .few_registers = true }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_alone_have_one_node), cmocka_unit_test(others_stay_two), cmocka_unit_test(a_processor_stores_what_it_can),
        cmocka_unit_test(a_gpu_where_bytes_cost_more_than_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
