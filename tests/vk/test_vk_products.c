// SPDX-License-Identifier: MIT
// Products of a few rows with what stands around them, forward and back, on the processor and on a device.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/half.h"
#include "base/random.h"
#include "cpu/run.h"
#include "graph/grad.h"
#include "graph/lower.h"
#include "ops/grad.h"
#include "vk/inside.h"
#include "vk/run.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LATENTS = 3, OUT = 1 << 14, OUTPUTS = 2 };

typedef struct scene {
    weft_context *ctx;
    weft_arena arena;
    weft_graph g;
    weft_random random;
    bool half; // the matrices of styles
} scene;

static weft_value constant(scene *s, weft_shape shape)
{
    const int64_t count = weft_shape_count(shape);
    float *f = weft_arena_new(&s->arena, (size_t) count * 4);
    for (int64_t i = 0; i < count; i++) f[i] = (float) weft_random_uniform(&s->random, -1, 1);
    if (!s->half || shape.rank != 2) return weft_graph_numbers(&s->g, shape, f);
    uint16_t *h = weft_arena_new(&s->arena, (size_t) count * 2);
    weft_weight *w = weft_arena_new(&s->arena, sizeof *w);
    for (int64_t i = 0; i < count; i++) h[i] = weft_float_to_half(f[i]);
    *w = (weft_weight) { "w", WEFT_F16, shape, h, (size_t) count * 2 };
    return weft_graph_constant(&s->g, w);
}

// Like the styles of a generator: every layer has one from a latent of its own, and most a demodulation from that; all meet in a loss.
static weft_value layers(scene *s, weft_value ws, int64_t n, int64_t latent)
{
    static const int widths[] = { 24, 24, 10, 130, 7 };
    weft_graph *g = &s->g;
    weft_value loss = -1;
    for (int i = 0; i < 5; i++) {
        const int64_t width = widths[i];
        const weft_value w = weft_grad_reshape(g, weft_grad_slice(g, ws, 1, i % LATENTS, i % LATENTS + 1), (weft_shape) WEFT_SHAPE(n, latent));
        const weft_value style = weft_graph_call(g, "linear", WEFT_V(w, constant(s, (weft_shape) WEFT_SHAPE(width, latent)), constant(s, (weft_shape) WEFT_SHAPE(width))), NULL);
        weft_value last = style;
        if (i % 2 == 0) {
            const weft_value sum = weft_graph_call(g, "linear", WEFT_V(weft_grad_unary(g, "square", style), weft_grad_unary(g, "square", constant(s, (weft_shape) WEFT_SHAPE(width, width)))), NULL);
            last = weft_grad_mul(g, style, weft_grad_unary(g, "rsqrt", weft_grad_shift(g, sum, 0.125)));
        } else last = weft_grad_scale(g, weft_grad_shift(g, style, 0.5), 0.25);
        const weft_value all = weft_grad_reshape(g, weft_grad_reduce(g, "sum", weft_grad_mul(g, last, last), 3), (weft_shape) WEFT_SHAPE(1));
        loss = loss < 0 ? all : weft_grad_add(g, loss, all);
    }
    return loss;
}

// A chain: each waits for the one before.
static weft_value chain(scene *s, weft_value ws, int64_t n, int64_t latent)
{
    weft_graph *g = &s->g;
    weft_value x = weft_grad_reshape(g, weft_grad_slice(g, ws, 1, 0, 1), (weft_shape) WEFT_SHAPE(n, latent));
    for (int i = 0; i < 3; i++) {
        const weft_value y = weft_graph_call(g, "linear", WEFT_V(x, constant(s, (weft_shape) WEFT_SHAPE(latent, latent)), constant(s, (weft_shape) WEFT_SHAPE(latent))), NULL);
        x = weft_graph_call(g, "leaky_relu", WEFT_V(i == 1 ? weft_grad_add(g, y, x) : weft_grad_scale(g, y, 0.5)), (const float[]) { 0.2f, 0 });
    }
    return weft_grad_reshape(g, weft_grad_reduce(g, "sum", weft_grad_mul(g, x, x), 3), (weft_shape) WEFT_SHAPE(1));
}

static int count(const weft_graph *graph, const char *op)
{
    int found = 0;
    for (int i = 0; i < graph->node_count; i++) found += !strcmp(graph->nodes[i].op->name, op);
    return found;
}

static void on_cpu(scene *s, const weft_graph *g, bool fast, const float *x, void *const out[OUTPUTS])
{
    weft_cpu_run *r;
    if (weft_cpu_run_create(s->ctx, g, &(weft_session_params) { 0 }, fast, &r) != WEFT_OK) fail_msg("%s", weft_error_text());
    assert_int_equal(weft_cpu_run_go(r, (const void *const[]) { x }, out), WEFT_OK);
    weft_cpu_run_destroy(r);
}

enum { AS_IT_IS = 0, FAST = 1, LIKE_A_GPU = 2 }; // a software driver gets other ways than a GPU, but can run the GPU's

