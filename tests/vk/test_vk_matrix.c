// SPDX-License-Identifier: MIT
// Matrix units: tried before they are relied on, and left alone where they are wrong.
#include "vk/small_product.h"
#include <math.h>

static const char *const names[] = { "matmul_matrix", "matmul_matrix2" };

static bool has(const weft_vk_device *dev, weft_vk_matrix_kind kind)
{
    return kind == WEFT_VK_MATRIX_WHOLE ? dev->caps.matrix_form[0].threads : dev->caps.matrix[0];
}

// A product in f16, wanted on the matrix units; every element of y is `SIZE`. Gives what the session said.
static weft_result product(weft_vk_device *dev, weft_vk_matrix_kind kind, seen *s)
{
    static float a[SIZE * SIZE], y[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++) a[i] = 1, y[i] = 0;
    const weft_result r = multiply(dev, s, names[kind], WEFT_FAST, a, y);
    for (int i = 0; r == WEFT_OK && i < SIZE * SIZE; i++) assert_true(y[i] == SIZE);
    return r;
}

static void with(weft_vk_matrix_kind kind, bool spoiled)
{
    seen s = { 0 };
    weft_context *ctx;
    weft_vk_device *dev;
    assert_int_equal(weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &s, .log_level = WEFT_LOG_WARN }, &ctx), WEFT_OK);
    const weft_result opened = weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev);
    const bool matrices = opened == WEFT_OK && has(dev, kind);
    if (matrices) {
        dev->matrix_spoiled[kind] = spoiled;
        for (int turn = 0; turn < 2; turn++) {
            assert_int_equal(product(dev, kind, &s), WEFT_OK);
            assert_int_equal(!strcmp(s.kernel, names[kind]), !spoiled);
            assert_int_equal(s.warnings, spoiled); // once per device
        }
    }
    if (opened == WEFT_OK) weft_vk_close(dev);
    weft_context_destroy(&ctx);
    if (!matrices) printf("skip: no device with matrix units for %s\n", names[kind]), skip();
}

static void right(void **state) { (void) state; with(WEFT_VK_MATRIX_FIXED, false); }
static void wrong(void **state) { (void) state; with(WEFT_VK_MATRIX_FIXED, true); }
static void right_as_a_whole(void **state) { (void) state; with(WEFT_VK_MATRIX_WHOLE, false); }
static void wrong_as_a_whole(void **state) { (void) state; with(WEFT_VK_MATRIX_WHOLE, true); }

// Where the units themselves are wrong nothing is left of either kind; where large matrices are, the others stay (above: nothing is said of them).
static void one_spoils_both(void **state)
{
    (void) state;
    seen s = { 0 };
    weft_context *ctx;
    weft_vk_device *dev;
    assert_int_equal(weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &s, .log_level = WEFT_LOG_WARN }, &ctx), WEFT_OK);
    const weft_result opened = weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev);
    const bool both = opened == WEFT_OK && has(dev, WEFT_VK_MATRIX_WHOLE);
    if (both) {
        dev->matrix_spoiled[WEFT_VK_MATRIX_FIXED] = true;
        assert_int_equal(product(dev, WEFT_VK_MATRIX_WHOLE, &s), WEFT_OK);
        assert_null(strstr(s.kernel, "_matrix"));
        assert_int_equal(s.warnings, 1);
    }
    if (opened == WEFT_OK) weft_vk_close(dev);
    weft_context_destroy(&ctx);
    if (!both) puts("skip: no device with both kinds"), skip();
}

static int refusals; // of the next calls

static int refuse(void *user, const char *call)
{
    (void) user;
    return makes_kernel(call) && refusals-- > 0 ? VK_ERROR_UNKNOWN : 0;
}

// A driver that names matrices and cannot compile kernels with them is used without; if these are the large ones, with the others.
static void refused(weft_vk_matrix_kind kind)
{
    seen s = { 0 };
    weft_context *ctx;
    weft_vk_device *dev;
    assert_int_equal(weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &s, .log_level = WEFT_LOG_WARN }, &ctx), WEFT_OK);
    const weft_result opened = weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev);
    const bool there = opened == WEFT_OK && has(dev, kind);
    if (there) {
        ctx->outside = refuse, refusals = 1;
        for (int turn = 0; turn < 2; turn++) {
            assert_int_equal(product(dev, kind, &s), WEFT_OK);
            assert_null(strstr(s.kernel, names[kind]));
            assert_int_equal(s.warnings, 1);
        }
        assert_int_equal(product(dev, WEFT_VK_MATRIX_FIXED, &s), WEFT_OK);
        assert_int_equal(!strcmp(s.kernel, names[WEFT_VK_MATRIX_FIXED]), kind != WEFT_VK_MATRIX_FIXED);
    }
    if (opened == WEFT_OK) weft_vk_close(dev);
    weft_context_destroy(&ctx);
    if (!there) printf("skip: no device with matrix units for %s\n", names[kind]), skip();
}

