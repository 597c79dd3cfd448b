// SPDX-License-Identifier: MIT
// Optimisation steps as models: trajectories against torch.optim, schedules and tables, the log, resuming, weights as variables; on the
// reference, on cpu and on a Vulkan device.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "nets/small_generator.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/build.h>
#include <weft/optimize.h>
#include <weft/session.h>

enum { STEPS = 50 };
typedef struct trajectory {
    const char *name;
    weft_step_params params;
    int scheduled, noisy, normalized;
    float log[STEPS][2];  // loss and penalty before every update
    float x[3][6], w[15]; // x after 1, 10 and 50 steps; w1 after 50
} trajectory;
#include "optimize_values.def"

static weft_context *ctx;
static weft_device *devices[3];
static const char *const device_names[3] = { "reference", "cpu", "vulkan" };
static int device_count;

#define IO(name, array) { name, (void *) (uintptr_t) (array), sizeof(array) }
static const float no_noise[6];

// x, noise [2, 3], target [2, 2] -> y = w2 tanh(w1 (x + noise) + b1) + b2, penalty = |x|^2, loss = |y - target|^2 + penalty / 64
static weft_model *make_net(void)
{
    weft_builder *b;
    weft_model *m = NULL;
    if (weft_builder_create(ctx, &b)) fail_msg("%s", weft_error_text());
    weft_build_meta(b, "licence", "kept");
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(weft_build_dim(b, "n", 1, 1), 3));
    const weft_value noise = weft_build_input(b, "noise", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3));
    const weft_value target = weft_build_input(b, "target", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 2));
    const weft_value w1 = weft_build_weight(b, "w1", WEFT_F32, (weft_shape) WEFT_SHAPE(5, 3), w1_data);
    const weft_value b1 = weft_build_weight(b, "b1", WEFT_F32, (weft_shape) WEFT_SHAPE(5), b1_data);
    const weft_value w2 = weft_build_weight(b, "w2", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 5), w2_data);
    const weft_value b2 = weft_build_weight(b, "b2", WEFT_F32, (weft_shape) WEFT_SHAPE(2), b2_data);
    const weft_value moved = weft_build(b, "add", WEFT_IN(x, noise), { 0 });
    const weft_value inner = weft_build(b, "linear", WEFT_IN(moved, w1, b1), { 0 }), act = weft_build(b, "tanh", WEFT_IN(inner), { 0 });
    const weft_value y = weft_build(b, "linear", WEFT_IN(act, w2, b2), { 0 });
    const weft_value penalty = weft_build(b, "sum_square", WEFT_IN(x), { 0 }), difference = weft_build(b, "sub", WEFT_IN(y, target), { 0 });
    const weft_value far = weft_build(b, "sum_square", WEFT_IN(difference), { 0 });
    const weft_value small = weft_build(b, "mul", WEFT_IN(penalty, weft_build_scalar(b, 1.0 / 64)), { 0 });
    weft_build_output(b, "y", y);
    weft_build_output(b, "penalty", penalty);
    weft_build_output(b, "loss", weft_build(b, "add", WEFT_IN(far, small), { 0 }));
    if (weft_builder_finish(&b, &m) != WEFT_OK) fail_msg("%s", weft_error_text());
    return m;
}

static const weft_port_shape shape_of_x = { "x", { 2, { 2, 3 } } };
static const char *const penalty_name[] = { "penalty" };

static weft_model *make_step(const weft_model *m, weft_step_params p)
{
    weft_model *step = NULL;
    if (weft_model_step(m, &p, &step) != WEFT_OK) fail_msg("%s", weft_error_text());
    return step;
}

static weft_session *session(weft_device *dev, const weft_model *m)
{
    weft_session *s = NULL;
    if (weft_session_create(dev, m, NULL, &s) != WEFT_OK) fail_msg("%s", weft_error_text());
    return s;
}

static void get(weft_session *s, const char *name, void *data, size_t bytes)
{
    if (weft_session_get_state(s, name, data, bytes) != WEFT_OK) fail_msg("%s", weft_error_text());
}

static void repeat(weft_session *s, int64_t count)
{
    if (weft_session_repeat(s, count) != WEFT_OK) fail_msg("%s", weft_error_text());
}

static void run(weft_session *s, const weft_io *in, int in_count, const weft_io *out, int out_count)
{
    if (weft_session_run(s, in, in_count, out, out_count) != WEFT_OK) fail_msg("%s", weft_error_text());
}

