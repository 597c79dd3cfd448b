// SPDX-License-Identifier: MIT
// Runs on a Vulkan device: cut memory, cut work, stops, limits, kept values, several sessions at once. With the validation layer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "graph/model.h"
#include "small_net.h"
#include "state_net.h"
#include "vk/inside.h"
#include "vk/run.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>

static _Atomic int messages;
static weft_context *ctx;
static weft_model *model;
static weft_vk_device *vk; // with limits a test may lower
static weft_device *dev;
static net_data want;

static void listen(void *user, weft_log_level level, const char *line)
{
    (void) user, (void) level;
    if (atomic_fetch_add(&messages, 1) < 10) fprintf(stderr, "log: %s\n", line);
}

static int set_up(void **state)
{
    (void) state;
    const weft_device_params params = { .name = "vulkan", .validate = 1 };
    if (weft_context_create(&(weft_context_params) { .log = listen, .log_level = WEFT_LOG_WARN }, &ctx)) return 1;
    if (small_net(ctx, &model) || net_reference(ctx, model, &want)) return 1;
    const weft_result r = weft_vk_open(ctx, &params, &vk);
    if (r == WEFT_ERR_NO_DEVICE) return 0; // every test is skipped
    return r || weft_device_open(ctx, &params, &dev);
}

static int tear_down(void **state)
{
    (void) state;
    weft_vk_close(vk);
    weft_device_destroy(&dev);
    weft_model_destroy(&model);
    weft_context_destroy(&ctx);
    if (atomic_load(&messages)) print_error("%d warnings in the log\n", atomic_load(&messages));
    return atomic_load(&messages) != 0;
}

static void need_vulkan(void)
{
    if (dev) return;
    print_message("skipped: there is no Vulkan device\n");
    skip();
}

enum { SLOW = 123456789 }; // as max_bytes: pretend a very slow device, on which every dispatch is cut

// The small network straight on `vk`, where internals can be seen and turned.
static weft_result run_inside(const weft_session_params *p, net_data *got, weft_session_facts *facts)
{
    weft_arena arena = { .ctx = ctx };
    weft_graph bound;
    weft_vk_run *run = NULL;
    const int64_t dims[1] = { 0 };
    weft_graph_init(&bound, &arena);
    net_fill(got);
    weft_result r = weft_pass_bind(&model->entries[0].graph, dims, &bound);
    const double before = atomic_load(&vk->rate);
    vk->rate_fixed = p->max_bytes == SLOW;
    if (vk->rate_fixed) atomic_store(&vk->rate, 1e6);
    if (r == WEFT_OK) r = weft_vk_run_create(vk, &bound, p, &run);
    for (int i = 0; i < 2 && r == WEFT_OK; i++) {
        const void *in[] = { got->x, got->m };
        void *out[] = { got->y, got->f };
        r = weft_vk_run_go(run, in, out);
    }
    if (r == WEFT_OK && facts) weft_vk_run_measure(run, facts);
    atomic_store(&vk->rate, before);
    vk->rate_fixed = false;
    weft_vk_run_destroy(run);
    weft_arena_free(&arena);
    return r;
}

static void memory_in_small_blocks_gives_the_same(void **state)
{
    (void) state;
    need_vulkan();
    net_data got;
    const uint64_t before = vk->max_allocation;
    weft_session_facts whole, cut;
    assert_int_equal(run_inside(&(weft_session_params) { 0 }, &got, &whole), WEFT_OK);
    assert_true(net_equal(&got, &want, 1e-5));
    vk->max_allocation = (sizeof got.x + 1023) / 256 * 256; // one tensor and a little
    const weft_result r = run_inside(&(weft_session_params) { .keep_values = 1 }, &got, &cut);
    vk->max_allocation = before;
    assert_int_equal(r, WEFT_OK);
    assert_true(net_equal(&got, &want, 1e-5));
    assert_true(cut.workspace_bytes > whole.workspace_bytes);
}

