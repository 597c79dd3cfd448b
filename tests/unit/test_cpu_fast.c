// SPDX-License-Identifier: MIT
// The fast operators agree with the truth, for every case of the row and with cases of their own for the ways that those leave out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "cpu/fast.h"
#include "cpu/run.h"
#include "ops/conv.h"
#include "ops/conv_weights.h"
#include "ops/pool.h"
#include "ops/softmax.h"
#include "ops/upfirdn2d.h"
#include <math.h>
#include <string.h>

static float *numbers_in(weft_arena *a, weft_shape s, weft_random *r, double low, double high)
{
    const int64_t count = weft_shape_count(s);
    float *f = weft_arena_new(a, (size_t) count * 4);
    for (int64_t i = 0; i < count; i++) f[i] = (float) weft_random_uniform(r, low, high);
    return f;
}
static float *numbers(weft_arena *a, weft_shape s, weft_random *r) { return numbers_in(a, s, r, -1, 1); }

static void evaluate(weft_context *ctx, weft_graph *g, const void *const *data, const char *name, int index)
{
    assert_int_equal(weft_graph_status(g), WEFT_OK);
    enum { OUTPUTS = 8 };
    void *y[2][OUTPUTS];
    for (int fast = 0; fast < 2; fast++) {
        weft_cpu_run *run;
        for (int k = 0; k < g->output_count; k++) y[fast][k] = weft_arena_new(g->arena, (size_t) weft_shape_count(g->values[g->outputs[k].value].shape) * 4);
        assert_int_equal(weft_cpu_run_create(ctx, g, &(weft_session_params) { 0 }, fast, &run), WEFT_OK);
        assert_int_equal(weft_cpu_run_go(run, data, y[fast]), WEFT_OK);
        weft_cpu_run_destroy(run);
    }
    for (int k = 0; k < g->output_count; k++) {
        const float *is = y[1][k], *wants = y[0][k];
        double error = 0, norm = 0;
        for (int64_t i = 0; i < weft_shape_count(g->values[g->outputs[k].value].shape); i++) {
            error += ((double) is[i] - wants[i]) * ((double) is[i] - wants[i]);
            norm += (double) wants[i] * wants[i];
        }
        if (!(error <= 1e-10 * norm)) fail_msg("%s case %d, output %d: relative error %g", name, index, k, sqrt(error / norm));
    }
}

// One node, of whose inputs some are ports and the others weights.
static void compare(weft_context *ctx, const weft_op *op, const weft_case *c, uint32_t ports_mask)
{
    weft_arena a = { .ctx = ctx };
    weft_graph g;
    weft_random r = { 42 };
    weft_value in[WEFT_CASE_INPUTS];
    const void *data[WEFT_CASE_INPUTS];
    int count = 0, ports = 0;
    weft_graph_init(&g, &a);
    g.bound = true;
    for (; c->in_count ? count < c->in_count : count < WEFT_CASE_INPUTS && c->in[count].rank; count++) {
        in[count] = -1;
        if (c->absent >> count & 1) continue;
        float *f = c->low == c->high ? numbers(&a, c->in[count], &r) : numbers_in(&a, c->in[count], &r, c->low, c->high);
        if (ports_mask >> count & 1) {
            in[count] = weft_graph_input(&g, (const char[]) { (char) ('a' + count), 0 }, WEFT_F32, c->in[count]);
            data[ports++] = f;
        } else in[count] = weft_graph_numbers(&g, c->in[count], f);
    }
    const weft_value y = weft_graph_op(&g, op, in, count, c->attrs);
    for (int k = 0; y >= 0 && k < g.nodes[g.values[y].node].out_count; k++)
        weft_graph_output(&g, (const char[]) { 'y', (char) ('0' + k), 0 }, y + k);
    evaluate(ctx, &g, data, op->name, (int) (c - op->cases));
    weft_arena_free(&a);
}

static weft_value constant(weft_graph *g, weft_shape shape, weft_random *r) { return weft_graph_numbers(g, shape, numbers(g->arena, shape, r)); }