static double distance(const float *a, const float *b, int count) // relative, as norms
{
    double d = 0, n = 0;
    for (int i = 0; i < count; i++) d += ((double) a[i] - b[i]) * ((double) a[i] - b[i]), n += (double) b[i] * b[i];
    return sqrt(d / n);
}

// --- Against torch.optim. ------------------------------------------------------------------------------------

static void expect(const trajectory *t, const char *device, const char *what, const float *got, const float *want, int count)
{
    const double d = distance(got, want, count);
    if (!(d < 1e-5)) fail_msg("%s on %s: %s differs by %.2e of its norm", t->name, device, what, d);
}

static weft_step_params params_of(const trajectory *t)
{
    static const weft_step_variable variables[2] = { { "x", x_data }, { "w1", .rate_scale = 0.5 } }, normalized[2] = { { "x", x_data, .normalize = 1 }, { "w1", .rate_scale = 0.5 } };
    static const weft_step_table noise = { "noise", noise_data };
    weft_step_params p = t->params;
    p.shapes = &shape_of_x, p.shape_count = 1;
    p.variables = t->normalized ? normalized : variables, p.variable_count = 2;
    p.steps = STEPS, p.rates = t->scheduled ? rates_data : NULL;
    p.tables = t->noisy ? &noise : NULL, p.table_count = t->noisy;
    p.log = penalty_name, p.log_count = 1;
    return p;
}

static void follow(const weft_model *net, const trajectory *t, int device, double loss_scale)
{
    weft_step_params p = params_of(t);
    p.loss_scale = loss_scale;
    weft_model *step = make_step(net, p);
    weft_session *s = session(devices[device], step);
    const char *name = device_names[device];
    float x[6], w[15], log[STEPS][2], loss;
    weft_model_destroy(&step);
    const weft_io in[] = { IO("target", target_data), IO("noise", no_noise) };
    run(s, in, t->noisy ? 1 : 2, &(weft_io) { "loss", &loss, sizeof loss }, 1);
    assert_true(fabsf(loss - t->log[0][0]) < 1e-5f * t->log[0][0]);
    for (int k = 0; k < 3; k++) {
        if (k) repeat(s, k == 1 ? 9 : STEPS - 10);
        get(s, "x", x, sizeof x);
        expect(t, name, k == 0 ? "x after 1 step" : k == 1 ? "x after 10 steps" : "x after 50 steps", x, t->x[k], 6);
    }
    get(s, "w1", w, sizeof w);
    get(s, "log", log, sizeof log);
    expect(t, name, "w1", w, t->w, 15);
    expect(t, name, "the log", log[0], t->log[0], 2 * STEPS);
    weft_session_destroy(&s);
}

static void trajectories_are_those_of_pytorch(void **state)
{
    (void) state;
    weft_model *net = make_net();
    for (size_t i = 0; i < sizeof trajectories / sizeof *trajectories; i++)
        for (int d = 0; d < device_count; d++) follow(net, &trajectories[i], d, 0), follow(net, &trajectories[i], d, 4096);
    weft_model_destroy(&net);
}

// --- Ports, states and tables. -------------------------------------------------------------------------------

static const weft_step_variable only_x = { "x", x_data };

static weft_step_params few_steps(int64_t steps)
{
    return (weft_step_params) { .shapes = &shape_of_x, .shape_count = 1, .variables = &only_x, .variable_count = 1, .steps = steps, .rate = 0.0625 };
}

static void it_has_the_ports_and_states_it_says(void **state)
{
    (void) state;
    weft_model *net = make_net();
    weft_step_params p = few_steps(7);
    p.log = penalty_name, p.log_count = 1;
    p.outputs = (const char *[]) { "loss", "d.x" }, p.output_count = 2;
    weft_model *step = make_step(net, p);
    const weft_port *ports;
    assert_string_equal(weft_model_meta(step, "licence"), "kept");
    assert_int_equal(weft_model_inputs(step, 0, &ports), 2);
    assert_string_equal(ports[0].name, "noise");
    assert_string_equal(ports[1].name, "target");
    assert_int_equal(weft_model_outputs(step, 0, &ports), 2);
    assert_string_equal(ports[0].name, "loss");
    assert_string_equal(ports[1].name, "d.x");
    static const char *const names[] = { "x", "step", "log", "x.m", "x.v" };
    assert_int_equal(weft_model_states(step, 0, &ports), 5);
    for (int i = 0; i < 5; i++) assert_string_equal(ports[i].name, names[i]);
    assert_int_equal(ports[0].shape.dim[0], 2); // bound
    assert_true(ports[1].shape.rank == 1 && ports[1].shape.dim[0] == 1);
    assert_true(ports[2].shape.dim[0] == 7 && ports[2].shape.dim[1] == 2);
    weft_model_destroy(&step);

    p.optimizer = WEFT_SGD, p.output_count = 0;
    step = make_step(net, p);
    assert_int_equal(weft_model_outputs(step, 0, &ports), 1);
    assert_int_equal(weft_model_states(step, 0, &ports), 4);
    weft_model_destroy(&step);
    weft_model_destroy(&net);
}

