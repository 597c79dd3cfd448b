// SPDX-License-Identifier: MIT
// Every fusion rule: the fused graph has fewer nodes and gives the numbers of the unfused one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/half.h"
#include "base/random.h"
#include "cpu/run.h"
#include "ops/bias_act.h"
#include "ops/conv.h"
#include "ops/norm.h"
#include "ops/upfirdn2d.h"
#include <math.h>
#include <string.h>

typedef struct scene {
    weft_context *ctx;
    weft_arena arena;
    weft_graph g;
    weft_random random;
} scene;

static weft_value constant(scene *s, weft_shape shape, double low, double high)
{
    const int64_t count = weft_shape_count(shape);
    float *f = weft_arena_new(&s->arena, (size_t) count * 4);
    for (int64_t i = 0; i < count; i++) f[i] = (float) weft_random_uniform(&s->random, low, high);
    return weft_graph_numbers(&s->g, shape, f);
}

static const weft_conv_attrs plain = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .pads = { 1, 1, 1, 1 }, .groups = 2 };
static weft_value convolve(scene *s, const char *op, weft_value x)
{
    return weft_graph_call(&s->g, op, WEFT_V(x, constant(s, (weft_shape) WEFT_SHAPE(4, 2, 3, 3), -1, 1), constant(s, (weft_shape) WEFT_SHAPE(4), -1, 1)), &plain);
}

static weft_value norm(scene *s, weft_value x)
{
    const weft_shape c = WEFT_SHAPE(4);
    return weft_graph_call(&s->g, "batch_norm",
                           WEFT_V(x, constant(s, c, -1, 1), constant(s, c, -1, 1), constant(s, c, -1, 1), constant(s, c, 0.1, 2)),
                           &(weft_batch_norm_attrs) { 1e-3f, 0 });
}
static weft_value bias(scene *s, weft_value x) { return weft_graph_call(&s->g, "add", WEFT_V(constant(s, (weft_shape) WEFT_SHAPE(4, 1, 1), -1, 1), x), NULL); }
static weft_value act(scene *s, weft_value x) { return weft_graph_call(&s->g, "leaky_relu", WEFT_V(x), (const float[]) { 0.2f, 0 }); }
static weft_value plus(scene *s, weft_value x, weft_value r) { return weft_graph_call(&s->g, "add", WEFT_V(x, r), NULL); }

// The same with weights in f16.
static weft_value half_norm_act(scene *s, weft_value x)
{
    enum { COUNT = 4 * 2 * 9 };
    weft_weight *w = weft_arena_new(&s->arena, sizeof *w);
    uint16_t *h = weft_arena_new(&s->arena, COUNT * 2);
    for (int i = 0; i < COUNT; i++) h[i] = weft_float_to_half((float) weft_random_uniform(&s->random, -1, 1));
    *w = (weft_weight) { "w", WEFT_F16, WEFT_SHAPE(4, 2, 3, 3), h, COUNT * 2 };
    const weft_value k = weft_graph_constant(&s->g, w), b = constant(s, (weft_shape) WEFT_SHAPE(4), -1, 1);
    return act(s, norm(s, weft_graph_call(&s->g, "conv2d", WEFT_V(x, k, b), &plain)));
}
static weft_value conv_norm_act(scene *s, weft_value x) { return act(s, norm(s, convolve(s, "conv2d", x))); }
static weft_value transpose_norm_act(scene *s, weft_value x) { return act(s, norm(s, convolve(s, "conv_transpose2d", x))); }
static weft_value conv_bias_act(scene *s, weft_value x) { return act(s, bias(s, convolve(s, "conv2d", x))); }
static weft_value conv_plus_act(scene *s, weft_value x) { return act(s, plus(s, x, convolve(s, "conv2d", x))); }
static weft_value conv_act_plus(scene *s, weft_value x) { return plus(s, act(s, convolve(s, "conv2d", x)), x); }
static weft_value conv_act_act(scene *s, weft_value x) { return act(s, act(s, convolve(s, "conv2d", x))); }

static weft_value conv_gate(scene *s, weft_value x) { return weft_graph_call(&s->g, "gate", WEFT_V(convolve(s, "conv2d", x)), &(weft_activation) { 3, 1, 0 }); }
static weft_value act_gate(scene *s, weft_value x) { return weft_graph_call(&s->g, "gate", WEFT_V(act(s, convolve(s, "conv2d", x))), &(weft_activation) { 3, 1, 0 }); }