// `ends`: with all that can follow the filter.
static void compare_filter(weft_context *ctx, const weft_case *c, weft_shape shape, const float *filter, bool ends)
{
    weft_arena a = { .ctx = ctx };
    weft_graph g;
    weft_random r = { 43 };
    weft_graph_init(&g, &a);
    g.bound = true;
    const weft_value x = weft_graph_input(&g, "x", WEFT_F32, c->in[0]), f = weft_graph_numbers(&g, shape, filter);
    weft_value in[WEFT_UPFIRDN_INPUTS] = { x, f }, y = weft_graph_op(&g, weft_op_find("upfirdn2d"), in, 2, c->attrs);
    if (ends) {
        const weft_shape s = g.values[y].shape;
        weft_upfirdn_attrs at = *(const weft_upfirdn_attrs *) c->attrs;
        at.act = 2, at.a = 0.2f, at.act_gain = 1.5f, at.clamp = 1;
        in[1 + WEFT_BIAS_B] = constant(&g, (weft_shape) WEFT_SHAPE(s.dim[1]), &r);
        in[1 + WEFT_BIAS_NOISE] = constant(&g, (weft_shape) WEFT_SHAPE(s.dim[0], 1, s.dim[2], s.dim[3]), &r);
        in[1 + WEFT_BIAS_STRENGTH] = constant(&g, (weft_shape) WEFT_SHAPE(1), &r);
        in[1 + WEFT_BIAS_D] = constant(&g, (weft_shape) WEFT_SHAPE(s.dim[0], s.dim[1]), &r);
        y = weft_graph_op(&g, weft_op_find("upfirdn2d"), in, WEFT_UPFIRDN_INPUTS, &at);
    }
    weft_graph_output(&g, "y", y);
    evaluate(ctx, &g, (const void *const[]) { numbers(&a, c->in[0], &r) }, "upfirdn2d", -1);
    weft_arena_free(&a);
}

static void fast_versions_equal_the_truth(void **state)
{
    (void) state;
    weft_context *ctx;
    const weft_op *op;
    int compared = 0;
    assert_int_equal(weft_context_create(NULL, &ctx), WEFT_OK);
    for (int i = 0; (op = weft_op_at(i)); i++)
        for (const weft_case *c = op->cases; c && weft_cpu_fast_next(op->name, NULL) && (c->in[0].rank || c->in_count); c++, compared++) {
            compare(ctx, op, c, 1 << 0 | 1 << 3); // weights and biases constant, as networks have it
            compare(ctx, op, c, ~0u);
        }
    weft_context_destroy(&ctx);
    assert_true(compared > 0);
}

typedef struct extra { const char *op; weft_case c; } extra;