static void weights_that_only_dropped_outputs_use_are_dropped(void **state)
{
    (void) state;
    weft_builder *b;
    weft_model *m = NULL;
    weft_model_facts facts;
    float big[1000] = { 0 };
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1));
    const weft_value w = weft_build_weight(b, "big", WEFT_F32, (weft_shape) WEFT_SHAPE(1000), big);
    weft_build_output(b, "picture", weft_build(b, "mul", WEFT_IN(x, w), { 0 }));
    weft_build_output(b, "loss", weft_build(b, "sum_square", WEFT_IN(x), { 0 }));
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_OK);
    weft_model *step = make_step(m, (weft_step_params) { .variables = &(weft_step_variable) { "x" }, .variable_count = 1, .steps = 3, .rate = 1 });
    assert_int_equal(weft_model_measure(step, 0, NULL, 0, &facts), WEFT_OK);
    assert_true(facts.parameters < 20);
    weft_model_destroy(&step);
    weft_model_destroy(&m);
}

static void the_last_row_of_a_table_stays_and_the_log_ends(void **state)
{
    (void) state;
    weft_model *net = make_net();
    const float zero_rates[4] = { 0 }; // x stays, so that the loss tells which row was read
    weft_step_params p = few_steps(4);
    p.rates = zero_rates;
    p.tables = (const weft_step_table[]) { { "noise", noise_data }, { "target", target_data, 1 } }, p.table_count = 2;
    weft_model *step = make_step(net, p);
    for (int d = 0; d < device_count; d++) {
        weft_session *s = session(devices[d], step);
        float loss[6], log[4], done;
        const weft_port *ports;
        assert_int_equal(weft_session_inputs(s, &ports), 0);
        for (int i = 0; i < 6; i++) run(s, NULL, 0, &(weft_io) { NULL, &loss[i], 4 }, 1);
        get(s, "log", log, sizeof log);
        get(s, "step", &done, sizeof done);
        assert_true(done == 6);
        assert_memory_equal(log, loss, sizeof log);
        assert_true(loss[0] != loss[1] && loss[1] != loss[2] && loss[2] != loss[3]);
        assert_true(loss[4] == loss[3] && loss[5] == loss[3]);
        weft_session_destroy(&s);
    }
    weft_model_destroy(&step);
    weft_model_destroy(&net);
}

// In f16 the step after 2048 would be 2048 again, a rate of 1e-8 none, and a variable near 1 could not move by 1e-4.
static void a_fast_session_counts_looks_up_and_updates_in_f32(void **state)
{
    (void) state;
    if (device_count < 3) skip();
    weft_model *net = make_net();
    float *rates = malloc(3000 * sizeof *rates), *rows = calloc(3000 * 6, sizeof *rows), x[6], log[3000], done = 2049;
    const float begin[6] = { 1, 1, 1, 1, 1, 1 };
    for (int i = 0; i < 3000; i++) rates[i] = i == 2049 ? 1e-4f : 0;
    weft_step_params p = few_steps(3000);
    p.rates = rates;
    p.variables = &(weft_step_variable) { "x", begin }, p.optimizer = WEFT_SGD, p.clip_norm = 1;
    p.tables = (const weft_step_table[]) { { "noise", rows }, { "target", target_data, 1 } }, p.table_count = 2;
    weft_model *step = make_step(net, p);
    weft_session *s = NULL;
    if (weft_session_create(devices[2], step, &(weft_session_params) { .precision = WEFT_FAST }, &s) != WEFT_OK) fail_msg("%s", weft_error_text());
    assert_int_equal(weft_session_set_state(s, "step", &done, sizeof done), WEFT_OK);
    run(s, NULL, 0, NULL, 0);
    get(s, "step", &done, sizeof done);
    get(s, "x", x, sizeof x);
    get(s, "log", log, sizeof log);
    assert_true(done == 2050);
    assert_true(distance(x, begin, 6) > 1e-5 && distance(x, begin, 6) < 1e-4);
    assert_true(log[2048] == 0 && log[2049] > 0 && log[2050] == 0);
    weft_session_destroy(&s);
    weft_model_destroy(&step);
    weft_model_destroy(&net);
    free(rates), free(rows);
}