static void a_tensor_beyond_the_limits_is_refused_by_name(void **state)
{
    (void) state;
    need_vulkan();
    net_data got;
    const uint64_t allocation = vk->max_allocation;
    const uint32_t range = vk->limits.maxStorageBufferRange;
    vk->max_allocation = 3 * 1024;
    const weft_result a = run_inside(&(weft_session_params) { 0 }, &got, NULL);
    vk->max_allocation = allocation;
    assert_int_equal(a, WEFT_ERR_UNSUPPORTED);
    assert_non_null(strstr(weft_error_text(), "maxMemoryAllocationSize"));
    vk->limits.maxStorageBufferRange = 3 * 1024;
    const weft_result b = run_inside(&(weft_session_params) { 0 }, &got, NULL);
    vk->limits.maxStorageBufferRange = range;
    assert_int_equal(b, WEFT_ERR_UNSUPPORTED);
    assert_non_null(strstr(weft_error_text(), "maxStorageBufferRange"));
    assert_non_null(strstr(weft_error_text(), "3696 bytes"));
}

static void work_in_many_slices_gives_the_same(void **state)
{
    (void) state;
    need_vulkan();
    net_data got;
    weft_session_facts whole, cut;
    assert_int_equal(run_inside(&(weft_session_params) { 0 }, &got, &whole), WEFT_OK);
    assert_int_equal(whole.submissions, 1);
    assert_int_equal(run_inside(&(weft_session_params) { .max_bytes = SLOW }, &got, &cut), WEFT_OK);
    assert_true(net_equal(&got, &want, 1e-5));
    assert_true(cut.submissions > 2 * cut.dispatches);
    assert_int_equal(cut.pipelines_new, 0); // what has to be compiled does not depend on how fast the device is
}

typedef struct watch { int calls, stop_at; double last; bool back; } watch;

static int on_progress(void *user, double done)
{
    watch *w = user;
    w->back |= done < w->last || done > 1.0000001;
    w->last = done;
    return ++w->calls == w->stop_at;
}

static void progress_is_told_and_can_stop(void **state)
{
    (void) state;
    need_vulkan();
    net_data got;
    watch w = { 0 };
    weft_session_params p = { .progress = on_progress, .progress_user = &w, .max_bytes = SLOW };
    assert_int_equal(run_inside(&p, &got, NULL), WEFT_OK);
    assert_true(w.calls > 10);
    assert_true(fabs(w.last - 1) < 1e-9);
    w = (watch) { .stop_at = 4 };
    assert_int_equal(run_inside(&p, &got, NULL), WEFT_ERR_CANCELLED);
    assert_int_equal(w.calls, 4);
    assert_false(w.back);
}

// --- States on a device that is so slow that every dispatch is a submission. -----------------------------------

typedef struct slow { // state_net straight on `vk`
    weft_arena arena;
    weft_model *model;
    weft_graph bound;
    weft_vk_run *run;
    double rate;
} slow;

static slow slow_open(bool watchdog, const weft_session_params *p)
{
    slow s = { .arena = { .ctx = ctx }, .rate = atomic_load(&vk->rate) };
    vk->rate_fixed = watchdog;
    atomic_store(&vk->rate, 1e6);
    assert_int_equal(state_net(ctx, &s.model), WEFT_OK);
    weft_graph_init(&s.bound, &s.arena);
    assert_int_equal(weft_pass_bind(&s.model->entries[0].graph, NULL, &s.bound), WEFT_OK);
    assert_int_equal(weft_vk_run_create(vk, &s.bound, p, &s.run), WEFT_OK);
    return s;
}

static void slow_close(slow *s)
{
    weft_vk_run_destroy(s->run);
    weft_arena_free(&s->arena);
    weft_model_destroy(&s->model);
    atomic_store(&vk->rate, s->rate);
    vk->rate_fixed = false;
}

static const float *fill_x(float x[STATE_NET])
{
    for (int i = 0; i < STATE_NET; i++) x[i] = (float) i / 8;
    return x;
}

enum { P_STATE, STEP_STATE = 3, PING_STATE, LAST_STATE = 6 };

