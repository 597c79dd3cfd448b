// SPDX-License-Identifier: MIT
// Entries called inside other graphs: what they compute, what they share, that the result is whole, what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/build.h>
#include <weft/session.h>

static weft_context *ctx;
static weft_device *device;

static const float w_data[6] = { 0.5f, -1, 0.25f, 2, 0.125f, -0.75f }, b_data[2] = { 0.1f, -0.2f }, x_data[6] = { 1, -0.5f, 0.25f, 0.75f, -1, 2 };

static weft_value op(weft_builder *b, const char *name, weft_value x, weft_value y)
{
    return weft_build_op(b, name, (weft_value[]) { x, y }, y >= 0 ? 2 : 1, NULL, 0);
}

// layer: x [n, 3] -> y = tanh(w x + bias) + 1, and x itself; n is a multiple of 2.
static weft_model *make_layer(const float *w)
{
    weft_builder *b;
    weft_model *m = NULL;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    weft_build_entry(b, "other");
    weft_build_output(b, "o", op(b, "neg", weft_build_weight(b, "unused", WEFT_F32, (weft_shape) WEFT_SHAPE(1), b_data), -1));
    weft_build_entry(b, "layer");
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(weft_build_dim(b, "n", 4, 2), 3));
    const weft_value weight = weft_build_weight(b, "w", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3), w);
    const weft_value bias = weft_build_weight(b, "bias", WEFT_F32, (weft_shape) WEFT_SHAPE(2), b_data);
    const weft_value sum = weft_build_op(b, "linear", (weft_value[]) { x, weight, bias }, 3, NULL, 0);
    weft_build_output(b, "y", op(b, "add", op(b, "tanh", sum, -1), weft_build_scalar(b, 1)));
    weft_build_output(b, "same", x);
    if (weft_builder_finish(&b, &m) != WEFT_OK) fail_msg("%s", weft_error_text());
    return m;
}

static double layer(const float *w, const float *x, int row, int i)
{
    double sum = b_data[i];
    for (int k = 0; k < 3; k++) sum += (double) x[row * 3 + k] * w[i * 3 + k];
    return tanh(sum) + 1;
}

static weft_model *finish(weft_builder **b)
{
    weft_model *m = NULL;
    if (weft_builder_finish(b, &m) != WEFT_OK) fail_msg("%s", weft_error_text());
    return m;
}

static void run(const weft_model *m, const weft_io *in, int in_count, weft_io *out, int out_count)
{
    weft_session *s;
    if (weft_session_create(device, m, NULL, &s) != WEFT_OK) fail_msg("%s", weft_error_text());
    if (weft_session_run(s, in, in_count, out, out_count) != WEFT_OK) fail_msg("%s", weft_error_text());
    weft_session_destroy(&s);
}

#define IO(name, array) { name, (void *) (uintptr_t) (array), sizeof(array) }

// x [2, 3] -> loss = sum(layer(x) * layer(2 x)), mean = half the output "same"
static weft_model *call_twice(const weft_model *called)
{
    weft_builder *b;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3));
    weft_value first[3], second[1];
    const int entry = weft_model_find_entry(called, "layer");
    assert_int_equal(entry, 1);
    const weft_port_arg in = { "x", x }, twice = { NULL, op(b, "add", x, x) };
    assert_int_equal(weft_build_call(b, &(weft_call) { called, entry, &in, 1, .prefix = "a" }, first, 3), 2);
    assert_int_equal(first[1], x);
    assert_int_equal(first[2], -1);
    assert_int_equal(weft_build_call(b, &(weft_call) { called, entry, &twice, 1 }, second, 1), 2);
    weft_build_output(b, "loss", weft_build_op(b, "sum", (weft_value[]) { op(b, "mul", first[0], second[0]) }, 1, NULL, 0));
    weft_build_output(b, "half", op(b, "mul", first[1], weft_build_scalar(b, 0.5)));
    return finish(&b);
}

static double loss_at(const float *w, const float *x)
{
    double sum = 0;
    float twice[6];
    for (int i = 0; i < 6; i++) twice[i] = 2 * x[i];
    for (int i = 0; i < 4; i++) sum += layer(w, x, i / 2, i % 2) * layer(w, twice, i / 2, i % 2);
    return sum;
}

static void expect_loss(const weft_model *m)
{
    float loss, half[6];
    const weft_io in = IO("x", x_data);
    run(m, &in, 1, (weft_io[]) { { "loss", &loss, 4 }, IO("half", half) }, 2);
    assert_true(fabs(loss - loss_at(w_data, x_data)) < 1e-5);
    for (int i = 0; i < 6; i++) assert_true(half[i] == x_data[i] / 2);
}