static weft_value bias_act(scene *s, weft_value x, const weft_bias_act_attrs *at)
{
    return weft_graph_call(&s->g, "bias_act", WEFT_V(x, constant(s, (weft_shape) WEFT_SHAPE(4), -1, 1)), at);
}
static weft_value bare(scene *s, weft_value x)
{
    return weft_graph_call(&s->g, "conv2d", WEFT_V(x, constant(s, (weft_shape) WEFT_SHAPE(4, 2, 3, 3), -1, 1)), &plain);
}
static weft_value scaled(scene *s, weft_value x)
{
    return weft_graph_call(&s->g, "mul", WEFT_V(constant(s, (weft_shape) WEFT_SHAPE(2, 4, 1, 1), -1, 1), x), NULL);
}
static weft_value conv_and_bias_act(scene *s, weft_value x) { return bias_act(s, bare(s, x), &(weft_bias_act_attrs) { .act = 2, .a = 0.2f, .gain = 1 }); }
static weft_value conv_and_gain(scene *s, weft_value x) { return bias_act(s, bare(s, x), &(weft_bias_act_attrs) { .act = 2, .a = 0.2f, .gain = 2 }); }
static weft_value scale_act(scene *s, weft_value x) { return bias_act(s, scaled(s, x), &(weft_bias_act_attrs) { .act = 2, .a = 0.2f, .gain = 2 }); }
static weft_value scale_act_both(scene *s, weft_value x) // the product has two users
{
    const weft_bias_act_attrs at = { .act = 2, .a = 0.2f, .gain = 2 };
    const weft_value product = scaled(s, x), y = bias_act(s, product, &at);
    return weft_graph_call(&s->g, "bias_act_grad", WEFT_V(y, product), &at);
}
// A layer of a style-based generator: style, convolution, demodulation, noise, bias, activation.
static weft_value layer(scene *s, weft_value x, const char *conv, weft_conv_attrs at)
{
    const weft_bias_act_attrs how = { .act = 2, .a = 0.2f, .gain = 1.5f, .clamp = 0.75f };
    const weft_value w = constant(s, (weft_shape) WEFT_SHAPE(4, 2, 3, 3), -1, 1), b = constant(s, (weft_shape) WEFT_SHAPE(4), -1, 1);
    const weft_value sum = scaled(s, weft_graph_call(&s->g, conv, WEFT_V(scaled(s, x), w), &at)), noise = constant(s, (weft_shape) WEFT_SHAPE(1, 1, 5, 6), -1, 1);
    return weft_graph_call(&s->g, "bias_act", WEFT_V(sum, b, noise, weft_graph_scalar(&s->g, 0.3)), &how);
}
static weft_value styled(scene *s, weft_value x) { return layer(s, x, "conv2d", plain); }
static weft_value styled_transpose(scene *s, weft_value x) { return layer(s, x, "conv_transpose2d", plain); }
static weft_value styled_reflected(scene *s, weft_value x)
{
    weft_conv_attrs at = plain;
    at.pad_mode = WEFT_PAD_REFLECT;
    return layer(s, x, "conv2d", at);
}
static const weft_upfirdn_attrs smooth = { .up = { 1, 1 }, .down = { 1, 1 }, .pads = { 1, 1, 1, 1 }, .gain = 4 };
static weft_value filtered(scene *s, weft_value x) { return weft_graph_call(&s->g, "upfirdn2d", WEFT_V(x, constant(s, (weft_shape) WEFT_SHAPE(3, 3), -1, 1)), &smooth); }
static weft_value filter_scale_act(scene *s, weft_value x) // the end of a layer that goes up
{
    const weft_bias_act_attrs how = { .act = 2, .a = 0.2f, .gain = 1.5f, .clamp = 0.75f };
    const weft_value b = constant(s, (weft_shape) WEFT_SHAPE(4), -1, 1), noise = constant(s, (weft_shape) WEFT_SHAPE(2, 1, 5, 6), -1, 1);
    return weft_graph_call(&s->g, "bias_act", WEFT_V(scaled(s, filtered(s, x)), b, noise, weft_graph_scalar(&s->g, 0.3)), &how);
}
static weft_value scale_filter(scene *s, weft_value x) { return filtered(s, scaled(s, x)); } // the way back through it
static weft_value scale_filter_act(scene *s, weft_value x) { return bias_act(s, filtered(s, scaled(s, x)), &(weft_bias_act_attrs) { .act = 3, .a = 1, .gain = 2 }); }
static weft_value act_filter_act(scene *s, weft_value x) { return bias_act(s, filter_scale_act(s, x), &(weft_bias_act_attrs) { .act = 1, .gain = 1 }); }
static weft_value gain_then_act(scene *s, weft_value x) { return act(s, conv_and_gain(s, x)); }
static weft_value gain_then_plus(scene *s, weft_value x) { return plus(s, conv_and_gain(s, x), x); }
static weft_value plus_then_gain(scene *s, weft_value x) // a residual before an activation with a gain is no epilogue
{
    return bias_act(s, plus(s, bare(s, x), x), &(weft_bias_act_attrs) { .act = 2, .a = 0.2f, .gain = 2 });
}
static weft_value scaled_twice(scene *s, weft_value x) // the product is used by another too
{
    const weft_value product = scaled(s, x);
    return plus(s, bare(s, product), product);
}
static weft_value mul_sum(scene *s, weft_value x) // [2, 4, 1, 1]
{
    const weft_value product = weft_graph_call(&s->g, "mul", WEFT_V(x, act(s, x)), NULL);
    return weft_graph_call(&s->g, "sum", WEFT_V(product), &(struct { weft_list axes; int32_t keep; }) { { 2, { 2, 3 } }, 1 });
}