// What the states are after `steps` runs from the beginning, on a device that is not slow: the same bits.
static void assert_steps(slow *s, const slow *whole, int64_t steps)
{
    float x[STATE_NET], got[STATE_NET], want[STATE_NET], step, ping;
    void *none[1] = { NULL };
    assert_int_equal(weft_vk_run_get_state(s->run, STEP_STATE, &step), WEFT_OK);
    assert_int_equal(weft_vk_run_get_state(s->run, PING_STATE, &ping), WEFT_OK);
    assert_true(step == (float) steps && ping == (float) (steps % 2 == 0));
    assert_int_equal(weft_vk_run_reset_states(whole->run), WEFT_OK);
    if (steps) assert_int_equal(weft_vk_run_go(whole->run, (const void *[]) { fill_x(x) }, none), WEFT_OK);
    if (steps) assert_int_equal(weft_vk_run_repeat(whole->run, steps - 1), WEFT_OK);
    for (int k = P_STATE; k <= LAST_STATE; k += LAST_STATE) {
        assert_int_equal(weft_vk_run_get_state(s->run, k, got), WEFT_OK);
        assert_int_equal(weft_vk_run_get_state(whole->run, k, want), WEFT_OK);
        assert_memory_equal(got, want, sizeof got);
    }
}

static void a_step_without_a_watchdog_is_one_submission(void **state)
{
    (void) state;
    need_vulkan();
    float x[STATE_NET], loss;
    weft_session_facts f;
    slow s = slow_open(false, &(weft_session_params) { 0 });
    assert_int_equal(weft_vk_run_go(s.run, (const void *[]) { fill_x(x) }, (void *[]) { &loss }), WEFT_OK);
    weft_vk_run_measure(s.run, &f);
    if (vk->caps.is_software) assert_int_equal(f.submissions, 1);
    assert_int_equal(weft_vk_run_repeat(s.run, 20), WEFT_OK);
    weft_vk_run_measure(s.run, &f);
    if (vk->caps.is_software) assert_in_range(f.submissions, 1, 20); // fewer where a busy machine taught another rate
    assert_int_equal(f.runs, 21);
    assert_steps(&s, &s, 21);
    slow_close(&s);
}

// Steps are cut, and stopped after each of their submissions in turn.
static void a_stop_in_the_middle_of_a_step_leaves_whole_steps(void **state)
{
    (void) state;
    need_vulkan();
    float x[STATE_NET];
    void *none[1] = { NULL };
    int held = 0;
    weft_session_facts f;
    watch w = { 0 };
    slow whole = slow_open(false, &(weft_session_params) { 0 }), s = slow_open(true, &(weft_session_params) { .progress = on_progress, .progress_user = &w });
    assert_int_equal(weft_vk_run_go(s.run, (const void *[]) { fill_x(x) }, none), WEFT_OK);
    weft_vk_run_measure(s.run, &f);
    const int each = f.submissions;
    assert_true(each > 3);
    for (int at = 1; at <= 3 * each; at++) {
        weft_vk_run_measure(s.run, &f);
        const int64_t before = f.runs;
        assert_int_equal(weft_vk_run_reset_states(s.run), WEFT_OK);
        w = (watch) { .stop_at = at };
        const weft_result r = weft_vk_run_repeat(s.run, 3);
        assert_int_equal(r, WEFT_ERR_CANCELLED);
        weft_vk_run_measure(s.run, &f);
        held += f.runs - before > at / each; // it went on to the end of the step
        assert_false(w.back);
        assert_steps(&s, &whole, f.runs - before);
    }
    assert_true(held > 0);
    slow_close(&s);
    slow_close(&whole);
}

static void a_session_goes_on_after_a_stop(void **state)
{
    (void) state;
    need_vulkan();
    weft_session *s = NULL;
    net_data got;
    watch w = { .stop_at = 1 };
    net_fill(&got);
    assert_int_equal(weft_session_create(dev, model, &(weft_session_params) { .progress = on_progress, .progress_user = &w }, &s), WEFT_OK);
    assert_int_equal(net_run(s, &got), WEFT_ERR_CANCELLED);
    w.last = 0;
    assert_int_equal(net_run(s, &got), WEFT_OK);
    assert_true(net_equal(&got, &want, 1e-5));
    weft_session_destroy(&s);
}

