// SPDX-License-Identifier: MIT
// <weft/measure.h>: every case of every operator is a model that runs, wrong questions get sentences.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <weft/build.h>
#include <weft/measure.h>

static weft_context *ctx;

static int set_up(void **state) { return (void) state, weft_context_create(NULL, &ctx); }
static int tear_down(void **state) { return (void) state, weft_context_destroy(&ctx), 0; }

static size_t bytes_of(weft_shape s)
{
    size_t bytes = 4;
    for (int d = 0; d < s.rank; d++) bytes *= (size_t) s.dim[d];
    return bytes;
}

static void run_case(weft_device *dev, const char *op, int index)
{
    weft_model *m;
    weft_session *s;
    const weft_port *ports;
    weft_io in[16];
    assert_int_equal(weft_op_case_model(ctx, op, index, &m), WEFT_OK);
    assert_int_equal(weft_model_entry_count(m), 1);
    const int count = weft_model_inputs(m, 0, &ports);
    for (int i = 0; i < count; i++) {
        const size_t bytes = bytes_of(ports[i].shape);
        in[i] = (weft_io) { NULL, malloc(bytes + 1), bytes };
        assert_int_equal(weft_op_case_fill(op, index, ports[i].name, 7, in[i].data, bytes / 4), WEFT_OK);
        if (ports[i].dtype == WEFT_F32)
            for (size_t k = 0; k < bytes / 4; k++) assert_true(((float *) in[i].data)[k] == ((float *) in[i].data)[k]);
    }
    assert_int_equal(weft_session_create(dev, m, NULL, &s), WEFT_OK);
    if (weft_session_run(s, in, count, NULL, 0) != WEFT_OK) fail_msg("%s case %d: %s", op, index, weft_error_text());
    for (int i = 0; i < count; i++) free(in[i].data);
    weft_session_destroy(&s);
    weft_model_destroy(&m);
}

static void every_case_runs(void **state)
{
    (void) state;
    weft_device *dev;
    int cases = 0;
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "cpu" }, &dev), WEFT_OK);
    for (int i = 0; weft_op_name(i); i++)
        for (int k = 0; k < weft_op_case_count(weft_op_name(i)); k++, cases++) run_case(dev, weft_op_name(i), k);
    assert_true(cases > 700);
    weft_device_destroy(&dev);
}

static void weights_are_constants(void **state)
{
    (void) state;
    weft_model *m;
    const weft_port *ports;
    assert_int_equal(weft_op_case_model(ctx, "conv2d", 1, &m), WEFT_OK);
    assert_int_equal(weft_model_inputs(m, 0, &ports), 1); // x; its weights and bias are none
    assert_string_equal(ports[0].name, "x0");
    weft_model_destroy(&m);
    assert_int_equal(weft_op_case_model(ctx, "add", 0, &m), WEFT_OK);
    assert_int_equal(weft_model_inputs(m, 0, &ports), 2);
    weft_model_destroy(&m);
}

static void wrong_questions(void **state)
{
    (void) state;
    weft_model *m = NULL;
    float x[4];
    assert_int_equal(weft_op_case_count("no such operator"), 0);
    assert_int_equal(weft_op_case_count(NULL), 0);
    assert_int_equal(weft_op_case_model(ctx, "no such operator", 0, &m), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_op_case_model(ctx, "add", 10000, &m), WEFT_ERR_ARGUMENT);
    assert_non_null(strstr(weft_error_text(), "add has no case 10000"));
    assert_int_equal(weft_op_case_model(ctx, "add", -1, &m), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_op_case_fill("add", 0, "x9", 0, x, 4), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_op_case_fill("add", 0, "y", 0, x, 4), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_peaks_create(NULL, NULL), WEFT_ERR_ARGUMENT);
    assert_null(m);
    weft_peaks_destroy(NULL);
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void) state;
    float a[64], b[64], c[64];
    assert_int_equal(weft_op_case_fill("add", 0, "x0", 1, a, 64), WEFT_OK);
    assert_int_equal(weft_op_case_fill("add", 0, "x0", 1, b, 64), WEFT_OK);
    assert_int_equal(weft_op_case_fill("add", 0, "x0", 2, c, 64), WEFT_OK);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
}

static void what_ran_is_told(void **state)
{
    (void) state;
    assert_true(weft_kernels_id() != 0);
    assert_true(!strncmp(weft_cpu_library(), "oneDNN ", 7) || !strcmp(weft_cpu_library(), "none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_runs),
        cmocka_unit_test(weights_are_constants),
        cmocka_unit_test(wrong_questions),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(what_ran_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