static void a_called_entry_outlives_its_model(void **state)
{
    (void) state;
    weft_model *called = make_layer(w_data), *m = call_twice(called);
    weft_model_destroy(&called);
    expect_loss(m);
    weft_model_destroy(&m);
}

static void count_line(void *user, const char *text) { ++*(int *) user, (void) text; }
static void look_for(void *user, const char *text)
{
    const char **find = user;
    if (*find && strstr(text, *find)) *find = NULL;
}

static void weights_are_shared_and_names_have_the_prefix(void **state)
{
    (void) state;
    weft_model *called = make_layer(w_data), *m = call_twice(called);
    weft_model_facts facts;
    int lines = 0;
    assert_int_equal(weft_model_measure(m, 0, NULL, 0, &facts), WEFT_OK);
    assert_int_equal(facts.parameters, 6 + 2 + 1 + 1); // w and bias once, the scalars 1 and 0.5; not the other entry's
    assert_int_equal(weft_model_print(m, 0, count_line, &lines), WEFT_OK);
    assert_int_equal(facts.node_count, 3 + 1 + 3 + 3);
    for (int i = 0; i < 2; i++) {
        const char *find = i ? "# a/tanh." : "# tanh.";
        weft_model_print(m, 0, look_for, &find);
        if (find) fail_msg("no node '%s'", find);
    }
    weft_model_destroy(&called);
    weft_model_destroy(&m);
}

static void temporary(char *path)
{
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static void it_is_saved_whole(void **state)
{
    (void) state;
    char path[] = "/tmp/weft-call-XXXXXX", other[] = "/tmp/weft-call-XXXXXX";
    weft_model *called = make_layer(w_data), *mapped = NULL, *loaded = NULL;
    temporary(path), temporary(other);
    assert_int_equal(weft_model_save(called, path), WEFT_OK);
    weft_model_destroy(&called);
    assert_int_equal(weft_model_load(ctx, path, &mapped), WEFT_OK);
    weft_model *m = call_twice(mapped);
    weft_model_destroy(&mapped);
    if (weft_model_save(m, other) != WEFT_OK || weft_model_load(ctx, other, &loaded) != WEFT_OK) fail_msg("%s", weft_error_text());
    weft_model_destroy(&m);
    expect_loss(loaded);
    weft_model_destroy(&loaded);
    remove(path), remove(other);
}

static void a_model_with_calls_can_be_called_and_differentiated(void **state)
{
    (void) state;
    weft_model *called = make_layer(w_data), *m = call_twice(called), *outer, *g = NULL;
    weft_builder *b;
    weft_model_destroy(&called);
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3));
    weft_value loss;
    weft_build_call(b, &(weft_call) { m, 0, &(weft_port_arg) { NULL, x }, 1, .prefix = "deep" }, &loss, 1);
    weft_build_output(b, "loss", loss);
    outer = finish(&b);
    weft_model_destroy(&m);
    const weft_model_grad_params p = { .loss = "loss", .wrt = (const char *[]) { "x", "deep/a/w" }, .wrt_count = 2 };
    if (weft_model_grad(outer, &p, &g) != WEFT_OK) fail_msg("%s", weft_error_text());
    weft_model_destroy(&outer);
    float value, dx[6], dw[6], moved[6];
    const weft_io in = IO("x", x_data);
    run(g, &in, 1, (weft_io[]) { { "loss", &value, 4 }, IO("d.x", dx), IO("d.deep/a/w", dw) }, 3);
    for (int i = 0; i < 12; i++) {
        const float *const from = i < 6 ? x_data : w_data;
        double differ[2];
        for (int side = 0; side < 2; side++) {
            memcpy(moved, from, sizeof moved);
            moved[i % 6] += side ? -0x1p-8f : 0x1p-8f;
            differ[side] = i < 6 ? loss_at(w_data, moved) : loss_at(moved, x_data);
        }
        assert_true(fabs((i < 6 ? dx[i] : dw[i - 6]) - (differ[0] - differ[1]) * 0x1p7) < 1e-3);
    }
    weft_model_destroy(&g);
}

