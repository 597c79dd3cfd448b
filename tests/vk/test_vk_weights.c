// SPDX-License-Identifier: MIT
// Weights lie on a device once, however many sessions use them, and no longer than one of them lives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/context.h"
#include "base/half.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <weft/build.h>
#include <weft/session.h>

enum { CHANNELS = 24, SIDE = 8, COUNT = CHANNELS * SIDE * SIDE, KERNEL = CHANNELS * CHANNELS * 9 };

static weft_context *ctx;
static weft_device *device; // NULL: there is none
static _Atomic int allocations;

static int count_allocations(void *user, const char *call)
{
    (void) user;
    allocations += !strcmp(call, "vkAllocateMemory");
    return 0;
}

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(NULL, &ctx)) return 1;
    ctx->outside = count_allocations;
    const weft_result r = weft_device_open(ctx, &(weft_device_params) { .name = "vulkan" }, &device);
    if (r != WEFT_OK) printf("skip: %s\n", weft_error_text());
    return r != WEFT_OK && r != WEFT_ERR_NO_DEVICE;
}

static int tear_down(void **state)
{
    (void) state;
    weft_device_destroy(&device);
    weft_context_destroy(&ctx);
    return 0;
}

// Two convolutions and something that is folded; other numbers for another seed, kernels of f16 where `half`.
static weft_model *net(int seed, bool half)
{
    weft_builder *b;
    weft_model *m;
    static float w[KERNEL], bias[CHANNELS];
    static uint16_t h[KERNEL];
    for (int i = 0; i < KERNEL; i++) { // numbers that f16 holds, and their halves
        w[i] = (float) ((i * 7919 + seed * 13) % 1009 - 504) / 4096;
        h[i] = weft_float_to_half(w[i]);
    }
    for (int i = 0; i < CHANNELS; i++) bias[i] = (float) (i - seed) * 0.01f;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, CHANNELS, SIDE, SIDE));
    const weft_shape shape = WEFT_SHAPE(CHANNELS, CHANNELS, 3, 3);
    const weft_value k = weft_build_weight(b, "w", half ? WEFT_F16 : WEFT_F32, shape, half ? (void *) h : (void *) w);
    const weft_value c = weft_build_weight(b, "b", WEFT_F32, (weft_shape) WEFT_SHAPE(CHANNELS), bias);
    x = weft_build(b, "tanh", WEFT_IN(weft_build(b, "conv2d", WEFT_IN(x, k, c), WEFT_NUM("pads", 1))), { 0 });
    x = weft_build(b, "conv2d", WEFT_IN(x, weft_build(b, "mul", WEFT_IN(k, weft_build_scalar(b, 0.5)), { 0 })), WEFT_NUM("pads", 1));
    weft_build_output(b, "y", x);
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_OK);
    return m;
}

static weft_session *session(const weft_model *m, weft_precision precision)
{
    weft_session *s = NULL;
    if (weft_session_create(device, m, &(weft_session_params) { .precision = precision }, &s)) fail_msg("%s", weft_error_text());
    return s;
}

static weft_session_facts facts_of(const weft_session *s)
{
    weft_session_facts f;
    weft_session_measure(s, &f);
    return f;
}

static void run(weft_session *s, float y[COUNT])
{
    float x[COUNT];
    for (int i = 0; i < COUNT; i++) x[i] = (float) (i % 17) / 8.5f - 1;
    const weft_io in = { "x", x, sizeof x }, out = { "y", y, sizeof x };
    memset(y, 0xcd, sizeof x);
    if (weft_session_run(s, &in, 1, &out, 1)) fail_msg("%s", weft_error_text());
}

static void two_sessions_of_a_model_use_its_weights_once(void **state)
{
    float first[COUNT], second[COUNT];
    (void) state;
    if (!device) skip();
    weft_model *m = net(1, false);
    allocations = 0;
    weft_session *a = session(m, WEFT_EXACT);
    const int alone = allocations;
    weft_session *b = session(m, WEFT_EXACT);
    assert_int_equal(allocations, 2 * alone - 2); // neither their block nor what it is filled from
    const weft_session_facts fa = facts_of(a), fb = facts_of(b);
    assert_true(fa.weight_bytes >= 2 * KERNEL * sizeof(float)); // the kernel, and half of it
    assert_int_equal(fa.weight_shared_bytes, 0);
    assert_int_equal(fb.weight_bytes, fa.weight_bytes);
    assert_int_equal(fb.weight_shared_bytes, fb.weight_bytes);
    assert_true(fa.create_ms > 0 && fa.create_ms >= fa.pipelines_ms && fa.pipelines_new > 0);
    assert_int_equal(fb.pipelines_new, 0);
    weft_model_destroy(&m);
    run(a, first);
    run(b, second);
    assert_memory_equal(first, second, sizeof first);
    weft_session_destroy(&a); // what the other still needs stays
    run(b, second);
    assert_memory_equal(first, second, sizeof first);
    weft_session_destroy(&b);
}

