// SPDX-License-Identifier: MIT
// Times by the device's clock: every node told once a run with what computed it, sums that fit into the whole, nothing made up where
// a device has no timestamps, and the same numbers as without. With the validation layer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "small_net.h"
#include "state_net.h"
#include "vk/inside.h"
#include <stdio.h>
#include <weft/measure.h>

static _Atomic int messages;
static weft_context *ctx;
static weft_device *dev;   // NULL: there is none
static weft_vk_device *vk; // the same device, opened so that its insides can be turned
static weft_model *model, *states_model;
static net_data want;
static state_data want_states;

static void listen(void *user, weft_log_level level, const char *line)
{
    (void) user, (void) level;
    if (atomic_fetch_add(&messages, 1) < 10) fprintf(stderr, "log: %s\n", line);
}

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(&(weft_context_params) { .log = listen, .log_level = WEFT_LOG_WARN }, &ctx)) return 1;
    if (small_net(ctx, &model) || net_reference(ctx, model, &want)) return 1;
    if (state_net(ctx, &states_model) || state_reference(ctx, states_model, &want_states)) return 1;
    const weft_device_params params = { .name = "vulkan", .validate = 1 };
    const weft_result r = weft_device_open(ctx, &params, &dev);
    if (r == WEFT_OK && weft_vk_open(ctx, &params, &vk)) return 1;
    return r != WEFT_OK && r != WEFT_ERR_NO_DEVICE;
}

static int tear_down(void **state)
{
    (void) state;
    weft_model_destroy(&model);
    weft_model_destroy(&states_model);
    weft_vk_close(vk);
    weft_device_destroy(&dev);
    weft_context_destroy(&ctx);
    return atomic_load(&messages) != 0;
}

static void need_vulkan(void)
{
    if (dev) return;
    print_message("skipped: there is no Vulkan device\n");
    skip();
}

typedef struct told { // of one session
    int nodes, unknown, odd; // odd: nodes without a name, a kernel or bytes
    double ms;
} told;

static void tell(void *user, const weft_node_time *t)
{
    told *all = user;
    all->nodes++;
    if (!t->op || !t->node || !t->kernel || !t->way || strncmp(t->way, t->kernel, strlen(t->kernel)) || t->bytes < 8 || t->flops < 1) all->odd++;
    if (t->gpu_ms < 0) all->unknown++;
    else all->ms += t->gpu_ms;
}

// One run of the small network on `d`.
static void run_small(weft_device *d, bool timing, told *all, weft_session_facts *facts)
{
    weft_session *s;
    net_data got;
    *all = (told) { 0 };
    net_fill(&got);
    const weft_session_params params = { .timing = timing ? tell : NULL, .timing_user = all, .time_device = 1 };
    assert_int_equal(weft_session_create(d, model, &params, &s), WEFT_OK);
    weft_session_measure(s, facts);
    assert_true(facts->gpu_ms < 0); // nothing ran
    assert_int_equal(net_run(s, &got), WEFT_OK);
    assert_true(net_equal(&got, &want, 1e-5));
    weft_session_measure(s, facts);
    if (timing) {
        const told one = *all;
        assert_int_equal(weft_session_repeat(s, 3), WEFT_OK);
        assert_int_equal(all->nodes, 4 * one.nodes);
        *all = one;
    }
    weft_session_destroy(&s);
}

static void every_node_is_timed(void **state)
{
    (void) state;
    need_vulkan();
    told all;
    weft_session_facts facts;
    run_small(dev, true, &all, &facts);
    assert_true(all.nodes > 3 && all.nodes <= facts.dispatches);
    assert_int_equal(all.odd, 0);
    if (!vk->stamp_bits) return;
    assert_int_equal(all.unknown, 0);
    assert_true(facts.gpu_ms > 0 && all.ms <= facts.gpu_ms * (1 + 1e-9)); // one clock, one kernel at a time
}

