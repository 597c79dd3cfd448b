// SPDX-License-Identifier: MIT
// A kernel that the driver does not compile: its node is made in another way, with a warning, while there is one; and an error that names the
// kernel where there is none. What a lack of memory or a lost device makes fail is not taken for that.
#include "vk/small_product.h"
#include <vulkan/vulkan_core.h>

typedef struct driver { int failures, error; seen seen; } driver; // the first calls for a kernel, and with what

static int outside(void *user, const char *call)
{
    driver *d = user;
    return makes_kernel(call) && d->failures > 0 ? d->failures--, d->error : 0;
}

static void log_outside(void *user, weft_log_level level, const char *line) { log_line(&((driver *) user)->seen, level, line); }

// What becomes of a product when so many pipelines fail so.
static int product(driver *d)
{
    static float a[SIZE * SIZE], y[SIZE * SIZE];
    weft_context *ctx;
    weft_vk_device *dev;
    assert_int_equal(weft_context_create(&(weft_context_params) { .log = log_outside, .log_user = d, .log_level = WEFT_LOG_WARN, .threads = 1 }, &ctx), WEFT_OK);
    const weft_result opened = weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev);
    weft_result r = opened;
    if (opened == WEFT_OK) {
        whole_numbers(a, y);
        ctx->outside = outside, ctx->outside_user = d;
        r = multiply(dev, &d->seen, NULL, WEFT_EXACT, a, y);
        ctx->outside = NULL;
        if (r == WEFT_OK) assert_square(a, y);
        weft_vk_close(dev);
    }
    weft_context_destroy(&ctx);
    if (opened != WEFT_OK) puts("skip: no device"), skip();
    return (int) r;
}

static void another_way(void **state)
{
    (void) state;
    driver none = { 0 }, one = { .failures = 1, .error = VK_ERROR_UNKNOWN }, two = { .failures = 2, .error = VK_ERROR_INITIALIZATION_FAILED };
    assert_int_equal(product(&none), WEFT_OK);
    assert_int_equal(none.seen.warnings, 0);
    assert_int_equal(product(&one), WEFT_OK);
    assert_int_equal(one.seen.warnings, 1);
    assert_int_equal(product(&two), WEFT_OK);
    assert_int_equal(two.seen.warnings, 2);
}

static void no_way(void **state)
{
    (void) state;
    driver all = { .failures = 1000000, .error = VK_ERROR_UNKNOWN };
    assert_int_equal(product(&all), WEFT_ERR_UNSUPPORTED);
    assert_non_null(strstr(weft_error_text(), "matmul"));
    assert_non_null(strstr(weft_error_text(), "does not compile"));
    assert_true(all.seen.warnings > 1 && all.seen.warnings <= WEFT_MAX_WAYS);
}

static void other_errors(void **state)
{
    (void) state;
    driver memory = { .failures = 1, .error = VK_ERROR_OUT_OF_HOST_MEMORY }, lost = { .failures = 1, .error = VK_ERROR_DEVICE_LOST };
    assert_int_equal(product(&memory), WEFT_ERR_MEMORY);
    assert_int_equal(memory.seen.warnings, 0);
    assert_int_equal(product(&lost), WEFT_ERR_DEVICE_LOST);
    assert_int_equal(lost.seen.warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(another_way), cmocka_unit_test(no_way), cmocka_unit_test(other_errors) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