static void on_device(scene *s, const weft_graph *g, int how, const float *x, void *const out[OUTPUTS])
{
    weft_vk_device *dev;
    weft_vk_run *r;
    if (weft_vk_open(s->ctx, &(weft_device_params) { .name = "auto", .validate = 1 }, &dev) != WEFT_OK) {
        puts("skip: no device");
        on_cpu(s, g, true, x, out);
        return;
    }
    if (how & LIKE_A_GPU) dev->caps.is_software = false;
    if (weft_vk_run_create(dev, g, &(weft_session_params) { .precision = how & FAST ? WEFT_FAST : WEFT_EXACT }, &r) != WEFT_OK) fail_msg("%s", weft_error_text());
    assert_int_equal(weft_vk_run_go(r, (const void *const[]) { x }, out), WEFT_OK);
    weft_vk_run_destroy(r);
    weft_vk_close(dev);
}

static void compare(const char *what, float want[OUTPUTS][OUT], float got[OUTPUTS][OUT], int64_t gradients, double allowed)
{
    const int64_t counts[OUTPUTS] = { 1, gradients };
    for (int k = 0; k < OUTPUTS; k++) {
        double off = 0, size = 0;
        for (int64_t i = 0; i < counts[k]; i++) off += pow((double) got[k][i] - want[k][i], 2), size += pow(want[k][i], 2);
        if (!(off <= allowed * allowed * size)) fail_msg("%s: output %d is off by %g", what, k, sqrt(off / size));
    }
}

static int warnings;
static void log_line(void *user, weft_log_level level, const char *line)
{
    (void) user, (void) line;
    warnings += level <= WEFT_LOG_WARN;
}

// likewise: also in the ways of a GPU, which take a software driver long to compile.
static void check(weft_value (*net)(scene *s, weft_value ws, int64_t n, int64_t latent), int64_t n, int64_t latent, bool half, int products, bool likewise)
{
    static float want[OUTPUTS][OUT], got[OUTPUTS][OUT], x[OUT];
    void *const out[OUTPUTS] = { got[0], got[1] };
    scene s = { .random = { 5 }, .half = half };
    weft_graph whole, lowered;
    warnings = 0;
    assert_int_equal(weft_context_create(&(weft_context_params) { .log = log_line, .log_level = WEFT_LOG_WARN }, &s.ctx), WEFT_OK);
    s.arena.ctx = s.ctx;
    weft_graph_init(&s.g, &s.arena), weft_graph_init(&whole, &s.arena), weft_graph_init(&lowered, &s.arena);
    s.g.bound = true;
    const weft_value ws = weft_graph_input(&s.g, "ws", WEFT_F32, (weft_shape) WEFT_SHAPE(n, LATENTS, latent));
    for (int64_t i = 0; i < n * LATENTS * latent; i++) x[i] = (float) weft_random_uniform(&s.random, -1, 1);
    weft_graph_output(&s.g, "loss", net(&s, ws, n, latent));
    assert_int_equal(weft_graph_status(&s.g), WEFT_OK);
    assert_int_equal(weft_pass_grad(&s.g, &(weft_grad_request) { .loss = 0, .wrt = &ws, .wrt_count = 1 }, &whole), WEFT_OK);
    assert_int_equal(weft_lower(&whole, s.ctx->pool, true, &lowered), WEFT_OK);
    assert_int_equal(count(&lowered, "products"), products);
    if (net == layers) assert_int_equal(count(&lowered, "concat"), n > 1 || latent % 128); // what latents receive lies side by side
    assert_int_equal(count(&lowered, "linear") + count(&lowered, "rsqrt") + count(&lowered, "square"), 0);
    assert_in_range(count(&lowered, "matmul"), 0, 1); // one alone, with nothing around it, stays what it is

    on_cpu(&s, &whole, false, x, (void *[]) { want[0], want[1] }); // node by node
    on_cpu(&s, &lowered, false, x, out);                           // the row's truth
    compare("truth", want, got, n * LATENTS * latent, 1e-5);
    on_cpu(&s, &whole, true, x, out);
    compare("cpu", want, got, n * LATENTS * latent, 1e-5);
    on_device(&s, &whole, AS_IT_IS, x, out);
    compare("device", want, got, n * LATENTS * latent, 1e-5);
    on_device(&s, &whole, FAST, x, out);
    compare("device, fast", want, got, n * LATENTS * latent, 2e-2);
    if (likewise) {
        on_device(&s, &whole, LIKE_A_GPU, x, out);
        compare("device, like a GPU", want, got, n * LATENTS * latent, 1e-5);
    }
    assert_int_equal(warnings, 0);
    weft_arena_free(&s.arena);
    weft_context_destroy(&s.ctx);
}

static void layers_of_one_latent(void **state) { (void) state; check(layers, 1, 128, false, 5, false); }
static void layers_of_odd_sizes(void **state) { (void) state; check(layers, 1, 37, false, 5, true); }
static void layers_of_three(void **state) { (void) state; check(layers, 3, 64, false, 5, true); }
static void matrices_in_halves(void **state) { (void) state; check(layers, 2, 64, true, 5, false); }
static void a_chain(void **state) { (void) state; check(chain, 2, 33, false, 6, false); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_of_one_latent), cmocka_unit_test(layers_of_odd_sizes), cmocka_unit_test(layers_of_three), cmocka_unit_test(matrices_in_halves),
        cmocka_unit_test(a_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