static void a_run_is_timed_as_a_whole(void **state)
{
    (void) state;
    need_vulkan();
    told all;
    weft_session_facts facts;
    run_small(dev, false, &all, &facts);
    assert_int_equal(all.nodes, 0);
    assert_true(vk->stamp_bits ? facts.gpu_ms > 0 : facts.gpu_ms < 0);
}

static void a_device_without_timestamps_makes_nothing_up(void **state)
{
    (void) state;
    need_vulkan();
    weft_device *bare;
    told all;
    weft_session_facts facts;
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .validate = 1, .no_optional = 1 }, &bare), WEFT_OK);
    run_small(bare, true, &all, &facts);
    assert_true(all.nodes > 3);
    assert_int_equal(all.unknown, all.nodes);
    assert_int_equal(all.odd, 0);
    assert_true(facts.gpu_ms < 0);
    weft_device_destroy(&bare);
}

static void steps_with_states_are_timed(void **state)
{
    (void) state;
    need_vulkan();
    weft_session *s;
    state_data got;
    told all = { 0 };
    assert_int_equal(weft_session_create(dev, states_model, &(weft_session_params) { .timing = tell, .timing_user = &all }, &s), WEFT_OK);
    assert_int_equal(state_run(s, &got), WEFT_OK);
    assert_true(state_equal(&got, &want_states));
    assert_int_equal(all.nodes % 7, 0); // seven steps
    assert_true(all.nodes > 0);
    weft_session_destroy(&s);
}

static void the_processor_counts_bytes_too(void **state)
{
    (void) state;
    weft_device *cpu;
    weft_session *s;
    net_data got;
    weft_session_facts facts;
    told all = { 0 };
    net_fill(&got);
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "cpu" }, &cpu), WEFT_OK);
    assert_int_equal(weft_session_create(cpu, model, &(weft_session_params) { .timing = tell, .timing_user = &all, .time_device = 1 }, &s), WEFT_OK);
    assert_int_equal(net_run(s, &got), WEFT_OK);
    weft_session_measure(s, &facts);
    assert_true(all.nodes > 3 && all.unknown == all.nodes && facts.gpu_ms < 0);
    weft_session_destroy(&s);
    weft_device_destroy(&cpu);
}

static void check_peaks(weft_device *d, bool half, bool submits)
{
    weft_peaks *p;
    assert_int_equal(weft_peaks_create(d, &p), WEFT_OK);
    for (int k = 0; k < WEFT_PEAKS; k++) {
        double value = -1;
        const bool there = k == WEFT_PEAK_F16 ? half : k == WEFT_PEAK_SUBMIT || k == WEFT_PEAK_HAND_OVER ? submits : k != WEFT_PEAK_MATRIX;
        if (k == WEFT_PEAK_MATRIX && weft_device_get_info(d)->matrix_units) continue;
        for (int i = 0; i < 2; i++) assert_int_equal(weft_peaks_sample(p, (weft_peak) k, &value), there ? WEFT_OK : WEFT_ERR_UNSUPPORTED);
        assert_true(there ? value > 0 && value < 1e18 : value == -1);
    }
    weft_peaks_destroy(&p);
    assert_null(p);
}

static void peaks_are_numbers_or_not_there(void **state)
{
    (void) state;
    weft_device *cpu, *bare;
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "cpu" }, &cpu), WEFT_OK);
    check_peaks(cpu, false, false);
    weft_device_destroy(&cpu);
    need_vulkan();
    check_peaks(dev, vk->f16_arithmetic, true);
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .validate = 1, .no_optional = 1 }, &bare), WEFT_OK);
    check_peaks(bare, false, true);
    weft_device_destroy(&bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_is_timed),
        cmocka_unit_test(a_run_is_timed_as_a_whole),
        cmocka_unit_test(a_device_without_timestamps_makes_nothing_up),
        cmocka_unit_test(steps_with_states_are_timed),
        cmocka_unit_test(the_processor_counts_bytes_too),
        cmocka_unit_test(peaks_are_numbers_or_not_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