// --- Loss scaling. -------------------------------------------------------------------------------------------

// loss = 1e14 sum(x), whose gradient's square leaves f32 once the loss is scaled by 2^17.
static weft_model *make_steep(void)
{
    weft_builder *b;
    weft_model *m = NULL;
    if (weft_builder_create(ctx, &b)) fail_msg("%s", weft_error_text());
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 3));
    weft_build_output(b, "loss", weft_build(b, "mul", WEFT_IN(weft_build(b, "sum", WEFT_IN(x), { 0 }), weft_build_scalar(b, 1e14)), { 0 }));
    if (weft_builder_finish(&b, &m) != WEFT_OK) fail_msg("%s", weft_error_text());
    return m;
}

static float one_state(weft_session *s, const char *name)
{
    float v;
    get(s, name, &v, sizeof v);
    return v;
}

static void gradients_that_overflow_change_nothing_and_halve_the_scale(void **state)
{
    (void) state;
    for (int adam = 0; adam < 2; adam++) {
        weft_model *steep = make_steep();
        weft_step_params p = { .variables = &only_x, .variable_count = 1, .steps = 4, .rate = adam ? 0.5 : 1e-14, .optimizer = adam ? WEFT_ADAM : WEFT_SGD,
                               .loss_scale = 0x1p19, .outputs = (const char *const[]) { "d.x" }, .output_count = 1 };
        weft_model *step = make_step(steep, p);
        weft_model_destroy(&steep);
        for (int d = 0; d < device_count; d++) {
            weft_session *s = session(devices[d], step);
            float x[6], slope[6], moved = adam ? 0.5f : 1;
            repeat(s, 3); // 2^19, 2^18, 2^17
            get(s, "x", x, sizeof x);
            assert_memory_equal(x, x_data, sizeof x);
            assert_true(one_state(s, "loss_scale") == 0x1p16 && one_state(s, "step") == 3 && one_state(s, "step.taken") == 0);
            get(s, "x.m", slope, sizeof slope);
            for (int i = 0; i < 6; i++) assert_true(slope[i] == 0);
            run(s, NULL, 0, &(weft_io) { "d.x", slope, sizeof slope }, 1);
            get(s, "x", x, sizeof x);
            for (int i = 0; i < 6; i++) assert_true(fabsf(x_data[i] - x[i] - moved) < 1e-5f && fabsf(slope[i] - 1e14f) < 1e8f); // Adam's first step
            assert_true(one_state(s, "loss_scale") == 0x1p16 && one_state(s, "step.taken") == 1 && one_state(s, "loss_scale.good") == 1);
            const float nearly = 199;
            assert_int_equal(weft_session_set_state(s, "loss_scale.good", &nearly, sizeof nearly), WEFT_OK);
            repeat(s, 1);
            assert_true(one_state(s, "loss_scale") == 0x1p17 && one_state(s, "loss_scale.good") == 0 && one_state(s, "step.taken") == 2);
            weft_session_destroy(&s);
        }
        weft_model_destroy(&step);
    }
}

// loss = mean of conv2d(x, w)^2, small: in f16 its gradients are a few of the least steps that there are.
static weft_model *make_faint(void)
{
    weft_builder *b;
    weft_model *m = NULL;
    float w[2 * 2 * 9];
    for (int i = 0; i < 36; i++) w[i] = 0.01f * (float) sin(i + 1);
    if (weft_builder_create(ctx, &b)) fail_msg("%s", weft_error_text());
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 2, 64, 64));
    const weft_value kernel = weft_build_weight(b, "w", WEFT_F32, (weft_shape) WEFT_SHAPE(2, 2, 3, 3), w);
    const weft_value y = weft_build(b, "conv2d", WEFT_IN(weft_build(b, "conv2d", WEFT_IN(x, kernel), WEFT_NUM("pads", 1, 1, 1, 1)), kernel), WEFT_NUM("pads", 1, 1, 1, 1));
    weft_build_output(b, "loss", weft_build(b, "mean", WEFT_IN(weft_build(b, "mul", WEFT_IN(y, y), { 0 })), { 0 }));
    if (weft_builder_finish(&b, &m) != WEFT_OK) fail_msg("%s", weft_error_text());
    return m;
}