static void a_session_keeps_to_its_memory(void **state)
{
    (void) state;
    need_vulkan();
    weft_session *s = NULL;
    weft_session_facts f;
    assert_int_equal(weft_session_create(dev, model, NULL, &s), WEFT_OK);
    weft_session_measure(s, &f);
    weft_session_destroy(&s);
    const size_t all = f.weight_bytes + f.workspace_bytes;
    assert_int_equal(weft_session_create(dev, model, &(weft_session_params) { .max_bytes = all }, &s), WEFT_OK);
    weft_session_destroy(&s);
    assert_int_equal(weft_session_create(dev, model, &(weft_session_params) { .max_bytes = all - 1 }, &s), WEFT_ERR_VRAM);
    char size[32];
    snprintf(size, sizeof size, "%zu", all);
    assert_non_null(strstr(weft_error_text(), size));
    assert_null(s);
}

static void every_kept_value_is_that_of_the_reference(void **state)
{
    (void) state;
    need_vulkan();
    weft_device *reference = NULL;
    weft_session *a = NULL, *b = NULL;
    net_data got;
    static float x[NET_COUNT], y[NET_COUNT];
    const weft_session_params keep = { .keep_values = 1, .no_fuse = 1 };
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "reference" }, &reference), WEFT_OK);
    assert_int_equal(weft_session_create(reference, model, &keep, &a), WEFT_OK);
    assert_int_equal(weft_session_create(dev, model, &keep, &b), WEFT_OK);
    weft_value_info p, q;
    assert_int_equal(weft_session_value(b, 0, &q, y, NET_COUNT), WEFT_ERR_ARGUMENT); // has not run
    net_fill(&got);
    assert_int_equal(net_run(a, &got), WEFT_OK);
    assert_int_equal(net_run(b, &got), WEFT_OK);
    int seen = 0;
    for (int v = 0;; v++) {
        const weft_result r = weft_session_value(a, v, &p, x, NET_COUNT), s = weft_session_value(b, v, &q, y, NET_COUNT);
        if (r == WEFT_ERR_ARGUMENT) break;
        assert_int_equal(r, s);
        if (r == WEFT_ERR_UNSUPPORTED) continue; // inputs and weights
        assert_string_equal(p.node, q.node);
        assert_true(weft_shape_count(p.shape) == NET_COUNT && weft_shape_count(q.shape) == NET_COUNT);
        assert_true(net_difference(y, x) < 1e-10);
        assert_int_equal(weft_session_value(b, v, &q, y, NET_COUNT - 1), WEFT_ERR_ARGUMENT);
        seen++;
    }
    assert_int_equal(seen, 8);
    weft_session_destroy(&a);
    weft_session_destroy(&b);
    weft_device_destroy(&reference);
}

static void fast_stores_half_and_stays_near(void **state)
{
    (void) state;
    need_vulkan();
    weft_session *s = NULL;
    net_data got;
    weft_session_facts exact, fast;
    if (!weft_device_get_info(dev)->f16_storage) {
        print_message("skipped: the device has no 16-bit storage\n");
        skip();
    }
    assert_int_equal(weft_session_create(dev, model, NULL, &s), WEFT_OK);
    weft_session_measure(s, &exact);
    weft_session_destroy(&s);
    assert_int_equal(weft_session_create(dev, model, &(weft_session_params) { .precision = WEFT_FAST }, &s), WEFT_OK);
    net_fill(&got);
    assert_int_equal(net_run(s, &got), WEFT_OK);
    weft_session_measure(s, &fast);
    weft_session_destroy(&s);
    assert_int_equal(fast.precision, WEFT_FAST);
    assert_true(net_equal(&got, &want, 5e-3));
    assert_false(net_equal(&got, &want, 1e-6)); // it did store half
}