static void weights_can_be_replaced_by_values(void **state)
{
    (void) state;
    const float other[6] = { 1, 2, -1, 0.5f, 0.25f, -2 };
    weft_model *called = make_layer(w_data);
    weft_builder *b;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3));
    const weft_value w = weft_build_input(b, "new", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3));
    weft_value y[2];
    const weft_port_arg in = { "x", x }, by = { "w", w };
    weft_build_call(b, &(weft_call) { called, 1, &in, 1, &by, 1 }, &y[0], 1);
    weft_build_call(b, &(weft_call) { called, 1, &in, 1 }, &y[1], 1);
    weft_build_output(b, "replaced", y[0]);
    weft_build_output(b, "constant", y[1]);
    weft_model *m = finish(&b);
    weft_model_destroy(&called);
    float got[2][4];
    const weft_io inputs[] = { IO("x", x_data), IO("new", other) };
    run(m, inputs, 2, (weft_io[]) { IO("replaced", got[0]), IO("constant", got[1]) }, 2);
    for (int i = 0; i < 8; i++) assert_true(fabs(got[i / 4][i % 4] - layer(i < 4 ? other : w_data, x_data, i % 4 / 2, i % 2)) < 1e-5);
    weft_model_destroy(&m);
}

static void named_dimensions_of_the_caller_reach_the_callee(void **state)
{
    (void) state;
    weft_model *called = make_layer(w_data);
    weft_builder *b;
    weft_session *s;
    weft_value y;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(weft_build_dim(b, "batch", 2, 1), 3));
    weft_build_call(b, &(weft_call) { called, 1, &(weft_port_arg) { NULL, x }, 1 }, &y, 1);
    weft_build_output(b, "y", y);
    weft_model *m = finish(&b);
    const weft_port_shape shape = { "x", { 2, { 1, 3 } } };
    const weft_port *ports;
    if (weft_session_create(device, m, &(weft_session_params) { .shapes = &shape, .shape_count = 1 }, &s) != WEFT_OK) fail_msg("%s", weft_error_text());
    assert_int_equal(weft_session_outputs(s, &ports), 1);
    assert_int_equal(ports[0].shape.dim[0], 1);
    weft_session_destroy(&s);
    weft_model_destroy(&m);
    weft_model_destroy(&called);
}

// counter: x [n] -> total [n], which begins at 10 20 and grows by x with every run; runs [n], one more every time
static weft_model *make_counter(void)
{
    weft_builder *b;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(weft_build_dim(b, "n", 2, 1)));
    const weft_value total = weft_build_state(b, "total", WEFT_F32, (weft_shape) WEFT_SHAPE(2), (const float[]) { 10, 20 });
    const weft_value runs = weft_build_state(b, "runs", WEFT_F32, (weft_shape) WEFT_SHAPE(weft_build_dim(b, "n", 2, 1)), NULL);
    const weft_value sum = op(b, "add", total, x);
    weft_build_next(b, total, sum);
    weft_build_next(b, runs, op(b, "add", runs, weft_build_scalar(b, 1)));
    weft_build_output(b, "sum", sum);
    return finish(&b);
}

static void states_of_each_call_are_its_own(void **state)
{
    (void) state;
    weft_model *called = make_counter();
    weft_builder *b;
    weft_value first, second;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(2));
    weft_build_call(b, &(weft_call) { called, 0, &(weft_port_arg) { NULL, x }, 1, .prefix = "a" }, &first, 1);
    weft_build_call(b, &(weft_call) { called, 0, &(weft_port_arg) { NULL, first }, 1, .prefix = "b" }, &second, 1);
    weft_build_output(b, "y", second);
    weft_model *m = finish(&b);
    weft_model_destroy(&called);
    weft_session *s;
    const weft_port *ports;
    const char *const names[] = { "a/total", "a/runs", "b/total", "b/runs" };
    float y[2], got[4][2];
    if (weft_session_create(device, m, NULL, &s) != WEFT_OK) fail_msg("%s", weft_error_text());
    weft_model_destroy(&m);
    assert_int_equal(weft_session_states(s, &ports), 4);
    for (int i = 0; i < 4; i++) assert_string_equal(ports[i].name, names[i]);
    for (int i = 0; i < 3; i++) assert_int_equal(weft_session_run(s, (const weft_io[]) { { "x", (float[]) { 1, 2 }, 8 } }, 1, (const weft_io[]) { { "y", y, 8 } }, 1), WEFT_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(weft_session_get_state(s, names[i], got[i], 8), WEFT_OK);
    assert_true(got[0][0] == 13 && got[0][1] == 26 && got[1][0] == 3 && got[3][1] == 3);
    assert_true(got[2][0] == 10 + 11 + 12 + 13 && got[2][1] == 20 + 22 + 24 + 26); // what the first call gave in each run
    assert_true(y[0] == got[2][0] && y[1] == got[2][1]);
    weft_session_destroy(&s);
}

