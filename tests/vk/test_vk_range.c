// SPDX-License-Identifier: MIT
// A layer that goes up, and its gradient, on a device whose kernels do not reach the image between convolution and filter.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cpu/run.h"
#include "graph/grad.h"
#include "graph/graph.h"
#include "vk/inside.h"
#include "vk/run.h"
#include <math.h>
#include <stdio.h>

enum { CI = 8, CO = 8, LOW = 16, HIGH = 2 * LOW, X = CI * LOW * LOW, Y = CO * HIGH * HIGH, BETWEEN = CO * (HIGH + 1) * (HIGH + 1) };
_Static_assert(X < Y && CI * CO * 9 < Y, "what lies between convolution and filter is the largest");
static const uint32_t less = BETWEEN * 4 - 4; // bytes

static float x_data[X], w_data[CO * CI * 9], f_data[16], s_data[CI], dy_data[Y];

typedef struct layer {
    weft_arena arena;
    weft_graph forward, gradient;
} layer;

static void fill(float *to, int count, int by)
{
    for (int i = 0; i < count; i++) to[i] = (float) (i * by % 101) / 64.0f - 0.75f;
}

// Outputs: y, and what x and s (and w) receive.
static void make(layer *l, weft_context *ctx, bool weights)
{
    static const weft_weight w = { "w", WEFT_F32, WEFT_SHAPE(CO, CI, 3, 3), w_data, sizeof w_data };
    static const weft_weight f = { "f", WEFT_F32, WEFT_SHAPE(4, 4), f_data, sizeof f_data };
    const bool cotangents[] = { true };
    fill(x_data, X, 37), fill(w_data, CO * CI * 9, 29), fill(f_data, 16, 7), fill(s_data, CI, 53), fill(dy_data, Y, 31);
    l->arena = (weft_arena) { .ctx = ctx };
    weft_graph_init(&l->forward, &l->arena);
    weft_graph_init(&l->gradient, &l->arena);
    weft_graph *g = &l->forward;
    g->bound = true;
    const weft_value x = weft_graph_input(g, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, CI, LOW, LOW));
    const weft_value s = weft_graph_input(g, "s", WEFT_F32, (weft_shape) WEFT_SHAPE(1, CI)), kernel = weft_graph_constant(g, &w);
    const struct { int32_t demodulate, up, down, pad, flip_weight; float gain, eps; } up = { 1, 2, 1, 1, 0, 1, 1e-8f };
    const struct { int32_t act; float a, b, gain, clamp; } act = { 2, 0.2f, 0, 1.5f, 0 };
    const weft_value v = weft_graph_call(g, "modulated_conv2d", WEFT_V(x, kernel, s, weft_graph_constant(g, &f)), &up);
    weft_graph_output(g, "y", weft_graph_call(g, "bias_act", WEFT_V(v), &act));
    assert_int_equal(weft_graph_status(g), WEFT_OK);
    const weft_value wrt[] = { x, s, kernel };
    assert_int_equal(weft_pass_grad(g, &(weft_grad_request) { .cotangents = cotangents, .loss = -1, .wrt = wrt, .wrt_count = weights ? 3 : 2 }, &l->gradient), WEFT_OK);
    assert_int_equal(l->gradient.input_count, 3);
    assert_int_equal(l->gradient.output_count, weights ? 4 : 3);
}

static double difference(const float *a, const float *b, int count)
{
    double d = 0, n = 0;
    for (int i = 0; i < count; i++) d += pow((double) a[i] - b[i], 2), n += (double) b[i] * b[i];
    return sqrt(d / n);
}

typedef struct result { float y[Y], dx[X], ds[CI]; } result;

static weft_result on_device(weft_vk_device *dev, const layer *l, bool no_fuse, const char *force, result *to)
{
    weft_vk_run *run = NULL;
    weft_result r = weft_vk_run_create_forced(dev, &l->gradient, &(weft_session_params) { .no_fuse = no_fuse }, force, &run);
    if (r == WEFT_OK) r = weft_vk_run_go(run, (const void *const[]) { x_data, s_data, dy_data }, (void *const[]) { to->y, to->dx, to->ds });
    weft_vk_run_destroy(run);
    return r;
}

static void on_cpu(weft_context *ctx, const layer *l, result *to)
{
    weft_cpu_run *run = NULL;
    if (weft_cpu_run_create(ctx, &l->gradient, &(weft_session_params) { 0 }, false, &run) != WEFT_OK) fail_msg("%s", weft_error_text());
    assert_int_equal(weft_cpu_run_go(run, (const void *const[]) { x_data, s_data, dy_data }, (void *const[]) { to->y, to->dx, to->ds }), WEFT_OK);
    weft_cpu_run_destroy(run);
}

static void nothing_larger_than_a_range_is_needed(void **state)
{
    (void) state;
    static result got, want;
    weft_context *ctx;
    weft_vk_device *dev;
    layer l, with_weights;
    assert_int_equal(weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx), WEFT_OK);
    if (weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev) != WEFT_OK) {
        weft_context_destroy(&ctx);
        puts("skip: no device");
        skip();
    }
    make(&l, ctx, false);
    make(&with_weights, ctx, true);
    on_cpu(ctx, &l, &want);
    dev->caps.range = dev->limits.maxStorageBufferRange = less;
    assert_int_equal(on_device(dev, &l, true, NULL, &got), WEFT_ERR_UNSUPPORTED); // filter and convolution by themselves
    for (int k = 0; k < 3; k++) { // the first way, and what is first elsewhere
        static const char *const ways[] = { NULL, "down_conv", "up_conv" };
        got = (result) { 0 };
        if (on_device(dev, &l, false, ways[k], &got) != WEFT_OK) fail_msg("%s", weft_error_text());
        assert_true(difference(got.y, want.y, Y) < 1e-5);
        assert_true(difference(got.dx, want.dx, X) < 1e-5);
        assert_true(difference(got.ds, want.ds, CI) < 1e-5);
    }
    assert_int_equal(on_device(dev, &with_weights, false, NULL, &got), WEFT_ERR_UNSUPPORTED); // which are made of that image: refused, not wrong
    weft_arena_free(&l.arena);
    weft_arena_free(&with_weights.arena);
    weft_vk_close(dev);
    weft_context_destroy(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_larger_than_a_range_is_needed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