static void so_do_those_of_other_sizes(void **state)
{
    (void) state;
    const struct { weft_list axes; int32_t keep; } all = { .keep = 1 }, over_pixels = { { 2, { 2, 3 } }, 1 }, over_channels = { { 1, { 1 } }, 1 },
                                                   over_images = { { 1, { 0 } }, 0 }, apart = { { 2, { 0, 2 } }, 0 };
    const weft_conv_weights_attrs plain = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .pads = { 1, 1 }, .groups = 1, .kernel = { 3, 3 } };
    const weft_conv_weights_attrs spread = { .stride = { 2, 2 }, .dilation = { 1, 1 }, .pads = { 1, 0 }, .groups = 1, .kernel = { 3, 3 } };
    const weft_conv_weights_attrs deep = { .stride = { 1, 1 }, .dilation = { 2, 2 }, .pads = { 2, 2 }, .groups = 4, .kernel = { 3, 3 } };
    const weft_conv_attrs bare = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    const weft_conv_attrs point = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1, .act = 2, .a = 0.2f, .gain = 1.5f, .clamp = 2 };
    const weft_conv_attrs twice = { .stride = { 2, 2 }, .dilation = { 1, 1 }, .pads = { 1, 1, 1, 1 }, .groups = 1, .act = 1 };
    const extra cases[] = {
        { "conv2d_weight_grad", { .in = { WEFT_SHAPE(2, 35, 20, 19), WEFT_SHAPE(2, 41, 20, 19) }, .attrs = &plain } },
        { "conv2d_weight_grad", { .in = { WEFT_SHAPE(1, 17, 32, 33), WEFT_SHAPE(1, 20, 16, 16) }, .attrs = &spread } },
        { "conv2d_weight_grad", { .in = { WEFT_SHAPE(3, 8, 12, 13), WEFT_SHAPE(3, 16, 12, 13) }, .attrs = &deep } },
        { "sum", { .in = { WEFT_SHAPE(1, 3, 320, 411) }, .attrs = &all } }, // in stretches
        { "mean", { .in = { WEFT_SHAPE(1, 3, 320, 411) }, .attrs = &all } },
        { "sum_product", { .in = { WEFT_SHAPE(1, 3, 320, 411), WEFT_SHAPE(1, 3, 320, 411) }, .attrs = &all } },
        { "sum", { .in = { WEFT_SHAPE(2, 5, 77, 130) }, .attrs = &over_pixels } }, // more than a block
        { "sum_product", { .in = { WEFT_SHAPE(2, 5, 77, 130), WEFT_SHAPE(2, 5, 77, 130) }, .attrs = &over_pixels } },
        { "sum", { .in = { WEFT_SHAPE(2, 9, 31, 33) }, .attrs = &over_channels } }, // more than one width
        { "mean", { .in = { WEFT_SHAPE(5, 3, 7, 11) }, .attrs = &over_images } },
        { "sum_product", { .in = { WEFT_SHAPE(2, 9, 31, 33), WEFT_SHAPE(2, 9, 31, 33) }, .attrs = &over_channels } },
        { "sum", { .in = { WEFT_SHAPE(3, 4, 5, 6) }, .attrs = &apart } },
        { "tanh", { .in = { WEFT_SHAPE(3, 5001) }, .attrs = &(const float[2]) { 0 }, .low = -20, .high = 20 } },
        { "tanh", { .in = { WEFT_SHAPE(3, 5001) }, .attrs = &(const float[2]) { 0 }, .low = -0.01, .high = 0.01 } },
        { "sigmoid", { .in = { WEFT_SHAPE(3, 5001) }, .attrs = &(const float[2]) { 0 }, .low = -30, .high = 30 } },
        { "silu", { .in = { WEFT_SHAPE(3, 5001) }, .attrs = &(const float[2]) { 0 }, .low = -100, .high = 100 } },
        { "quick_gelu", { .in = { WEFT_SHAPE(3, 5001) }, .attrs = &(const float[2]) { 0 }, .low = -100, .high = 100 } },
        { "elu", { .in = { WEFT_SHAPE(3, 5001) }, .attrs = &(const float[2]) { 0.7f, 0 }, .low = -100, .high = 10 } },
        { "softmax", { .in = { WEFT_SHAPE(2, 129, 20, 33) }, .attrs = &(const weft_softmax_attrs) { 1, 10 }, .low = -3, .high = 3 } },
        { "softmax", { .in = { WEFT_SHAPE(3, 9001) }, .attrs = &(const weft_softmax_attrs) { -1, 1 }, .low = 80, .high = 120 } },
        { "max_pool2d", { .in = { WEFT_SHAPE(2, 3, 65, 71) }, .attrs = &(const weft_pool_attrs) { .kernel = { 2, 2 }, .dilation = { 1, 1 } } } },
        { "max_pool2d", { .in = { WEFT_SHAPE(2, 3, 65, 71) }, .attrs = &(const weft_pool_attrs) { .kernel = { 3, 3 }, .stride = { 2, 2 }, .dilation = { 1, 1 }, .pads = { 1, 1, 1, 1 }, .ceil_mode = 1 } } },
        { "max_pool2d_grad", { .in = { WEFT_SHAPE(2, 3, 32, 35), WEFT_SHAPE(2, 3, 65, 71) }, .attrs = &(const weft_pool_attrs) { .kernel = { 2, 2 }, .dilation = { 1, 1 } } } },
        { "max_pool2d_grad", { .in = { WEFT_SHAPE(2, 3, 32, 35), WEFT_SHAPE(2, 3, 64, 70) }, .attrs = &(const weft_pool_attrs) { .kernel = { 2, 2 }, .dilation = { 1, 1 } },
                               .low = 0, .high = 3e-45 } }, // of three different values: the first of equals
        { "l2_norm", { .in = { WEFT_SHAPE(2, 5, 77, 130) }, .attrs = &over_pixels } },
        { "l2_norm", { .in = { WEFT_SHAPE(2, 9, 31, 33) }, .attrs = &over_channels } },
        { "sum_square", { .in = { WEFT_SHAPE(1, 3, 320, 411) }, .attrs = &all } },
        { "avg_pool2d", { .in = { WEFT_SHAPE(2, 3, 64, 70) }, .attrs = &(const weft_pool_attrs) { .kernel = { 2, 2 }, .dilation = { 1, 1 } } } },
        { "avg_pool2d", { .in = { WEFT_SHAPE(2, 3, 65, 71) }, .attrs = &(const weft_pool_attrs) { .kernel = { 2, 2 }, .dilation = { 1, 1 }, .pads = { 0, 0, 1, 1 } } } },
        { "avg_pool2d", { .in = { WEFT_SHAPE(2, 3, 65, 71) }, .attrs = &(const weft_pool_attrs) { .kernel = { 3, 2 }, .stride = { 2, 2 }, .dilation = { 1, 1 }, .pads = { 1, 1, 1, 0 }, .ceil_mode = 1, .count_include_pad = 1 } } },
        { "avg_pool2d", { .in = { WEFT_SHAPE(2, 3, 64, 71) }, .attrs = &(const weft_pool_attrs) { .kernel = { 2, 2 }, .dilation = { 1, 1 }, .ceil_mode = 1 } } },
        { "linear", { .in = { WEFT_SHAPE(3, 131), WEFT_SHAPE(37, 131), WEFT_SHAPE(37) } } }, // few rows
        { "linear", { .in = { WEFT_SHAPE(1, 256), WEFT_SHAPE(517, 256) } } },
        { "matmul", { .in = { WEFT_SHAPE(2, 263), WEFT_SHAPE(263, 1029) }, .attrs = &(const int32_t[2]) { 0, 0 } } },
        { "matmul", { .in = { WEFT_SHAPE(1, 4, 300), WEFT_SHAPE(1, 129, 300) }, .attrs = &(const int32_t[2]) { 0, 1 } } },
        { "conv2d", { .in = { WEFT_SHAPE(2, 37, 33, 35), WEFT_SHAPE(3, 37, 1, 1), WEFT_SHAPE(3), WEFT_SHAPE(2, 3, 33, 35), WEFT_SHAPE(2, 3), // 1x1, to a few channels
                              WEFT_SHAPE(2, 1, 33, 35), WEFT_SHAPE(1), WEFT_SHAPE(2, 37) }, .attrs = &point } },
        { "conv2d", { .in = { WEFT_SHAPE(1, 3, 40, 41), WEFT_SHAPE(21, 3, 1, 1) }, .attrs = &bare } },
        { "conv2d", { .in = { WEFT_SHAPE(2, 37, 33, 35), WEFT_SHAPE(29, 37, 1, 1), WEFT_SHAPE(29), WEFT_SHAPE(2, 29, 33, 35), WEFT_SHAPE(2, 29), // to many
                              WEFT_SHAPE(2, 1, 33, 35), WEFT_SHAPE(1), WEFT_SHAPE(2, 37) }, .attrs = &point } },
        { "conv_transpose2d", { .in = { WEFT_SHAPE(2, 37, 13, 5), WEFT_SHAPE(37, 29, 1, 1), WEFT_SHAPE(29), WEFT_SHAPE(2, 29, 13, 5), WEFT_SHAPE(2, 29),
                                        WEFT_SHAPE(2, 1, 13, 5), WEFT_SHAPE(1), WEFT_SHAPE(2, 37) }, .attrs = &point } },
        { "conv_transpose2d", { .in = { WEFT_SHAPE(2, 3, 33, 35), WEFT_SHAPE(3, 37, 1, 1), WEFT_SHAPE(37), WEFT_SHAPE(2, 37, 33, 35) }, .attrs = &point } },
        { "conv_transpose2d", { .in = { WEFT_SHAPE(1, 24, 9, 9), WEFT_SHAPE(24, 17, 4, 4), WEFT_SHAPE(17) }, .attrs = &twice } },
    };
    weft_context *ctx;
    assert_int_equal(weft_context_create(NULL, &ctx), WEFT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weft_op *op = weft_op_find(cases[i].op);
        assert_non_null(op);
        assert_non_null(weft_cpu_fast_next(cases[i].op, NULL));
        compare(ctx, op, &cases[i].c, ~0u);
    }
    weft_context_destroy(&ctx);
}

