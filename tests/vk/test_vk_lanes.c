// SPDX-License-Identifier: MIT
// Kernels that broadcast within subgroups: run where the device can promise a size, with that size asked for and without, and nowhere else.
#include "vk/small_product.h"

// A product of whole numbers, wanted in subgroups; seen.kernel says in what it was made.
static void product(weft_vk_device *dev, seen *s)
{
    static float a[SIZE * SIZE], y[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++) a[i] = (float) (i % 7 - 3), y[i] = -1;
    assert_int_equal(multiply(dev, s, "matmul_subgroup", WEFT_EXACT, a, y), WEFT_OK);
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            float sum = 0;
            for (int k = 0; k < SIZE; k++) sum += a[i * SIZE + k] * a[k * SIZE + j];
            assert_true(y[i * SIZE + j] == sum);
        }
}

static void with(bool no_optional, bool asked)
{
    seen s = { 0 };
    weft_context *ctx;
    weft_vk_device *dev;
    bool promised = false;
    assert_int_equal(weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &s, .log_level = WEFT_LOG_WARN }, &ctx), WEFT_OK);
    const weft_result opened = weft_vk_open(ctx, &(weft_device_params) { .name = "auto", .no_optional = no_optional, .validate = 1 }, &dev);
    if (opened == WEFT_OK) {
        const uint32_t *sizes = dev->caps.subgroup_sizes;
        promised = sizes[0] >= 4 && sizes[0] <= 32;
        assert_true(sizes[0] <= sizes[1]);
        if (no_optional) assert_true(!sizes[0] && !dev->subgroup_control && !dev->full_subgroups);
        if (!asked && dev->caps.is_software) dev->subgroup_control = dev->full_subgroups = false; // all of theirs have one size
        product(dev, &s);
        assert_true(*s.kernel);
        if (no_optional || promised) assert_int_equal(!strcmp(s.kernel, "matmul_subgroup"), promised);
        weft_vk_close(dev);
    }
    weft_context_destroy(&ctx);
    assert_int_equal(s.warnings, 0);
    if (opened != WEFT_OK) puts("skip: no device"), skip();
}

static void asked(void **state) { (void) state; with(false, true); }
static void not_asked(void **state) { (void) state; with(false, false); }
static void without_options(void **state) { (void) state; with(true, false); }

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(asked), cmocka_unit_test(not_asked), cmocka_unit_test(without_options) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
