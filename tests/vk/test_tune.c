// SPDX-License-Identifier: MIT
// The tuner: what it measures is kept and taken again; a table that is damaged, out of date or cannot be written costs a warning and
// no more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "vk/tune.h"
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/build.h>

enum { CI = 8, CO = 12, SIDE = 16, IN = CI * SIDE * SIDE, OUT = CO * SIDE * SIDE, TEXT = 1 << 16 };
typedef struct numbers { float x[IN], y[OUT]; } numbers;

static weft_context *ctx;
static weft_model *model, *other, *computed;
static numbers want;
static char folder[] = "/tmp/weft-tune-XXXXXX", cache[64], table[80], last[2048];
static int usable;
static _Atomic int messages;

static void listen(void *user, weft_log_level level, const char *line)
{
    (void) user, (void) level;
    atomic_fetch_add(&messages, 1);
    snprintf(last, sizeof last, "%s", line);
}

static void see(void *user, const weft_device_info *info)
{
    (void) user;
    usable += info->kind == WEFT_DEVICE_VULKAN && !info->rejected;
}

typedef enum form { PLAIN, FLAT, COMPUTED } form; // FLAT: one row less; COMPUTED: weights that may be others in every run
static weft_result make_model(form f, weft_model **out)
{
    static float w[CO * CI * 9];
    weft_builder *b;
    for (int i = 0; i < CO * CI * 9; i++) w[i] = (float) (i * 29 % 83) / 256.0f - 0.15f;
    const weft_result r = weft_builder_create(ctx, &b);
    if (r != WEFT_OK) return r;
    weft_build_entry(b, "main");
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, CI, SIDE, SIDE));
    const weft_shape shape = WEFT_SHAPE(CO, CI, 3, 3);
    const weft_value k = f == COMPUTED ? weft_build_state(b, "k", WEFT_F32, shape, w) : weft_build_weight(b, "k", WEFT_F32, shape, w);
    weft_build_output(b, "y", weft_build(b, "conv2d", WEFT_IN(x, k), WEFT_NUM("pads", 1, 1, f != FLAT, 1)));
    return weft_builder_finish(&b, out);
}

// What this device gives; how many warnings it cost.
static int run_on(const weft_device_params *params, numbers *d)
{
    weft_device *dev = NULL;
    weft_session *s = NULL;
    const int before = atomic_load(&messages);
    for (int i = 0; i < IN; i++) d->x[i] = (float) (i * 37 % 101) / 64.0f - 0.75f;
    memset(d->y, 0xcd, sizeof d->y);
    assert_int_equal(weft_device_open(ctx, params, &dev), WEFT_OK);
    assert_int_equal(weft_session_create(dev, model, NULL, &s), WEFT_OK);
    assert_int_equal(weft_session_run(s, &(weft_io) { "x", d->x, sizeof d->x }, 1, &(weft_io) { "y", d->y, sizeof d->y }, 1), WEFT_OK);
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    return atomic_load(&messages) - before;
}

static int run(bool tune)
{
    static numbers got;
    const int warnings = run_on(&(weft_device_params) { .name = "vulkan", .cache_path = cache, .tune = tune }, &got);
    for (int i = 0; i < OUT; i++) assert_true(fabsf(got.y[i] - want.y[i]) < 1e-4f);
    return warnings;
}

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(&(weft_context_params) { .log = listen, .log_level = WEFT_LOG_WARN }, &ctx)) return 1;
    if (weft_device_list(ctx, see, NULL) || make_model(PLAIN, &model) || make_model(FLAT, &other) || make_model(COMPUTED, &computed) || !mkdtemp(folder)) return 1;
    snprintf(cache, sizeof cache, "%s/cache", folder);
    snprintf(table, sizeof table, "%s.tune", cache);
    run_on(&(weft_device_params) { .name = "reference" }, &want);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    remove(table);
    remove(cache);
    rmdir(folder);
    weft_model_destroy(&model);
    weft_model_destroy(&other);
    weft_model_destroy(&computed);
    weft_context_destroy(&ctx);
    return 0;
}

static void need_vulkan(void)
{
    if (usable) return;
    print_message("skipped: there is no Vulkan device\n");
    skip();
}

static size_t read_table(char text[TEXT])
{
    FILE *f = fopen(table, "rb");
    assert_non_null(f);
    const size_t n = fread(text, 1, TEXT - 1, f);
    text[n] = 0;
    fclose(f);
    return n;
}