// Filters that are products of a column and a row, which random ones are not.
static void separable_filters_too(void **state)
{
    (void) state;
    static const float smooth[16] = { 1, 3, 3, 1, 3, 9, 9, 3, 3, 9, 9, 3, 1, 3, 3, 1 }, zero[16] = { 0 };
    static const float skew[6] = { 1, -2, 0, 2, -4, 0 }, tall[3] = { 0.5f, -1, 2 };
    const struct { int64_t h, w; const float *data; } filters[] = { { 4, 4, smooth }, { 2, 3, skew }, { 3, 1, tall }, { 1, 3, tall }, { 4, 4, zero } };
    weft_context *ctx;
    assert_int_equal(weft_context_create(NULL, &ctx), WEFT_OK);
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++)
        for (int turn = 0; turn < 64; turn++) {
            const weft_upfirdn_attrs at = {
                .up = { 1 + turn % 2, 1 + turn / 2 % 2 }, .down = { 1 + turn / 4 % 2, 1 + turn / 4 % 2 }, .gain = 2, .flip = turn / 8 % 2,
                .pads = { turn / 16 - 1, 2 - turn / 16, 3, turn / 16 % 2 ? -1 : 2 },
            };
            const weft_case c = { .in = { WEFT_SHAPE(2, 3, 9, 7) }, .attrs = &at };
            compare_filter(ctx, &c, (weft_shape) WEFT_SHAPE(filters[f].h, filters[f].w), filters[f].data, turn % 3 == 1);
        }
    weft_context_destroy(&ctx);
}