static void in_half_precision_scaling_keeps_faint_gradients(void **state)
{
    enum { COUNT = 2 * 64 * 64 };
    (void) state;
    if (device_count < 3 || !weft_device_get_info(devices[2])->f16_storage) skip();
    weft_model *faint = make_faint();
    float *x = malloc(COUNT * sizeof *x), *slope[3];
    for (int i = 0; i < COUNT; i++) x[i] = (float) sin(0.37 * i);
    for (int k = 0; k < 3; k++) { // f32; fast; fast and scaled
        const weft_step_variable variable = { "x", x };
        weft_step_params p = { .variables = &variable, .variable_count = 1, .steps = 1, .rate = 1, .optimizer = WEFT_SGD, .loss_scale = k == 2 ? 0x1p24 : 0 };
        weft_model *step = make_step(faint, p);
        weft_session *s = NULL;
        slope[k] = malloc(COUNT * sizeof **slope);
        if (weft_session_create(devices[2], step, &(weft_session_params) { .precision = k ? WEFT_FAST : WEFT_EXACT }, &s) != WEFT_OK) fail_msg("%s", weft_error_text());
        run(s, NULL, 0, NULL, 0);
        get(s, "x.m", slope[k], COUNT * sizeof **slope); // after one step, the gradient
        weft_session_destroy(&s);
        weft_model_destroy(&step);
    }
    const double without = distance(slope[1], slope[0], COUNT), with = distance(slope[2], slope[0], COUNT);
    printf("gradient in f16: %.2g of its norm away, scaled %.2g\n", without, with);
    assert_true(without > 0.1); // or it would prove nothing
    assert_true(with < 1e-2);
    for (int k = 0; k < 3; k++) free(slope[k]);
    free(x);
    weft_model_destroy(&faint);
}

// --- Resuming, and being the same again. ---------------------------------------------------------------------

typedef struct states { float x[6], w1[15], m[2][15], v[2][15], step, log[STEPS][2]; } states;

static void exchange(weft_session *s, states *a, bool set)
{
    const weft_io all[] = { IO("x", a->x), IO("w1", a->w1), { "x.m", a->m[0], 24 }, { "x.v", a->v[0], 24 }, IO("w1.m", a->m[1]), IO("w1.v", a->v[1]),
                            { "step", &a->step, 4 }, IO("log", a->log) };
    const weft_port *ports;
    assert_int_equal(weft_session_states(s, &ports), (int) (sizeof all / sizeof *all));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!set) get(s, all[i].port, all[i].data, all[i].bytes);
        else if (weft_session_set_state(s, all[i].port, all[i].data, all[i].bytes) != WEFT_OK) fail_msg("%s", weft_error_text());
    }
}

static void a_resumed_run_is_bitwise_the_uninterrupted_one(void **state)
{
    (void) state;
    char path[] = "/tmp/weft-step-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    weft_model *net = make_net(), *step, *loaded = NULL;
    for (size_t i = 0; i < sizeof trajectories / sizeof *trajectories; i++)
        if (trajectories[i].noisy) step = make_step(net, params_of(&trajectories[i])); // tables, clipping, schedule, two variables
    weft_model_destroy(&net);
    if (weft_model_save(step, path) != WEFT_OK || weft_model_load(ctx, path, &loaded) != WEFT_OK) fail_msg("%s", weft_error_text());
    remove(path);
    const weft_io in = IO("target", target_data);
    for (int d = 0; d < device_count; d++) {
        static states whole, half, resumed, again;
        memset(&whole, 0, sizeof whole), memset(&half, 0, sizeof half), memset(&resumed, 0, sizeof resumed), memset(&again, 0, sizeof again);
        weft_session *s = session(devices[d], step), *second = session(devices[d], loaded);
        run(s, &in, 1, NULL, 0);
        repeat(s, 19);
        exchange(s, &half, false);
        repeat(s, 30);
        exchange(s, &whole, false);
        exchange(second, &half, true);
        run(second, &in, 1, NULL, 0);
        repeat(second, 29);
        exchange(second, &resumed, false);
        assert_memory_equal(&resumed, &whole, sizeof whole);
        assert_int_equal(weft_session_set_state(s, NULL, NULL, 0), WEFT_OK);
        run(s, &in, 1, NULL, 0);
        repeat(s, 49);
        exchange(s, &again, false);
        assert_memory_equal(&again, &whole, sizeof whole);
        weft_session_destroy(&s);
        weft_session_destroy(&second);
    }
    weft_model_destroy(&step);
    weft_model_destroy(&loaded);
}

