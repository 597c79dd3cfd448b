// SPDX-License-Identifier: MIT
// A gradient under a cap on memory: values are computed again, the numbers stay what they were.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/build.h>
#include <weft/session.h>

enum { LAYERS = 32, CHANNELS = 4, SIDE = 32, COUNT = CHANNELS * SIDE * SIDE };

static weft_context *ctx;
static weft_model *gradient; // by the input and one weight of many layers

static float number(int i) { return (float) ((i * 7919 + 13) % 1009) / 504.5f - 1; }

static int set_up(void **state)
{
    (void) state;
    weft_builder *b;
    weft_model *m;
    float w[CHANNELS * CHANNELS * 9];
    for (int i = 0; i < CHANNELS * CHANNELS * 9; i++) w[i] = number(i) * 0.4f;
    if (weft_context_create(&(weft_context_params) { .threads = 2 }, &ctx) || weft_builder_create(ctx, &b)) return 1;
    weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, CHANNELS, SIDE, SIDE));
    for (int i = 0; i < LAYERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        const weft_value v = weft_build_weight(b, name, WEFT_F32, (weft_shape) WEFT_SHAPE(CHANNELS, CHANNELS, 3, 3), w);
        const weft_value y = weft_build(b, "tanh", WEFT_IN(weft_build(b, "conv2d", WEFT_IN(x, v), WEFT_NUM("pads", 1))), { 0 });
        x = i % 3 ? y : weft_build(b, "add", WEFT_IN(x, y), { 0 });
    }
    weft_build_output(b, "loss", weft_build(b, "sum_square", WEFT_IN(x), { 0 }));
    weft_build_output(b, "middle", x);
    const weft_model_grad_params p = { .loss = "loss", .wrt = (const char *const[]) { "x", "w2" }, .wrt_count = 2 };
    if (weft_builder_finish(&b, &m) || weft_model_grad(m, &p, &gradient)) return fprintf(stderr, "%s\n", weft_error_text()), 1;
    weft_model_destroy(&m);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    weft_model_destroy(&gradient);
    weft_context_destroy(&ctx);
    return 0;
}

typedef struct result {
    float loss, middle[COUNT], dx[COUNT], dw[CHANNELS * CHANNELS * 9];
    weft_session_facts facts;
} result;

static weft_result run(weft_device *device, size_t max_bytes, result *out)
{
    static float x[COUNT];
    weft_session *s;
    for (int i = 0; i < COUNT; i++) x[i] = number(3 * i);
    const weft_result r = weft_session_create(device, gradient, &(weft_session_params) { .max_bytes = max_bytes }, &s);
    if (r != WEFT_OK) return r;
    weft_session_measure(s, &out->facts);
    const weft_io in = { "x", x, sizeof x };
    const weft_io to[] = { { "loss", &out->loss, 4 }, { "middle", out->middle, sizeof out->middle }, { "d.x", out->dx, sizeof out->dx },
                           { "d.w2", out->dw, sizeof out->dw } };
    if (weft_session_run(s, &in, 1, to, 4) != WEFT_OK) fail_msg("%s", weft_error_text());
    weft_session_destroy(&s);
    return WEFT_OK;
}

static double apart(const float *a, const float *b, int count)
{
    double d = 0, n = 0;
    for (int i = 0; i < count; i++) d += ((double) a[i] - b[i]) * ((double) a[i] - b[i]), n += (double) b[i] * b[i];
    return n > 0 ? sqrt(d / n) : 1;
}

static size_t need_of(const weft_session_facts *f, bool weights) { return f->workspace_bytes + f->state_bytes + (weights ? f->weight_bytes : 0); }

static void check_device(const char *name, double tolerance)
{
    static result whole, part;
    weft_device *device;
    if (weft_device_open(ctx, &(weft_device_params) { .name = name }, &device) != WEFT_OK) skip();
    const bool vulkan = weft_device_get_info(device)->kind == WEFT_DEVICE_VULKAN;
    assert_int_equal(run(device, 0, &whole), WEFT_OK);
    assert_int_equal(whole.facts.recomputed, 0);
    assert_true(apart(whole.dx, whole.middle, COUNT) > 0); // there is something to compare
    int granted = 0;
    for (int percent = 90; percent >= 10; percent -= 10) {
        const size_t cap = need_of(&whole.facts, vulkan) * (size_t) percent / 100;
        const weft_result r = run(device, cap, &part);
        if (r != WEFT_OK) { // some cap is too tight, and is refused in words
            assert_int_equal(r, WEFT_ERR_VRAM);
            assert_non_null(strstr(weft_error_text(), "more than the"));
            continue;
        }
        assert_int_equal(granted, 90 - percent); // nothing tighter is granted after a refusal
        granted += 10;
        assert_true(part.facts.recomputed > 0);
        assert_true(need_of(&part.facts, vulkan) <= cap);
        assert_true(apart(&part.loss, &whole.loss, 1) <= tolerance);
        assert_true(apart(part.middle, whole.middle, COUNT) <= tolerance);
        assert_true(apart(part.dx, whole.dx, COUNT) <= tolerance);
        assert_true(apart(part.dw, whole.dw, CHANNELS * CHANNELS * 9) <= tolerance);
    }
    printf("%s: %zu KiB; granted down to %d %%\n", name, need_of(&whole.facts, vulkan) / 1024, 100 - granted);
    assert_true(granted >= 40);
    weft_device_destroy(&device);
}

static void the_reference_gives_the_same_bits(void **state) { (void) state; check_device("reference", 0); }
static void the_cpu_gives_the_same_bits(void **state) { (void) state; check_device("cpu", 0); }
static void vulkan_gives_the_same_bits(void **state) { (void) state; check_device("vulkan", 0); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_reference_gives_the_same_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_cpu_gives_the_same_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(vulkan_gives_the_same_bits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