// One row on these numbers, element by element what the truth gives: infinite where it is, and exactly 0 where it is.
static void compare_numbers(const char *op, weft_shape shape, const float *x, const void *attrs)
{
    weft_context *ctx;
    float y[2][64] = { { 0 } };
    assert_int_equal(weft_context_create(NULL, &ctx), WEFT_OK);
    weft_arena a = { .ctx = ctx };
    weft_graph g;
    weft_graph_init(&g, &a);
    g.bound = true;
    const weft_value in = weft_graph_input(&g, "x", WEFT_F32, shape), out = weft_graph_op(&g, weft_op_find(op), &in, 1, attrs);
    weft_graph_output(&g, "y", out);
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    const int64_t count = weft_shape_count(g.values[out].shape);
    assert_true(count <= 64);
    for (int fast = 0; fast < 2; fast++) {
        weft_cpu_run *run;
        assert_int_equal(weft_cpu_run_create(ctx, &g, &(weft_session_params) { 0 }, fast, &run), WEFT_OK);
        assert_int_equal(weft_cpu_run_go(run, (const void *const[]) { x }, (void *const[]) { y[fast] }), WEFT_OK);
        weft_cpu_run_destroy(run);
    }
    for (int64_t i = 0; i < count; i++) {
        const float is = y[1][i], wants = y[0][i];
        if (isnan(wants) ? !isnan(is) : isinf(wants) || wants == 0 ? is != wants : !(fabsf(is - wants) <= 1e-5f * fabsf(wants)))
            fail_msg("%s: element %d is %g, not %g", op, (int) i, (double) is, (double) wants);
    }
    weft_arena_free(&a);
    weft_context_destroy(&ctx);
}

