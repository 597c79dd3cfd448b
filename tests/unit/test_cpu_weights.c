// SPDX-License-Identifier: MIT
// What the cpu device makes of weights - widened from f16, packed for a library - is made once for all sessions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/half.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/build.h>
#include <weft/session.h>

enum { CHANNELS = 32, SIDE = 9, COUNT = CHANNELS * SIDE * SIDE, KERNEL = CHANNELS * CHANNELS * 9 };

static weft_context *ctx;
static size_t alive; // bytes of the context

static void *count(void *user, void *old, size_t old_bytes, size_t bytes)
{
    (void) user;
    alive += bytes - old_bytes;
    if (bytes) return realloc(old, bytes);
    free(old);
    return NULL;
}

static int set_up(void **state)
{
    (void) state;
    return weft_context_create(&(weft_context_params) { .allocator = { count, NULL }, .threads = 1 }, &ctx);
}

static int tear_down(void **state)
{
    (void) state;
    weft_context_destroy(&ctx);
    return alive != 0;
}

// A convolution with f32 weights, one with f16 ones.
static weft_model *net(int seed)
{
    weft_builder *b;
    weft_model *m;
    static float w[KERNEL];
    static uint16_t h[KERNEL];
    for (int i = 0; i < KERNEL; i++) w[i] = (float) ((i * 7919 + seed * 13) % 1009) / 5045.0f - 0.1f, h[i] = weft_float_to_half(w[KERNEL - 1 - i]);
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_shape shape = WEFT_SHAPE(CHANNELS, CHANNELS, 3, 3);
    weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, CHANNELS, SIDE, SIDE));
    x = weft_build(b, "conv2d", WEFT_IN(x, weft_build_weight(b, "w", WEFT_F32, shape, w)), WEFT_NUM("pads", 1));
    x = weft_build(b, "conv2d", WEFT_IN(x, weft_build_weight(b, "h", WEFT_F16, shape, h)), WEFT_NUM("pads", 1));
    weft_build_output(b, "y", x);
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_OK);
    return m;
}

static weft_session *session(weft_device *d, const weft_model *m, weft_session_facts *f)
{
    weft_session *s = NULL;
    if (weft_session_create(d, m, NULL, &s)) fail_msg("%s", weft_error_text());
    weft_session_measure(s, f);
    return s;
}

static void run(weft_session *s, float y[COUNT])
{
    static float x[COUNT];
    for (int i = 0; i < COUNT; i++) x[i] = (float) (i % 17) / 8.5f - 1;
    const weft_io in = { "x", x, sizeof x }, out = { "y", y, sizeof x };
    memset(y, 0xcd, sizeof x);
    if (weft_session_run(s, &in, 1, &out, 1)) fail_msg("%s", weft_error_text());
}

static void sessions_share_what_is_made_of_weights(const char *name)
{
    static float first[COUNT], second[COUNT];
    weft_device *d;
    weft_session_facts fa, fb, fc;
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = name }, &d), WEFT_OK);
    weft_model *m = net(1), *other = net(2);
    const size_t before = alive;
    weft_session *a = session(d, m, &fa);
    const size_t one = alive;
    weft_session *b = session(d, m, &fb);
    const size_t two = alive;
    weft_session *c = session(d, other, &fc);
    assert_int_equal(fa.weight_shared_bytes, 0);
    assert_int_equal(fc.weight_shared_bytes, 0);
    assert_int_equal(fb.weight_bytes, fa.weight_bytes);
    assert_int_equal(fb.weight_shared_bytes, fa.weight_bytes - KERNEL * 6); // all but what the model has itself
    assert_true(fb.weight_shared_bytes >= KERNEL * 4);
    assert_true(two - one <= one - before - fb.weight_shared_bytes);
    // Packed once each, nothing widened is left beside - unless a library packs into more than it was, where this cannot be told.
    assert_true(fb.weight_shared_bytes != KERNEL * 4 * 3);
    run(a, first);
    run(b, second);
    assert_memory_equal(first, second, sizeof first);
    weft_session_destroy(&a);
    weft_model_destroy(&m);
    run(b, second);
    assert_memory_equal(first, second, sizeof first);
    run(c, second);
    assert_memory_not_equal(first, second, sizeof first);
    weft_session_destroy(&b);
    weft_session_destroy(&c);
    weft_model_destroy(&other);
    weft_device_destroy(&d);
}

static void on_the_cpu(void **state) { (void) state, sessions_share_what_is_made_of_weights("cpu"); }
static void on_the_reference(void **state) { (void) state, sessions_share_what_is_made_of_weights("reference"); }

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(on_the_cpu), cmocka_unit_test(on_the_reference) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
