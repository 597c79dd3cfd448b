// SPDX-License-Identifier: MIT
// Gradients as models: what they compute, that they can be saved and outlive the model they come from, what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/build.h>
#include <weft/session.h>

static weft_context *ctx;
static weft_device *device;
static weft_model *model; // y = tanh(w x + b), loss = sum(y^2), whole = argmax(y)

static const float w_data[6] = { 0.5f, -1, 0.25f, 2, 0.125f, -0.75f }, b_data[2] = { 0.1f, -0.2f }, x_data[6] = { 1, -0.5f, 0.25f, 0.75f, -1, 2 };

static int set_up(void **state)
{
    (void) state;
    weft_builder *b;
    if (weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx) || weft_device_open(ctx, &(weft_device_params) { .name = "reference" }, &device)) return 1;
    if (weft_builder_create(ctx, &b)) return 1;
    weft_build_meta(b, "licence", "kept");
    const int64_t n = weft_build_dim(b, "n", 4, 1);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(n, 3));
    const weft_value w = weft_build_weight(b, "w", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3), w_data);
    const weft_value bias = weft_build_weight(b, "const.0", WEFT_F32, (weft_shape) WEFT_SHAPE(2), b_data); // a name that made ones might have
    const weft_value sum = weft_build_op(b, "linear", (weft_value[]) { x, w, bias }, 3, NULL, 0), y = weft_build_op(b, "tanh", &sum, 1, NULL, 0);
    weft_build_output(b, "y", y);
    weft_build_output(b, "loss", weft_build_op(b, "sum_square", &y, 1, NULL, 0));
    weft_build_output(b, "whole", weft_build_op(b, "argmax", &y, 1, NULL, 0));
    weft_build_output(b, "same", weft_build_op(b, "identity", &x, 1, NULL, 0));
    return weft_builder_finish(&b, &model);
}

static int tear_down(void **state)
{
    (void) state;
    weft_model_destroy(&model);
    weft_device_destroy(&device);
    weft_context_destroy(&ctx);
    return 0;
}

static weft_model_grad_params request(const char *loss, const char *const *cotangents, int cotangent_count, const char *const *wrt, int wrt_count)
{
    static const weft_port_shape shape = { "x", { 2, { 2, 3 } } };
    return (weft_model_grad_params) { 0, &shape, 1, loss, cotangents, cotangent_count, wrt, wrt_count };
}

static weft_model *gradient_of(const weft_model *m, weft_model_grad_params p)
{
    weft_model *g = NULL;
    if (weft_model_grad(m, &p, &g) != WEFT_OK) fail_msg("%s", weft_error_text());
    return g;
}

// Runs a gradient model and gives one of its outputs, of `count` numbers.
static void run(const weft_model *g, const weft_io *in, int in_count, const char *output, float *to, int count)
{
    weft_session *s;
    weft_io out[8];
    const weft_port *ports;
    if (weft_session_create(device, g, NULL, &s) != WEFT_OK) fail_msg("%s", weft_error_text());
    const int outputs = weft_session_outputs(s, &ports);
    assert_in_range(outputs, 1, 8);
    bool there = false;
    for (int i = 0; i < outputs; i++) {
        const bool wanted = !strcmp(ports[i].name, output);
        static float rest[8][16];
        size_t size = 4;
        for (int d = 0; d < ports[i].shape.rank; d++) size *= (size_t) ports[i].shape.dim[d];
        assert_true(size <= sizeof rest[i] && (!wanted || size == (size_t) count * 4));
        out[i] = (weft_io) { ports[i].name, wanted ? to : rest[i], size };
        there |= wanted;
    }
    assert_true(there);
    if (weft_session_run(s, in, in_count, out, outputs) != WEFT_OK) fail_msg("%s", weft_error_text());
    weft_session_destroy(&s);
}

#define IO(name, array) { name, (void *) (uintptr_t) (array), sizeof(array) }

// d loss / d sum = 2 y (1 - y^2), of which the rest follows.
static void expect_sums(double slope[2][2])
{
    for (int i = 0; i < 4; i++) {
        double sum = b_data[i % 2];
        for (int k = 0; k < 3; k++) sum += (double) x_data[i / 2 * 3 + k] * w_data[i % 2 * 3 + k];
        slope[i / 2][i % 2] = 2 * tanh(sum) * (1 - tanh(sum) * tanh(sum));
    }
}

static void expect_dx(const float *dx)
{
    double slope[2][2];
    expect_sums(slope);
    for (int i = 0; i < 6; i++) assert_true(fabs(dx[i] - slope[i / 3][0] * w_data[i % 3] - slope[i / 3][1] * w_data[3 + i % 3]) < 1e-6);
}