static void infinities_are_what_they_are_in_truth(void **state)
{
    (void) state;
    const float much = INFINITY, x[16] = { -much, 1, NAN, -3, much, -0.5f, 7, NAN, NAN, 2, 0, -much, NAN, NAN, -much, -much };
    const float masked[16] = { -much, 1, 2, -3, 0, -0.5f, -much, 4, -200, 2, 0, -much, 3, 4, -much, -much };
    const weft_shape image = WEFT_SHAPE(1, 1, 4, 4);
    const char *const unary[] = { "relu", "leaky_relu", "elu", "tanh" };
    for (size_t i = 0; i < sizeof unary / sizeof *unary; i++) compare_numbers(unary[i], image, x, (const float[2]) { 0.3f, 0 });
    compare_numbers("max_pool2d", image, x, &(const weft_pool_attrs) { .kernel = { 2, 2 }, .dilation = { 1, 1 } });
    compare_numbers("max_pool2d", image, x, &(const weft_pool_attrs) { .kernel = { 3, 3 }, .stride = { 1, 1 }, .dilation = { 1, 1 }, .pads = { 1, 1, 1, 1 } });
    compare_numbers("softmax", image, masked, &(const weft_softmax_attrs) { 3, 1 });
    compare_numbers("softmax", image, masked, &(const weft_softmax_attrs) { 2, 1 });
    compare_numbers("bias_act", image, x, &(const weft_bias_act_attrs) { .act = 1, .gain = 1.5f });
    compare_numbers("bias_act", image, x, &(const weft_bias_act_attrs) { .act = 2, .a = 0.2f, .gain = 1.5f, .clamp = 2 });
}

// Rows of three inputs, two of them the same, in front of a product of a few rows, which takes the derivatives of activations along: these are none.
static void other_gradients_are_no_derivatives(void **state)
{
    (void) state;
    weft_context *ctx;
    assert_int_equal(weft_context_create(NULL, &ctx), WEFT_OK);
    const struct { float eps; int32_t groups, over_n, params; } one_group = { 1e-5f, 1, 0, 0 };
    const weft_bias_act_attrs leaky = { .act = 2, .a = 0.2f, .gain = 1 };
    const struct { const char *op; const void *attrs; } rows[] = { { "norm_grad", &one_group }, { "bias_act_grad", &leaky } };
    for (int i = 0; i < 2; i++) {
        weft_arena a = { .ctx = ctx };
        weft_graph g;
        weft_random r = { 42 };
        weft_graph_init(&g, &a);
        g.bound = true;
        const weft_shape shape = WEFT_SHAPE(2, 65);
        const weft_value x = weft_graph_input(&g, "x", WEFT_F32, shape), c = constant(&g, (weft_shape) WEFT_SHAPE(65), &r), w = constant(&g, (weft_shape) WEFT_SHAPE(7, 65), &r);
        weft_graph_output(&g, "y", weft_graph_call(&g, "linear", WEFT_V(weft_graph_call(&g, rows[i].op, WEFT_V(x, x, c), rows[i].attrs), w), NULL));
        evaluate(ctx, &g, (const void *const[]) { numbers(&a, shape, &r) }, rows[i].op, -1);
        weft_arena_free(&a);
    }
    weft_context_destroy(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(fast_versions_equal_the_truth), cmocka_unit_test(so_do_those_of_other_sizes),
                                       cmocka_unit_test(separable_filters_too), cmocka_unit_test(infinities_are_what_they_are_in_truth),
                                       cmocka_unit_test(other_gradients_are_no_derivatives) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