// --- A generator. --------------------------------------------------------------------------------------------

// The generator's picture for ws and its noise against a target; noise is regularised.
static weft_model *make_inversion(const char *entry)
{
    weft_model *generator = NULL, *m = NULL;
    weft_builder *b;
    weft_value image;
    if (small_generator(ctx, &(generator_kind) { 0 }, &generator) || weft_builder_create(ctx, &b)) fail_msg("%s", weft_error_text());
    const weft_value target = weft_build_input(b, "target", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 3, GEN_SIZE, GEN_SIZE));
    const weft_port_arg in[] = { { "ws", weft_build_input(b, "ws", WEFT_F32, (weft_shape) WEFT_SHAPE(1, GEN_L, GEN_W)) },
                                 { "b4.noise_const", weft_build_input(b, "small", WEFT_F32, (weft_shape) WEFT_SHAPE(4, 4)) },
                                 { "b16.noise_const", weft_build_input(b, "large", WEFT_F32, (weft_shape) WEFT_SHAPE(16, 16)) } };
    const int index = weft_model_find_entry(generator, entry);
    weft_build_call(b, &(weft_call) { generator, index, in, !strcmp(entry, "synthesis_noise") ? 3 : 1, .prefix = "g" }, &image, 1);
    const weft_value far = weft_build(b, "mse_loss", WEFT_IN(image, target), { 0 });
    weft_value loss = far;
    for (int i = 1; i < 3; i++) {
        const weft_value rough = weft_build(b, "noise_regularization", WEFT_IN(in[i].value), { 0 });
        loss = weft_build(b, "add", WEFT_IN(loss, weft_build(b, "mul", WEFT_IN(rough, weft_build_scalar(b, 1e-3)), { 0 })), { 0 });
    }
    weft_build_output(b, "loss", loss);
    weft_build_output(b, "far", far);
    if (weft_builder_finish(&b, &m) != WEFT_OK) fail_msg("%s", weft_error_text());
    weft_model_destroy(&generator);
    return m;
}

static void fill(float *to, int count, uint64_t seed)
{
    weft_random r = { seed };
    for (int i = 0; i < count; i++) to[i] = (float) weft_random_uniform(&r, -1, 1);
}

static const char *const far_name[] = { "far" };

static void devices_agree_on_an_inversion_at_step_100(void **state)
{
    (void) state;
    float target[GEN_PICTURE], small[16], large[256], rates[100], log[3][100][2];
    fill(target, GEN_PICTURE, 1), fill(small, 16, 2), fill(large, 256, 3);
    for (int i = 0; i < GEN_PICTURE; i++) target[i] = 0.5f * sinf(0.05f * (float) i) + 0.1f * target[i];
    weft_schedule_ramps(rates, 100, 0.1, 0.05, 0.25);
    weft_model *m = make_inversion("synthesis_noise");
    const weft_step_variable variables[] = { { "ws" }, { "small", small, .normalize = 1 }, { "large", large, .normalize = 1 } };
    weft_model *step = make_step(m, (weft_step_params) { .variables = variables, .variable_count = 3, .steps = 100, .rates = rates, .log = far_name, .log_count = 1 });
    weft_model_destroy(&m);
    for (int d = 0; d < device_count; d++) {
        weft_session *s = session(devices[d], step);
        const weft_io in = IO("target", target);
        run(s, &in, 1, NULL, 0);
        repeat(s, 99);
        get(s, "log", log[d], sizeof log[d]);
        get(s, "large", large, sizeof large);
        double mean = 0, square = 0;
        for (int i = 0; i < 256; i++) mean += large[i] / 256.0, square += (double) large[i] * large[i] / 256;
        assert_true(fabs(mean) < 1e-5 && fabs(square - 1) < 1e-5);
        if (!(log[d][99][1] < 0.5f * log[d][0][1])) fail_msg("%s: the loss went from %g to %g", device_names[d], log[d][0][1], log[d][99][1]);
        if (!(fabsf(log[d][99][0] - log[0][99][0]) < 0.01f * log[0][99][0])) fail_msg("%s: %g after 100 steps, on the reference %g", device_names[d], log[d][99][0], log[0][99][0]);
        weft_session_destroy(&s);
    }
    weft_model_destroy(&step);
}