static void a_loss_gives_gradients_by_inputs_and_weights(void **state)
{
    (void) state;
    float dx[6], dw[6], db[2];
    double slope[2][2];
    weft_model *g = gradient_of(model, request("loss", NULL, 0, (const char *[]) { "x", "w", "const.0" }, 3));
    const weft_io in = IO("x", x_data);
    run(g, &in, 1, "d.x", dx, 6);
    run(g, &in, 1, "d.w", dw, 6);
    run(g, &in, 1, "d.const.0", db, 2);
    expect_sums(slope);
    expect_dx(dx);
    for (int i = 0; i < 6; i++) assert_true(fabs(dw[i] - slope[0][i / 3] * x_data[i % 3] - slope[1][i / 3] * x_data[3 + i % 3]) < 1e-6);
    for (int i = 0; i < 2; i++) assert_true(fabs(db[i] - slope[0][i] - slope[1][i]) < 1e-6);
    assert_string_equal(weft_model_meta(g, "licence"), "kept");
    weft_model_destroy(&g);
}

static void cotangents_are_inputs_and_outputs_stay(void **state)
{
    (void) state;
    const weft_port *ports;
    weft_model *g = gradient_of(model, request(NULL, (const char *[]) { "same", "y" }, 2, (const char *[]) { "x" }, 1));
    assert_int_equal(weft_model_inputs(g, 0, &ports), 3);
    assert_string_equal(ports[0].name, "x");
    assert_string_equal(ports[1].name, "d.y"); // in the order of the outputs
    assert_string_equal(ports[2].name, "d.same");
    assert_int_equal(ports[0].shape.dim[0], 2); // bound
    assert_int_equal(weft_model_outputs(g, 0, &ports), 5);
    assert_string_equal(ports[4].name, "d.x");
    const float dy[4] = { 0 }, ds[6] = { 1, 2, 3, 4, 5, 6 };
    const weft_io in[] = { IO("x", x_data), IO("d.y", dy), IO("d.same", ds) };
    float dx[6];
    run(g, in, 3, "d.x", dx, 6);
    assert_memory_equal(dx, ds, sizeof dx);
    weft_model_destroy(&g);
}

static void a_cotangent_may_be_the_gradient_itself_and_nothing_may_flow(void **state)
{
    (void) state;
    const float ds[6] = { 1, 2, 3, 4, 5, 6 };
    const weft_io in[] = { IO("x", x_data), IO("d.same", ds) };
    float dx[6], dw[6] = { 7 };
    weft_model *g = gradient_of(model, request(NULL, (const char *[]) { "same" }, 1, (const char *[]) { "x", "w" }, 2));
    run(g, in, 2, "d.x", dx, 6);
    run(g, in, 2, "d.w", dw, 6);
    assert_memory_equal(dx, ds, sizeof dx);
    for (int i = 0; i < 6; i++) assert_true(dw[i] == 0);
    weft_model_destroy(&g);
}

static void it_is_saved_and_outlives_its_model(void **state)
{
    (void) state;
    char path[] = "/tmp/weft-grad-XXXXXX";
    weft_model *copy = NULL, *loaded = NULL;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(weft_model_save(model, path), WEFT_OK);
    assert_int_equal(weft_model_load(ctx, path, &copy), WEFT_OK);
    weft_model *g = gradient_of(copy, request("loss", NULL, 0, (const char *[]) { "x" }, 1));
    weft_model_destroy(&copy);
    if (weft_model_save(g, path) != WEFT_OK || weft_model_load(ctx, path, &loaded) != WEFT_OK) fail_msg("%s", weft_error_text());
    const weft_io in = IO("x", x_data);
    float dx[6];
    run(g, &in, 1, "d.x", dx, 6);
    expect_dx(dx);
    weft_model_destroy(&g);
    run(loaded, &in, 1, "d.x", dx, 6);
    expect_dx(dx);
    weft_model_destroy(&loaded);
    remove(path);
}

static void second_order_is_refused_by_name(void **state)
{
    (void) state;
    weft_model *g = gradient_of(model, request("loss", NULL, 0, (const char *[]) { "x" }, 1)), *h = NULL;
    const weft_model_grad_params p = { .cotangents = (const char *[]) { "d.x" }, .cotangent_count = 1, .wrt = (const char *[]) { "x" }, .wrt_count = 1 };
    assert_int_equal(weft_model_grad(g, &p, &h), WEFT_ERR_UNSUPPORTED);
    assert_null(h);
    assert_non_null(strstr(weft_error_text(), "tanh_grad"));
    weft_model_destroy(&g);
}

