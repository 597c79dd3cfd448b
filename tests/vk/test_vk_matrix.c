// SPDX-License-Identifier: MIT
// Matrix units: tried before they are relied on, and left alone where they are wrong.
#include "vk/small_product.h"

// A product in f16, wanted on the matrix units; every element of y is `SIZE`. Gives what the session said.
static weft_result product(weft_vk_device *dev, seen *s)
{
    static float a[SIZE * SIZE], y[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++) a[i] = 1, y[i] = 0;
    const weft_result r = multiply(dev, s, "matmul_matrix", WEFT_FAST, a, y);
    for (int i = 0; r == WEFT_OK && i < SIZE * SIZE; i++) assert_true(y[i] == SIZE);
    return r;
}

static void with(bool spoiled)
{
    seen s = { 0 };
    weft_context *ctx;
    weft_vk_device *dev;
    assert_int_equal(weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &s, .log_level = WEFT_LOG_WARN }, &ctx), WEFT_OK);
    const weft_result opened = weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev);
    const bool matrices = opened == WEFT_OK && dev->caps.matrix[0];
    if (matrices) {
        dev->matrix_spoiled = spoiled;
        for (int turn = 0; turn < 2; turn++) {
            assert_int_equal(product(dev, &s), WEFT_OK);
            assert_int_equal(!strcmp(s.kernel, "matmul_matrix"), !spoiled);
            assert_int_equal(s.warnings, spoiled); // once per device
        }
    }
    if (opened == WEFT_OK) weft_vk_close(dev);
    weft_context_destroy(&ctx);
    if (!matrices) puts("skip: no device with matrix units"), skip();
}

static void right(void **state) { (void) state; with(false); }
static void wrong(void **state) { (void) state; with(true); }

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(right), cmocka_unit_test(wrong) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