static void a_refusal_costs_them(void **state) { (void) state; refused(WEFT_VK_MATRIX_FIXED); }
static void a_refusal_costs_the_large_ones_alone(void **state) { (void) state; refused(WEFT_VK_MATRIX_WHOLE); }

static void note_attention(void *user, const weft_node_time *t)
{
    if (!strcmp(t->op, "sdpa")) snprintf(((seen *) user)->kernel, sizeof ((seen *) user)->kernel, "%s", t->kernel);
}

// Of values that are all 1, wanted in the kernel that reduces rows.
static weft_result attention(weft_vk_device *dev, seen *s)
{
    weft_arena arena = { .ctx = dev->ctx };
    weft_graph g;
    weft_vk_run *run = NULL;
    static float ones[SIZE * SIZE], y[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++) ones[i] = 1, y[i] = 0;
    weft_graph_init(&g, &arena);
    g.bound = true;
    const weft_value v = weft_graph_input(&g, "v", WEFT_F32, (weft_shape) WEFT_SHAPE(SIZE, SIZE));
    weft_graph_output(&g, "y", weft_graph_call(&g, "sdpa", WEFT_V(v, v, v), NULL));
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    dev->caps.force = "sdpa_matrix2";
    weft_result r = weft_vk_run_create(dev, &g, &(weft_session_params) { .precision = WEFT_FAST, .timing = note_attention, .timing_user = s }, &run);
    if (r == WEFT_OK) r = weft_vk_run_go(run, (const void *const[]) { ones }, (void *const[]) { y });
    weft_vk_run_destroy(run);
    weft_arena_free(&arena);
    for (int i = 0; r == WEFT_OK && i < SIZE * SIZE; i++) assert_true(fabsf(y[i] - 1) < 1e-3f); // the weights' sum, each rounded
    return r;
}

static void with_rows(bool spoiled)
{
    seen s = { 0 };
    weft_context *ctx;
    weft_vk_device *dev;
    assert_int_equal(weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &s, .log_level = WEFT_LOG_WARN }, &ctx), WEFT_OK);
    const weft_result opened = weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev);
    const bool reduces = opened == WEFT_OK && dev->caps.matrix_reduces;
    if (reduces) {
        dev->matrix_spoiled[WEFT_VK_MATRIX_REDUCED] = spoiled;
        for (int turn = 0; turn < 2; turn++) assert_int_equal(attention(dev, &s), WEFT_OK);
        assert_int_equal(!strcmp(s.kernel, "sdpa_matrix2"), !spoiled);
        assert_int_equal(s.warnings, spoiled);
        assert_int_equal(product(dev, WEFT_VK_MATRIX_WHOLE, &s), WEFT_OK); // those are not blamed
        assert_string_equal(s.kernel, names[WEFT_VK_MATRIX_WHOLE]);
    }
    if (opened == WEFT_OK) weft_vk_close(dev);
    weft_context_destroy(&ctx);
    if (!reduces) puts("skip: no device with matrices whose rows are reduced"), skip();
}

static void right_by_rows(void **state) { (void) state; with_rows(false); }
static void wrong_by_rows(void **state) { (void) state; with_rows(true); }

static void without_optional_features(void **state)
{
    (void) state;
    weft_context *ctx;
    weft_vk_device *dev;
    assert_int_equal(weft_context_create(NULL, &ctx), WEFT_OK);
    const weft_result opened = weft_vk_open(ctx, &(weft_device_params) { .name = "auto", .no_optional = 1 }, &dev);
    if (opened == WEFT_OK) {
        assert_false(has(dev, WEFT_VK_MATRIX_FIXED) || has(dev, WEFT_VK_MATRIX_WHOLE) || dev->caps.matrix_reduces);
        assert_false(weft_vk_info(dev)->matrix_units || weft_vk_info(dev)->matrix_tiles);
        weft_vk_close(dev);
    }
    weft_context_destroy(&ctx);
    if (opened != WEFT_OK) puts("skip: no Vulkan device"), skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(right), cmocka_unit_test(wrong), cmocka_unit_test(right_as_a_whole), cmocka_unit_test(wrong_as_a_whole),
                                        cmocka_unit_test(one_spoils_both),
                                        cmocka_unit_test(a_refusal_costs_them), cmocka_unit_test(a_refusal_costs_the_large_ones_alone), cmocka_unit_test(right_by_rows),
                                        cmocka_unit_test(wrong_by_rows), cmocka_unit_test(without_optional_features) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