static void refuse(weft_model_grad_params p, weft_result want, const char *words)
{
    weft_model *g = NULL;
    assert_int_equal(weft_model_grad(model, &p, &g), want);
    assert_null(g);
    if (!strstr(weft_error_text(), words)) fail_msg("'%s' does not say '%s'", weft_error_text(), words);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void) state;
    const char *const x[] = { "x", "x" }, *const y[] = { "y" }, *const no[] = { "nobody" }, *const whole[] = { "whole" };
    refuse(request("nobody", NULL, 0, x, 1), WEFT_ERR_ARGUMENT, "nobody");
    refuse(request("y", NULL, 0, x, 1), WEFT_ERR_ARGUMENT, "more than one element");
    refuse(request(NULL, NULL, 0, x, 1), WEFT_ERR_ARGUMENT, "loss or cotangents");
    refuse(request("loss", y, 1, x, 1), WEFT_ERR_ARGUMENT, "loss or cotangents");
    refuse(request(NULL, no, 1, x, 1), WEFT_ERR_ARGUMENT, "nobody");
    refuse(request(NULL, whole, 1, x, 1), WEFT_ERR_ARGUMENT, "integers");
    refuse(request("loss", NULL, 0, no, 1), WEFT_ERR_ARGUMENT, "nobody");
    refuse(request("loss", NULL, 0, x, 2), WEFT_ERR_ARGUMENT, "twice");
    refuse(request("loss", NULL, 0, x, 0), WEFT_ERR_ARGUMENT, "wrt");
    weft_model_grad_params p = request("loss", NULL, 0, x, 1);
    p.entry = 1;
    refuse(p, WEFT_ERR_ARGUMENT, "entry 1");
}

// loss = sum (p x)^2, p <- p + x: the gradient by p is 2 p x^2 of p as it is before the run, and p goes on.
static void a_gradient_may_be_by_a_state_and_the_states_go_on(void **state)
{
    (void) state;
    const float start[3] = { 1, -2, 0.5f }, x_now[3] = { 2, 0.5f, -1 };
    const weft_shape three = WEFT_SHAPE(3);
    weft_builder *b;
    weft_model *m = NULL, *g = NULL;
    weft_session *s = NULL;
    float d[3], after[3];
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, three), p = weft_build_state(b, "p", WEFT_F32, three, start);
    const weft_value k = weft_build_state(b, "k", WEFT_I32, three, NULL), y = weft_build(b, "mul", WEFT_IN(p, x), { 0 });
    weft_build_next(b, p, weft_build(b, "add", WEFT_IN(p, x), { 0 }));
    weft_build_next(b, k, k);
    weft_build_output(b, "loss", weft_build_op(b, "sum_square", &y, 1, NULL, 0));
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_OK);
    const char *const by_p[] = { "p" }, *const by_k[] = { "k" };
    assert_int_equal(weft_model_grad(m, &(weft_model_grad_params) { .loss = "loss", .wrt = by_k, .wrt_count = 1 }, &g), WEFT_ERR_ARGUMENT);
    g = gradient_of(m, (weft_model_grad_params) { .loss = "loss", .wrt = by_p, .wrt_count = 1 });
    weft_model_destroy(&m);
    assert_int_equal(weft_session_create(device, g, NULL, &s), WEFT_OK);
    const weft_io in = { "x", (void *) (uintptr_t) x_now, sizeof x_now }, out = { "d.p", d, sizeof d };
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(weft_session_run(s, &in, 1, &out, 1), WEFT_OK);
        assert_int_equal(weft_session_get_state(s, "p", after, sizeof after), WEFT_OK);
        for (int i = 0; i < 3; i++) {
            const float before = start[i] + (float) turn * x_now[i];
            assert_true(fabsf(d[i] - 2 * before * x_now[i] * x_now[i]) < 1e-5f);
            assert_true(fabsf(after[i] - before - x_now[i]) < 1e-6f);
        }
    }
    weft_session_destroy(&s);
    weft_model_destroy(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_gives_gradients_by_inputs_and_weights),
        cmocka_unit_test(cotangents_are_inputs_and_outputs_stay),
        cmocka_unit_test(a_gradient_may_be_by_a_state_and_the_states_go_on),
        cmocka_unit_test(a_cotangent_may_be_the_gradient_itself_and_nothing_may_flow),
        cmocka_unit_test(it_is_saved_and_outlives_its_model),
        cmocka_unit_test(second_order_is_refused_by_name),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