static void write_table(const char *text, size_t n)
{
    FILE *f = fopen(table, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

// With another sum at its end, so that only what was changed on purpose is wrong.
static void write_signed(char text[TEXT])
{
    uint64_t h = 0xcbf29ce484222325u;
    char *sum = strstr(text, "\nsum ");
    assert_non_null(sum);
    for (const char *p = text; p <= sum; p++) h = (h ^ (uint8_t) *p) * 0x100000001b3u;
    snprintf(sum + 1, 32, "sum %016llx\n", (unsigned long long) h);
    write_table(text, strlen(text));
}

static void without_tuning_no_table_is_written(void **state)
{
    (void) state;
    need_vulkan();
    assert_int_equal(run(false), 0);
    assert_int_not_equal(access(table, F_OK), 0);
}

static void what_was_measured_is_in_the_table(void **state)
{
    (void) state;
    need_vulkan();
    char text[TEXT], again[TEXT];
    assert_int_equal(run(true), 0);
    read_table(text);
    assert_non_null(strstr(text, "\tconv2d pads=1,1,1,1 [1,8,16,16]/image/f32 [12,8,3,3]/kernel/f32/constant [1,12,16,16]/image/f32\n"));
    assert_int_equal(run(true), 0); // knows it already
    read_table(again);
    assert_string_equal(text, again);
    assert_int_equal(run(false), 0);
}

// The way that a device opened on this cache takes for `key`, of two that are made up.
static int taken(const char *key)
{
    static const weft_way ways[] = { { "first", { 0 } }, { "second", { 8, 4 } } };
    weft_device_params params = { .name = "vulkan", .cache_path = cache };
    weft_vk_device *dev = NULL;
    assert_int_equal(weft_vk_open(ctx, &params, &dev), WEFT_OK);
    const int way = weft_vk_tuner_choose(&(weft_vk_tuning) { dev->tuner, NULL }, NULL, key, ways, 2);
    weft_vk_close(dev);
    return way;
}

static void the_table_decides_where_it_names_a_way_that_there_is(void **state)
{
    (void) state;
    need_vulkan();
    char text[TEXT];
    read_table(text);
    char *sum = strstr(text, "sum ");
    strcpy(sum, "12\tsecond 8 4\tone\n12\tsecond 8 5\ttwo\n12\tsecond 8 4\nlater\tsecond 8 4\tfour\nsum \n");
    write_signed(text);
    const int before = atomic_load(&messages);
    assert_int_equal(taken("one"), 1);
    assert_int_equal(taken("two"), 0);   // not of the list
    assert_int_equal(taken("three"), 0); // unknown
    assert_int_equal(taken("four"), 0);  // a line that cannot be read
    assert_int_equal(atomic_load(&messages), before);
    assert_int_equal(run(true), 0);
}

static void a_damaged_table_costs_a_warning(void **state)
{
    (void) state;
    need_vulkan();
    char text[TEXT], harmed[TEXT];
    remove(table);
    assert_int_equal(run(true), 0);
    const size_t n = read_table(text);
    for (size_t cut = 0; cut < n; cut += cut < 16 || cut + 40 > n ? 1 : 37) {
        write_table(text, cut);
        const int before = atomic_load(&messages);
        assert_int_equal(taken("one"), 0);
        assert_int_equal(atomic_load(&messages), before + 1);
    }
    for (size_t at = 0; at < n; at += 23) {
        memcpy(harmed, text, n);
        harmed[at] ^= 1;
        write_table(harmed, n);
        const int before = atomic_load(&messages);
        assert_int_equal(taken("one"), 0);
        assert_int_equal(atomic_load(&messages), before + 1);
    }
    assert_int_equal(run(true), 1);
    assert_non_null(strstr(last, table));
    assert_int_equal(run(true), 0); // written anew
}

static void a_table_of_other_kernels_costs_a_warning(void **state)
{
    (void) state;
    need_vulkan();
    char text[TEXT];
    read_table(text);
    char *end = strchr(strstr(text, "device "), '\n');
    end[-1] = end[-1] == '0' ? '1' : '0'; // of the hash of the kernels
    write_signed(text);
    assert_int_equal(run(true), 1);
    assert_non_null(strstr(last, "tune again"));
    assert_int_equal(run(true), 0); // measured again, and the old section is gone
}

static void other_devices_keep_their_sections(void **state)
{
    (void) state;
    need_vulkan();
    char text[TEXT];
    read_table(text);
    strcpy(strstr(text, "sum "), "device ffff:0001 00000000 0 0\n7\tsecond 8 4\tone\nsum \n");
    write_signed(text);
    assert_int_equal(taken("one"), 0);
    char *line = strstr(text, "\tconv2d pads"); // something new to measure
    line[1] = 'X';
    write_signed(text);
    assert_int_equal(run(true), 0);
    read_table(text);
    assert_non_null(strstr(text, "device ffff:0001 00000000 0 0\n7\tsecond 8 4\tone\nsum "));
    assert_non_null(strstr(text, "\tconv2d pads"));
}

// What is made of constant weights is made once, and so a way may win that loses where they are computed.
static void constant_weights_are_measured_apart(void **state)
{
    (void) state;
    need_vulkan();
    weft_device *dev;
    weft_session *s;
    char text[TEXT];
    assert_int_equal(run(true), 0);
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .cache_path = cache, .tune = 1 }, &dev), WEFT_OK);
    assert_int_equal(weft_session_create(dev, computed, NULL, &s), WEFT_OK);
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    read_table(text);
    assert_non_null(strstr(text, "\tconv2d pads=1,1,1,1 [1,8,16,16]/image/f32 [12,8,3,3]/kernel/f32/constant [1,12,16,16]/image/f32\n"));
    assert_non_null(strstr(text, "\tconv2d pads=1,1,1,1 [1,8,16,16]/image/f32 [12,8,3,3]/kernel/f32 [1,12,16,16]/image/f32\n"));
}