// --- Refusals. -----------------------------------------------------------------------------------------------

enum { X, WIDE, ODD, WHOLE, W, BAD }; // values that the calls below are given

static void refuse(weft_call c, const int *values, const int *by, const char *words)
{
    weft_builder *b;
    weft_model *m = NULL;
    weft_port_arg in[4], replace[4];
    weft_value out;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value v[] = { weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3)), weft_build_input(b, "wide", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 4)),
                             weft_build_input(b, "odd", WEFT_F32, (weft_shape) WEFT_SHAPE(3, 3)), weft_build_input(b, "whole", WEFT_I32, (weft_shape) WEFT_SHAPE(2, 3)),
                             weft_build_weight(b, "w", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3), x_data), 1000 };
    for (int i = 0; i < c.in_count; i++) in[i] = (weft_port_arg) { c.in ? c.in[i].port : NULL, v[values[i]] };
    for (int i = 0; i < c.replace_count; i++) replace[i] = (weft_port_arg) { c.replace[i].port, v[by[i]] };
    c.in = in, c.replace = replace;
    assert_int_equal(weft_build_call(b, &c, &out, 1), -1);
    assert_int_equal(out, -1);
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_ERR_ARGUMENT);
    if (!strstr(weft_error_text(), words)) fail_msg("'%s' does not say '%s'", weft_error_text(), words);
}

static void what_does_not_fit_is_refused_by_name(void **state)
{
    (void) state;
    weft_model *m = make_layer(w_data);
    const int x[] = { X, X }, wide[] = { WIDE }, odd[] = { ODD }, whole[] = { WHOLE }, w[] = { W, W }, bad[] = { BAD };
    const weft_port_arg twice[] = { { "x" }, { "x" } }, nobody[] = { { "nobody" } }, weight[] = { { "w" }, { "w" } }, bias[] = { { "bias" } };
    refuse((weft_call) { NULL, 0, .in_count = 1 }, x, NULL, "no model");
    refuse((weft_call) { m, 2, .in_count = 1 }, x, NULL, "entry 2 of 2");
    refuse((weft_call) { m, 1, .prefix = "p" }, x, NULL, "call of 'p/layer': input 'x' is not given");
    refuse((weft_call) { m, 1, .in_count = 2 }, x, NULL, "2 arguments for 1 inputs");
    refuse((weft_call) { m, 1, twice, 2 }, x, NULL, "'x' is given twice");
    refuse((weft_call) { m, 1, nobody, 1 }, x, NULL, "no input 'nobody'");
    refuse((weft_call) { m, 1, .in_count = 1 }, bad, NULL, "no value of this entry");
    refuse((weft_call) { m, 1, .in_count = 1 }, wide, NULL, "input 'x': dimension 1 is 4, wants 3");
    refuse((weft_call) { m, 1, .in_count = 1 }, odd, NULL, "multiple of 2");
    refuse((weft_call) { m, 1, .in_count = 1 }, whole, NULL, "wants f32");
    refuse((weft_call) { m, 1, .in_count = 1, .replace = nobody, .replace_count = 1 }, x, w, "no weight 'nobody'");
    refuse((weft_call) { m, 1, .in_count = 1, .replace = weight, .replace_count = 2 }, x, w, "'w' is replaced twice");
    refuse((weft_call) { m, 1, .in_count = 1, .replace = bias, .replace_count = 1 }, x, w, "weight 'bias' is f32 [2]");
    refuse((weft_call) { m, 1, .in_count = 1 }, x, NULL, "two weights 'w' that differ");
    weft_model_destroy(&m);
}

static int set_up(void **state)
{
    (void) state;
    return weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx) || weft_device_open(ctx, &(weft_device_params) { .name = "reference" }, &device);
}

static int tear_down(void **state)
{
    (void) state;
    weft_device_destroy(&device);
    weft_context_destroy(&ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_called_entry_outlives_its_model),
        cmocka_unit_test(weights_are_shared_and_names_have_the_prefix),
        cmocka_unit_test(it_is_saved_whole),
        cmocka_unit_test(a_model_with_calls_can_be_called_and_differentiated),
        cmocka_unit_test(weights_can_be_replaced_by_values),
        cmocka_unit_test(named_dimensions_of_the_caller_reach_the_callee),
        cmocka_unit_test(states_of_each_call_are_its_own),
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