// The way back through a layer whose y two styles scale: sums beside the gradient, one with a user that stands before it.
static weft_value back_and_sums(scene *s, weft_value x)
{
    const struct { weft_list axes; int32_t keep; } pixels = { { 2, { 2, 3 } }, 1 };
    const weft_bias_act_back_attrs at = { { .act = 2, .a = 0.2f, .gain = 2 }, WEFT_SUM_DU };
    const weft_value y = bias_act(s, x, &at.of), a = act(s, x), b = act(s, a);
    weft_value sums[2];
    for (int k = 0; k < 2; k++)
        sums[k] = weft_graph_call(&s->g, "sum", WEFT_V(weft_graph_call(&s->g, "mul", WEFT_V(k ? a : y, k ? y : b), NULL)), &pixels);
    const weft_value early = act(s, sums[1]), du = weft_graph_call(&s->g, "bias_act_back", WEFT_V(plus(s, scaled(s, a), scaled(s, b)), y), &at);
    return plus(s, plus(s, plus(s, du, early), sums[0]), du + 1);
}
// The style depends on the sum: the sum cannot wait for the gradient.
static weft_value back_after_sum(scene *s, weft_value x)
{
    const struct { weft_list axes; int32_t keep; } pixels = { { 2, { 2, 3 } }, 1 };
    const weft_bias_act_back_attrs at = { { .act = 2, .a = 0.2f, .gain = 2 }, 0 };
    const weft_value y = bias_act(s, x, &at.of), a = act(s, x);
    const weft_value sum = weft_graph_call(&s->g, "sum", WEFT_V(weft_graph_call(&s->g, "mul", WEFT_V(a, y), NULL)), &pixels);
    return weft_graph_call(&s->g, "bias_act_back", WEFT_V(weft_graph_call(&s->g, "mul", WEFT_V(a, sum), NULL), y), &at);
}

// Attention of 3 heads of 4 numbers, as a transformer has it: projections, heads put apart and beside each other again.
typedef struct axis_attrs { weft_list list; } axis_attrs;
static weft_value shaped(scene *s, const char *op, weft_value x, axis_attrs to) { return weft_graph_call(&s->g, op, WEFT_V(x), &to); }
static weft_value heads_apart(scene *s, weft_value x)
{
    return shaped(s, "transpose", shaped(s, "reshape", x, (axis_attrs) { { 4, { 0, 0, 3, 4 } } }), (axis_attrs) { { 4, { 0, 2, 1, 3 } } });
}
static weft_value project(scene *s, weft_value x, int64_t wide)
{
    return weft_graph_call(&s->g, "linear", WEFT_V(x, constant(s, (weft_shape) WEFT_SHAPE(wide, 6), -1, 1), constant(s, (weft_shape) WEFT_SHAPE(wide), -1, 1)), NULL);
}
static weft_value attend(scene *s, weft_value q, weft_value k, weft_value v)
{
    const weft_value y = weft_graph_call(&s->g, "sdpa", WEFT_V(heads_apart(s, q), heads_apart(s, k), heads_apart(s, v)), NULL);
    return shaped(s, "reshape", shaped(s, "transpose", y, (axis_attrs) { { 4, { 0, 2, 1, 3 } } }), (axis_attrs) { { 3, { 0, 0, 12 } } });
}
static weft_value joint_attention(scene *s, weft_value x)
{
    const weft_value rows = shaped(s, "reshape", x, (axis_attrs) { { 3, { 2, 20, 6 } } });
    const weft_value all = weft_graph_call(&s->g, "split", WEFT_V(project(s, rows, 36)), &(struct { int32_t axis, parts; weft_list sizes; }) { 2, 3, { 0 } });
    return attend(s, all, all + 1, all + 2);
}
static weft_value attention(scene *s, weft_value x)
{
    const weft_value rows = shaped(s, "reshape", x, (axis_attrs) { { 3, { 2, 20, 6 } } });
    return attend(s, project(s, rows, 12), project(s, rows, 12), project(s, rows, 12));
}
static weft_value crossed_attention(scene *s, weft_value x) // the thirds in another order: each is taken apart
{
    const weft_value rows = shaped(s, "reshape", x, (axis_attrs) { { 3, { 2, 20, 6 } } });
    const weft_value all = weft_graph_call(&s->g, "split", WEFT_V(project(s, rows, 36)), &(struct { int32_t axis, parts; weft_list sizes; }) { 2, 3, { 0 } });
    return attend(s, all + 1, all, all + 2);
}