static void a_generator_is_tuned_through_its_weights(void **state)
{
    (void) state;
    float target[GEN_PICTURE], conv[81], begin[81], log[3][60];
    const float ws[GEN_L * GEN_W] = { 0.5f, -0.25f, 1 };
    for (int i = 0; i < GEN_PICTURE; i++) target[i] = 0.6f * sinf(0.05f * (float) i);
    weft_model *m = make_inversion("synthesis");
    const weft_step_variable variables[] = { { "g/conv" }, { "g/const" }, { "g/b16.noise_const" } };
    weft_model *step = make_step(m, (weft_step_params) { .loss = "far", .variables = variables, .variable_count = 3, .steps = 60, .rate = 0.01,
                                                         .tables = &(weft_step_table) { "ws", ws, 1 }, .table_count = 1 });
    weft_model_destroy(&m);
    for (int d = 0; d < device_count; d++) {
        weft_session *s = session(devices[d], step);
        const float zeros[256] = { 0 };
        const weft_io in[] = { IO("target", target), { "small", (void *) (uintptr_t) zeros, 64 }, IO("large", zeros) };
        get(s, "g/conv", begin, sizeof begin);
        assert_true(begin[0] != 0 && begin[80] != 0); // the weight's own
        run(s, in, 3, NULL, 0);
        repeat(s, 59);
        get(s, "g/conv", conv, sizeof conv);
        get(s, "log", log[d], sizeof log[d]);
        assert_true(distance(conv, begin, 81) > 0.01);
        if (!(log[d][59] < 0.5f * log[d][0])) fail_msg("%s: the loss went from %g to %g", device_names[d], log[d][0], log[d][59]);
        if (!(distance(log[d], log[0], 60) < 1e-3)) fail_msg("%s: another way than the reference", device_names[d]);
        weft_session_destroy(&s);
    }
    weft_model_destroy(&step);
}

// --- Schedules. ----------------------------------------------------------------------------------------------

static void near(double got, double want) { if (!(fabs(got - want) <= 1e-6 * (1 + fabs(want)))) fail_msg("%.9g, wants %.9g", got, want); }

static void schedules_are_what_they_say(void **state)
{
    (void) state;
    float r[1000];
    weft_schedule_constant(r, 3, 0.25);
    near(r[0], 0.25), near(r[2], 0.25);
    weft_schedule_cosine(r, 101, 1, 0.5);
    near(r[0], 1), near(r[50], 0.75), near(r[100], 0.5), near(r[25], 0.5 + 0.25 * (1 + sqrt(0.5)));
    weft_schedule_exponential(r, 3, 1, 0.01);
    near(r[0], 1), near(r[1], 0.1), near(r[2], 0.01);
    weft_schedule_exponential(r, 1, 0.5, 0.01);
    near(r[0], 0.5);
    weft_schedule_ramps(r, 1000, 0.1, 0.05, 0.25); // values of the projector's formula
    near(r[0], 0), near(r[25], 0.05), near(r[50], 0.1), near(r[750], 0.1), near(r[875], 0.05), near(r[999], 0.1 * (0.5 - 0.5 * cos(3.14159265358979 * 0.004)));
    weft_schedule_fade(r, 1000, 2, 0.75);
    near(r[0], 2), near(r[375], 0.5), near(r[750], 0), near(r[999], 0);
}

// --- Refusals. -----------------------------------------------------------------------------------------------

static void refuse(const weft_model *m, weft_step_params p, weft_result want, const char *words)
{
    weft_model *step = NULL;
    const weft_result r = weft_model_step(m, &p, &step);
    if (r != want) fail_msg("'%s': %s", words, weft_result_name(r));
    assert_null(step);
    if (!strstr(weft_error_text(), words)) fail_msg("'%s' does not say '%s'", weft_error_text(), words);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void) state;
    weft_model *m = make_net();
    const weft_step_variable nobody = { "nobody" }, twice[] = { { "x" }, { "x" } }, backwards = { "x", .rate_scale = -1 };
    const weft_step_table none = { "nobody", noise_data }, of_x = { "x", noise_data }, empty = { "noise" }, two[] = { { "noise", noise_data }, { "noise", noise_data } };
    const char *const y[] = { "y" }, *const no[] = { "nobody" };