static void weights_go_with_the_last_session(void **state)
{
    (void) state;
    if (!device) skip();
    weft_model *m = net(2, false);
    for (int i = 0; i < 3; i++) {
        weft_session *s = session(m, WEFT_EXACT);
        assert_int_equal(facts_of(s).weight_shared_bytes, 0);
        weft_session_destroy(&s);
    }
    weft_model_destroy(&m);
}

static void the_same_numbers_are_shared_whichever_model_they_come_from(void **state)
{
    float first[COUNT], second[COUNT], other[COUNT];
    (void) state;
    if (!device) skip();
    weft_model *m = net(3, false), *same = net(3, false), *differs = net(4, false);
    weft_session *a = session(m, WEFT_EXACT), *b = session(same, WEFT_EXACT), *c = session(differs, WEFT_EXACT);
    assert_int_equal(facts_of(b).weight_shared_bytes, facts_of(a).weight_bytes);
    assert_int_equal(facts_of(c).weight_shared_bytes, 0);
    run(a, first), run(b, second), run(c, other);
    assert_memory_equal(first, second, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    weft_session_destroy(&a), weft_session_destroy(&b), weft_session_destroy(&c);
    weft_model_destroy(&m), weft_model_destroy(&same), weft_model_destroy(&differs);
}

static void weights_of_a_file_in_f16_stay_so_and_exact_and_fast_sessions_share_them(void **state)
{
    float wide[COUNT], exact[COUNT], fast[COUNT];
    double apart = 0, size = 0;
    (void) state;
    if (!device) skip();
    weft_model *m = net(5, true), *same = net(5, false); // the kernel, and half of it, which f16 holds too
    weft_session *a = session(m, WEFT_EXACT), *b = session(m, WEFT_FAST), *c = session(same, WEFT_EXACT);
    assert_true(facts_of(c).weight_bytes >= 2 * KERNEL * sizeof(float));
    assert_true(facts_of(a).weight_bytes <= facts_of(c).weight_bytes / 2 + 1024);
    assert_true(facts_of(b).weight_shared_bytes >= 2 * KERNEL * sizeof(uint16_t));
    assert_int_equal(facts_of(c).weight_shared_bytes > 1024, false); // at most the bias
    run(a, exact), run(b, fast), run(c, wide);
    assert_memory_equal(exact, wide, sizeof exact);
    for (int i = 0; i < COUNT; i++) apart += (double) (exact[i] - fast[i]) * (exact[i] - fast[i]), size += (double) exact[i] * exact[i];
    assert_true(apart <= 1e-5 * size);
    weft_session_destroy(&a), weft_session_destroy(&b), weft_session_destroy(&c);
    weft_model_destroy(&m), weft_model_destroy(&same);
}

// A product, a recurrent layer, a table and a transposed convolution whose weights are all of the type.
static weft_model *others(bool half)
{
    weft_builder *b;
    weft_model *m;
    static float w[KERNEL];
    static uint16_t h[KERNEL];
    for (int i = 0; i < KERNEL; i++) w[i] = (float) (i * 7919 % 1009 - 504) / 4096, h[i] = weft_float_to_half(w[i]);
    const weft_dtype dtype = half ? WEFT_F16 : WEFT_F32;
    const void *data = half ? (void *) h : (void *) w;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value ids = weft_build_input(b, "ids", WEFT_I32, (weft_shape) WEFT_SHAPE(5));
    weft_value x = weft_build(b, "embedding", WEFT_IN(weft_build_weight(b, "table", dtype, (weft_shape) WEFT_SHAPE(96, 32), data), ids), { 0 });
    x = weft_build(b, "linear", WEFT_IN(x, weft_build_weight(b, "linear", dtype, (weft_shape) WEFT_SHAPE(48, 32), data)), { 0 });
    x = weft_build(b, "matmul", WEFT_IN(weft_build_weight(b, "a", dtype, (weft_shape) WEFT_SHAPE(3, 5), data), x), { 0 });
    x = weft_build(b, "reshape", WEFT_IN(x), WEFT_NUM("shape", 1, 3, 48));
    x = weft_build(b, "lstm", WEFT_IN(x, weft_build_weight(b, "ih", dtype, (weft_shape) WEFT_SHAPE(1, 64, 48), data),
                                      weft_build_weight(b, "hh", dtype, (weft_shape) WEFT_SHAPE(1, 64, 16), data)), { 0 });
    x = weft_build(b, "reshape", WEFT_IN(x), WEFT_NUM("shape", 1, 48, 1, 1));
    x = weft_build(b, "conv_transpose2d", WEFT_IN(x, weft_build_weight(b, "up", dtype, (weft_shape) WEFT_SHAPE(48, 9, 3, 3), data)), { 0 });
    weft_build_output(b, "y", x);
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_OK);
    return m;
}