static const struct { const char *name; weft_value (*build)(scene *s, weft_value x); int nodes; } rows[] = {
    { "conv2d, batch_norm, leaky_relu", conv_norm_act, 1 },
    { "conv2d with weights in f16, batch_norm, leaky_relu", half_norm_act, 1 },
    { "conv_transpose2d, batch_norm, leaky_relu", transpose_norm_act, 1 },
    { "conv2d, bias, leaky_relu", conv_bias_act, 1 },
    { "conv2d, residual, leaky_relu", conv_plus_act, 1 },
    { "conv2d, leaky_relu, residual", conv_act_plus, 1 },
    { "conv2d, leaky_relu, leaky_relu", conv_act_act, 2 },
    { "conv2d, gate", conv_gate, 1 },
    { "conv2d, leaky_relu, gate", act_gate, 2 },
    { "conv2d, bias_act", conv_and_bias_act, 1 },
    { "conv2d, bias_act with a gain", conv_and_gain, 1 },
    { "mul, conv2d, mul, bias_act", styled, 1 },
    { "mul, conv_transpose2d, mul, bias_act", styled_transpose, 1 },
    { "upfirdn2d, mul, bias_act", filter_scale_act, 1 },
    { "mul, upfirdn2d", scale_filter, 1 },
    { "mul, upfirdn2d, bias_act", scale_filter_act, 1 },
    { "upfirdn2d, mul, bias_act, bias_act", act_filter_act, 2 },
    { "mul, conv2d with reflected edges, mul, bias_act", styled_reflected, 1 },
    { "conv2d, bias_act with a gain, leaky_relu", gain_then_act, 2 },
    { "conv2d, bias_act with a gain, residual", gain_then_plus, 1 },
    { "conv2d, residual, bias_act with a gain", plus_then_gain, 2 },
    { "mul, conv2d and add", scaled_twice, 2 },
    { "mul, bias_act", scale_act, 1 },
    { "mul, bias_act and bias_act_grad", scale_act_both, 2 },
    { "mul, sum", mul_sum, 2 },
    { "bias_act, two activations, what they say of styles, bias_act_back", back_and_sums, 3 + 1 + 1 + 3 },
    { "bias_act_back of what a sum scales", back_after_sum, 5 },
    { "attention of heads from one projection", joint_attention, 2 + 3 },
    { "attention of heads from three projections", attention, 4 + 3 },
    { "attention of heads from one projection in another order", crossed_attention, 3 + 3 },
};

static void run_row(int row)
{
    scene s = { .random = { 3 } };
    assert_int_equal(weft_context_create(NULL, &s.ctx), WEFT_OK);
    s.arena.ctx = s.ctx;
    weft_graph_init(&s.g, &s.arena);
    s.g.bound = true;
    const weft_shape shape = WEFT_SHAPE(2, 4, 5, 6);
    enum { COUNT = 2 * 4 * 5 * 6 };
    const weft_value x = weft_graph_input(&s.g, "x", WEFT_F32, shape);
    weft_graph_output(&s.g, "y", rows[row].build(&s, x));
    assert_int_equal(weft_graph_status(&s.g), WEFT_OK);

    float in[COUNT], out[2][2 * COUNT] = { { 0 } }; // a gate fills half, attention twice as much
    for (int i = 0; i < COUNT; i++) in[i] = (float) weft_random_uniform(&s.random, -1, 1);
    for (int fast = 0; fast < 2; fast++) {
        weft_cpu_run *run;
        weft_session_facts facts;
        assert_int_equal(weft_cpu_run_create(s.ctx, &s.g, &(weft_session_params) { 0 }, fast, &run), WEFT_OK);
        assert_int_equal(weft_cpu_run_go(run, (const void *const[]) { in }, (void *const[]) { out[fast] }), WEFT_OK);
        weft_cpu_run_measure(run, &facts);
        if (fast && facts.dispatches != rows[row].nodes) fail_msg("%s: %d nodes, not %d", rows[row].name, facts.dispatches, rows[row].nodes);
        weft_cpu_run_destroy(run);
    }
    for (int i = 0; i < 2 * COUNT; i++)
        if (!(fabsf(out[0][i] - out[1][i]) <= 1e-5f)) fail_msg("%s: element %d is %g, not %g", rows[row].name, i, out[1][i], out[0][i]);
    weft_arena_free(&s.arena);
    weft_context_destroy(&s.ctx);
}

static void fused_graphs_give_the_same_numbers(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) run_row((int) i);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(fused_graphs_give_the_same_numbers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