#define WITH(...) (weft_step_params) { .shapes = &shape_of_x, .shape_count = 1, .variables = &only_x, .variable_count = 1, .steps = 4, .rate = 1, __VA_ARGS__ }
    refuse(m, WITH(.entry = 1), WEFT_ERR_ARGUMENT, "entry 1 of 1");
    refuse(m, WITH(.variable_count = 0), WEFT_ERR_ARGUMENT, "name a variable");
    refuse(m, WITH(.variables = &nobody), WEFT_ERR_ARGUMENT, "'nobody'");
    refuse(m, WITH(.variables = twice, .variable_count = 2), WEFT_ERR_ARGUMENT, "twice");
    refuse(m, WITH(.variables = &backwards), WEFT_ERR_ARGUMENT, "rate_scale");
    refuse(m, WITH(.loss = "nobody"), WEFT_ERR_ARGUMENT, "loss 'nobody'");
    refuse(m, WITH(.loss = "y"), WEFT_ERR_ARGUMENT, "more than one element");
    refuse(m, WITH(.steps = 0), WEFT_ERR_ARGUMENT, "0 steps");
    refuse(m, WITH(.loss_scale = -1), WEFT_ERR_ARGUMENT, "loss_scale is -1");
    refuse(m, WITH(.loss_scale = 0x1p25), WEFT_ERR_ARGUMENT, "loss_scale");
    refuse(m, WITH(.clip_norm = -1), WEFT_ERR_ARGUMENT, "clip_norm");
    refuse(m, WITH(.tables = &none, .table_count = 1), WEFT_ERR_ARGUMENT, "table 'nobody'");
    refuse(m, WITH(.tables = &of_x, .table_count = 1), WEFT_ERR_ARGUMENT, "is a variable and has a table");
    refuse(m, WITH(.tables = &empty, .table_count = 1), WEFT_ERR_ARGUMENT, "no input, data or rows");
    refuse(m, WITH(.tables = two, .table_count = 2), WEFT_ERR_ARGUMENT, "twice");
    refuse(m, WITH(.log = no, .log_count = 1), WEFT_ERR_ARGUMENT, "log of 'nobody'");
    refuse(m, WITH(.log = y, .log_count = 1), WEFT_ERR_ARGUMENT, "not one f32 number");
    refuse(m, WITH(.outputs = no, .output_count = 1), WEFT_ERR_ARGUMENT, "output 'nobody'");
    refuse(m, WITH(.beta1 = 2), WEFT_ERR_ARGUMENT, "beta1");
    refuse(m, WITH(.optimizer = (weft_optimizer) 7), WEFT_ERR_ARGUMENT, "optimizer 7");
    weft_model_destroy(&m);
}

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(&(weft_context_params) { .threads = 2 }, &ctx)) return 1;
    for (device_count = 0; device_count < 3; device_count++) {
        const weft_result r = weft_device_open(ctx, &(weft_device_params) { .name = device_names[device_count], .validate = 1 }, &devices[device_count]);
        if (r == WEFT_ERR_NO_DEVICE && device_count == 2) return printf("skip Vulkan: %s\n", weft_error_text()), 0;
        if (r != WEFT_OK) return printf("%s\n", weft_error_text()), 1;
    }
    printf("Vulkan device: %s (%s)\n", weft_device_get_info(devices[2])->name, weft_device_get_info(devices[2])->driver);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    for (int i = 0; i < device_count; i++) weft_device_destroy(&devices[i]);
    weft_context_destroy(&ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trajectories_are_those_of_pytorch),
        cmocka_unit_test(it_has_the_ports_and_states_it_says),
        cmocka_unit_test(weights_that_only_dropped_outputs_use_are_dropped),
        cmocka_unit_test(the_last_row_of_a_table_stays_and_the_log_ends),
        cmocka_unit_test(a_fast_session_counts_looks_up_and_updates_in_f32),
        cmocka_unit_test(gradients_that_overflow_change_nothing_and_halve_the_scale),
        cmocka_unit_test(in_half_precision_scaling_keeps_faint_gradients),
        cmocka_unit_test(a_resumed_run_is_bitwise_the_uninterrupted_one),
        cmocka_unit_test(devices_agree_on_an_inversion_at_step_100),
        cmocka_unit_test(a_generator_is_tuned_through_its_weights),
        cmocka_unit_test(schedules_are_what_they_say),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