static void all_rows_with_large_weights_take_them_in_f16(void **state)
{
    enum { SLOTS = 6 * 256 }; // what alignment may add
    const int32_t ids[5] = { 0, 95, 17, 3, 64 };
    float y[2][81];
    size_t bytes[2];
    (void) state;
    if (!device) skip();
    for (int half = 0; half < 2; half++) {
        weft_model *m = others(half);
        weft_session *s = session(m, WEFT_EXACT);
        const weft_io in = { "ids", (void *) (uintptr_t) ids, sizeof ids }, out = { "y", y[half], sizeof y[half] };
        bytes[half] = facts_of(s).weight_bytes;
        memset(y[half], 0xcd, sizeof y[half]);
        if (weft_session_run(s, &in, 1, &out, 1)) fail_msg("%s", weft_error_text());
        weft_session_destroy(&s);
        weft_model_destroy(&m);
    }
    assert_true(bytes[1] <= bytes[0] / 2 + SLOTS);
    assert_memory_equal(y[0], y[1], sizeof y[0]);
}

typedef struct worker { const weft_model *m; weft_result result; float y[COUNT]; size_t weight_bytes, shared_bytes; } worker;

static void *work(void *user)
{
    worker *w = user;
    float x[COUNT];
    weft_session *s = NULL;
    weft_session_facts f = { 0 };
    for (int i = 0; i < COUNT; i++) x[i] = (float) (i % 17) / 8.5f - 1;
    const weft_io in = { "x", x, sizeof x }, out = { "y", w->y, sizeof x };
    for (int i = 0; i < 4 && w->result == WEFT_OK; i++) {
        w->result = weft_session_create(device, w->m, NULL, &s);
        if (w->result == WEFT_OK) weft_session_measure(s, &f);
        if (w->result == WEFT_OK) w->result = weft_session_run(s, &in, 1, &out, 1);
        weft_session_destroy(&s);
    }
    w->weight_bytes = f.weight_bytes, w->shared_bytes = f.weight_shared_bytes;
    return NULL;
}

static void threads_may_come_and_go(void **state)
{
    static worker workers[4];
    pthread_t threads[4];
    float want[COUNT];
    (void) state;
    if (!device) skip();
    weft_model *m = net(6, false);
    weft_session *s = session(m, WEFT_EXACT);
    run(s, want);
    for (int i = 0; i < 4; i++) {
        workers[i].m = m;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
        if (i == 1) weft_session_destroy(&s);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(workers[i].result, WEFT_OK);
        assert_memory_equal(workers[i].y, want, sizeof want);
        assert_true(workers[i].shared_bytes == 0 || workers[i].shared_bytes == workers[i].weight_bytes); // whole or not at all
    }
    weft_model_destroy(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sessions_of_a_model_use_its_weights_once),
        cmocka_unit_test(weights_go_with_the_last_session),
        cmocka_unit_test(the_same_numbers_are_shared_whichever_model_they_come_from),
        cmocka_unit_test(weights_of_a_file_in_f16_stay_so_and_exact_and_fast_sessions_share_them),
        cmocka_unit_test(all_rows_with_large_weights_take_them_in_f16),
        cmocka_unit_test(threads_may_come_and_go),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