// As by two programs at the same time: neither takes away what the other found out.
static void two_that_measure_at_once_share_the_table(void **state)
{
    (void) state;
    need_vulkan();
    weft_device *dev[2];
    weft_session *s[2];
    char text[TEXT];
    remove(table);
    for (int i = 0; i < 2; i++)
        assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .cache_path = cache, .tune = 1 }, &dev[i]), WEFT_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weft_session_create(dev[i], i ? other : model, NULL, &s[i]), WEFT_OK);
        read_table(text); // whatever happens to this process
        assert_non_null(strstr(text, i ? "\tconv2d pads=1,1,0,1" : "\tconv2d pads=1,1,1,1"));
    }
    for (int i = 0; i < 2; i++) weft_session_destroy(&s[i]), weft_device_destroy(&dev[i]);
    read_table(text);
    assert_non_null(strstr(text, "\tconv2d pads=1,1,1,1 [1,8,16,16]"));
    assert_non_null(strstr(text, "\tconv2d pads=1,1,0,1 [1,8,16,16]"));
    assert_non_null(strstr(text, "device ")), assert_null(strstr(strstr(text, "device ") + 1, "device ")); // one section
    assert_int_equal(run(true), 0);
}

static void a_table_that_cannot_be_written_costs_a_warning(void **state)
{
    (void) state;
    need_vulkan();
    static numbers got;
    char text[TEXT];
    remove(table);
    assert_int_equal(mkdir(table, 0700), 0); // even root cannot write this
    assert_int_equal(run_on(&(weft_device_params) { .name = "vulkan", .cache_path = cache, .tune = 1 }, &got), 2); // read, write
    assert_non_null(strstr(last, "not saved"));
    for (int i = 0; i < OUT; i++) assert_true(fabsf(got.y[i] - want.y[i]) < 1e-4f);
    rmdir(table);
    assert_int_equal(run(true), 0);
    assert_true(read_table(text) > 0);
}

static int lose_device(void *user, const char *call) { return (void) user, strcmp(call, "vkQueueSubmit") ? 0 : -4; } // VK_ERROR_DEVICE_LOST

static void a_lost_device_ends_the_trials(void **state)
{
    (void) state;
    need_vulkan();
    weft_device *dev;
    weft_session *s;
    remove(table);
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .cache_path = cache, .tune = 1 }, &dev), WEFT_OK);
    const int before = atomic_load(&messages);
    ctx->outside = lose_device;
    assert_int_equal(weft_session_create(dev, model, NULL, &s), WEFT_ERR_DEVICE_LOST);
    ctx->outside = NULL;
    assert_int_equal(atomic_load(&messages), before + 1); // of one way, not of each
    weft_device_destroy(&dev);
    assert_int_not_equal(access(table, F_OK), 0); // nothing was found out
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_tuning_no_table_is_written),
        cmocka_unit_test(what_was_measured_is_in_the_table),
        cmocka_unit_test(the_table_decides_where_it_names_a_way_that_there_is),
        cmocka_unit_test(a_damaged_table_costs_a_warning),
        cmocka_unit_test(a_table_of_other_kernels_costs_a_warning),
        cmocka_unit_test(other_devices_keep_their_sections),
        cmocka_unit_test(a_lost_device_ends_the_trials),
        cmocka_unit_test(constant_weights_are_measured_apart),
        cmocka_unit_test(two_that_measure_at_once_share_the_table),
        cmocka_unit_test(a_table_that_cannot_be_written_costs_a_warning),
    };
    return cmocka_run_group_tests_name("tune", tests, set_up, tear_down);
}