// y = 2 x over more elements than one row of workgroups holds.
static void a_long_grid_is_folded(void **state)
{
    (void) state;
    need_vulkan();
    enum { LONG = 64 * 32768 * 2 + 12345 };
    weft_builder *b;
    weft_model *m = NULL;
    weft_session *s = NULL;
    float *x = malloc(LONG * sizeof *x), *y = calloc(LONG, sizeof *y);
    assert_true(x && y);
    for (int i = 0; i < LONG; i++) x[i] = (float) i;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    weft_build_entry(b, "main");
    const weft_value in = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(LONG));
    weft_build_output(b, "y", weft_build(b, "mul", WEFT_IN(in, weft_build_scalar(b, 2)), { 0 }));
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_OK);
    assert_int_equal(weft_session_create(dev, m, NULL, &s), WEFT_OK);
    const weft_io from = { "x", x, LONG * sizeof *x }, to = { "y", y, LONG * sizeof *y };
    assert_int_equal(weft_session_run(s, &from, 1, &to, 1), WEFT_OK);
    int wrong = 0;
    for (int i = 0; i < LONG; i++) wrong += y[i] != 2 * x[i];
    assert_int_equal(wrong, 0);
    weft_session_destroy(&s);
    weft_model_destroy(&m);
    free(x), free(y);
}

// Ports that no kernel touches: an input that is an output, a constant that is an output.
static void ports_need_no_kernel(void **state)
{
    (void) state;
    need_vulkan();
    weft_builder *b;
    weft_model *m = NULL;
    weft_session *s = NULL;
    float x[5] = { 1, 2, 3, 4, 5 }, y[5] = { 0 }, c[3] = { 0 };
    const float w[3] = { 7, 8, 9 };
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    weft_build_entry(b, "main");
    weft_build_output(b, "y", weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(5)));
    weft_build_output(b, "c", weft_build_weight(b, "w", WEFT_F32, (weft_shape) WEFT_SHAPE(3), w));
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_OK);
    assert_int_equal(weft_session_create(dev, m, NULL, &s), WEFT_OK);
    const weft_io from = { "x", x, sizeof x }, to[] = { { "y", y, sizeof y }, { "c", c, sizeof c } };
    assert_int_equal(weft_session_run(s, &from, 1, to, 2), WEFT_OK);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_equal(w, c, sizeof c);
    weft_session_destroy(&s);
    weft_model_destroy(&m);
}

static void *run_many(void *arg)
{
    bool *good = arg;
    weft_session *s = NULL;
    net_data got;
    *good = weft_session_create(dev, model, NULL, &s) == WEFT_OK;
    for (int i = 0; i < 5 && *good; i++) {
        net_fill(&got);
        *good = net_run(s, &got) == WEFT_OK && net_equal(&got, &want, 1e-5);
    }
    weft_session_destroy(&s);
    return NULL;
}

static void sessions_share_a_device_between_threads(void **state)
{
    (void) state;
    need_vulkan();
    bool good[3] = { false };
    pthread_t thread[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&thread[i], NULL, run_many, &good[i]), 0);
    for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < 3; i++) assert_true(good[i]);
}

static void a_session_outlives_its_model(void **state)
{
    (void) state;
    need_vulkan();
    weft_model *m = NULL;
    weft_session *s = NULL;
    net_data got;
    net_fill(&got);
    assert_int_equal(small_net(ctx, &m), WEFT_OK);
    assert_int_equal(weft_session_create(dev, m, NULL, &s), WEFT_OK);
    weft_model_destroy(&m);
    assert_int_equal(net_run(s, &got), WEFT_OK);
    assert_true(net_equal(&got, &want, 1e-5));
    weft_session_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_in_small_blocks_gives_the_same),
        cmocka_unit_test(a_tensor_beyond_the_limits_is_refused_by_name),
        cmocka_unit_test(work_in_many_slices_gives_the_same),
        cmocka_unit_test(progress_is_told_and_can_stop),
        cmocka_unit_test(a_step_without_a_watchdog_is_one_submission),
        cmocka_unit_test(a_stop_in_the_middle_of_a_step_leaves_whole_steps),
        cmocka_unit_test(a_session_goes_on_after_a_stop),
        cmocka_unit_test(a_session_keeps_to_its_memory),
        cmocka_unit_test(every_kept_value_is_that_of_the_reference),
        cmocka_unit_test(fast_stores_half_and_stays_near),
        cmocka_unit_test(a_long_grid_is_folded),
        cmocka_unit_test(ports_need_no_kernel),
        cmocka_unit_test(sessions_share_a_device_between_threads),
        cmocka_unit_test(a_session_outlives_its_model),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
