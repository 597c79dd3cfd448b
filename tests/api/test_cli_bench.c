// SPDX-License-Identifier: MIT
// weft bench: its files say what the schema says, its figures follow from its samples, a wrong answer voids them, and its exit codes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli.h"
#include "schema.h"
#include "../nets/small_stylegan.h"
#include <math.h>
#include <sys/stat.h>

static cJSON *schema;

static char *read_text(const char *path)
{
    static char room[1 << 22];
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("there is no %s", path);
    room[fread(room, 1, sizeof room - 1, f)] = 0;
    fclose(f);
    return room;
}

static cJSON *read_json(const char *name)
{
    cJSON *top = cJSON_Parse(read_text(in_folder(name)));
    assert_non_null(top);
    *schema_error = 0;
    if (!schema_check(schema, schema, top, "$")) fail_msg("%s: %s", name, schema_error);
    return top;
}

static const cJSON *get(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    if (!v) fail_msg("there is no %s", name);
    return v;
}
static double number(const cJSON *o, const char *name) { return get(o, name)->valuedouble; }
static const char *string(const cJSON *o, const char *name) { return cJSON_IsString(get(o, name)) ? get(o, name)->valuestring : ""; }

static int ascending(const void *a, const void *b)
{
    const double d = *(const double *) a - *(const double *) b;
    return d < 0 ? -1 : d > 0;
}
static double median_of(const double *sorted, int n) { return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2; }

// Median, distance and interval again, by another way than the program's: probabilities are summed from Pascal's triangle.
static void check_stat(const cJSON *s, int least)
{
    double x[64], apart[64], row[66] = { 1 };
    const cJSON *list = get(s, "samples"), *e;
    int n = 0, low = 1;
    cJSON_ArrayForEach(e, list) {
        assert_true(n < 64 && e->valuedouble >= 0);
        x[n++] = e->valuedouble;
    }
    assert_true(n >= least);
    qsort(x, (size_t) n, sizeof *x, ascending);
    const double median = median_of(x, n);
    for (int i = 0; i < n; i++) apart[i] = fabs(x[i] - median);
    qsort(apart, (size_t) n, sizeof *apart, ascending);
    for (int i = 1; i <= n; i++)
        for (int k = i; k > 0; k--) row[k] += row[k - 1];
    double below = 0;
    for (int k = 0; k < n / 2; k++) {
        below += row[k] / ldexp(1, n);
        if (below <= 0.025) low = k + 1;
    }
    assert_true(fabs(number(s, "median") - median) <= 1e-12 * median);
    assert_true(fabs(number(s, "mad") - median_of(apart, n)) <= 1e-12 * median);
    assert_true(number(s, "low") == x[low - 1] && number(s, "high") == x[n - low]);
}

static const cJSON *rows_of(const cJSON *top) { return get(top, "results"); }

static void check_rows(const cJSON *top, int least)
{
    const cJSON *r;
    cJSON_ArrayForEach(r, rows_of(top)) {
        if (*string(r, "error")) fail_msg("%s: %s", string(r, "name"), string(r, "error"));
        check_stat(get(r, "time"), least);
        if (!cJSON_IsNull(get(r, "gpu"))) check_stat(get(r, "gpu"), least);
        assert_true(number(r, "flops") > 0 && number(r, "bytes") > 0 && number(r, "peak_bytes") > 0);
        const cJSON *e;
        double flops = 0;
        cJSON_ArrayForEach(e, get(r, "operators")) flops += number(e, "flops");
        assert_true(flops > 0);
        const cJSON *gate = get(r, "gate");
        if (!cJSON_IsNull(gate)) assert_int_equal(cJSON_IsTrue(get(r, "void")), !(number(gate, "difference") <= number(gate, "limit")));
    }
}

static bool has_vulkan(void) { return weft("bench peak --no-peak --device vulkan") == 0; }

#define SMALL "--model small.weft --filter small.weft:synthesis --seconds 0 --samples 7"

static void nets_on_the_processor(void **state)
{
    (void) state;
    assert_code(0, "bench nets " SMALL " --device cpu --json cpu.json --csv cpu.csv --markdown cpu.md");
    cJSON *top = read_json("cpu.json");
    assert_int_equal(cJSON_GetArraySize(rows_of(top)), 4); // synthesis, _noise, _none, _styles
    check_rows(top, 7);
    assert_string_equal(string(get(top, "device"), "kind"), "cpu");
    const cJSON *first = cJSON_GetArrayItem(rows_of(top), 0), *share = get(first, "share"), *peak = get(top, "peak");
    static const char *const there[] = { "f32_flops", "read_bytes", "copy_bytes", "launch_seconds" };
    for (size_t i = 0; i < sizeof there / sizeof *there; i++) check_stat(get(peak, there[i]), 7);
    assert_true(cJSON_IsNull(get(peak, "matrix_flops")));
    const double seconds = 1e-3 * number(get(first, "time"), "median"), compute = number(first, "flops") / number(get(peak, "f32_flops"), "median") / seconds;
    assert_true(fabs(number(share, "compute") - compute) < 1e-6 * compute);
    assert_true(number(share, string(share, "bound")) >= number(share, "compute") && number(share, string(share, "bound")) >= number(share, "bandwidth"));
    assert_string_equal(string(get(first, "gate"), "against"), "reference");
    assert_true(cJSON_IsNull(get(first, "gpu")));
    assert_true(cJSON_IsNull(get(get(first, "session"), "submit_ms")) && number(get(first, "session"), "workspace_least_bytes") > 0);
    assert_true(number(get(get(first, "starts"), "cold"), "create_ms") > 0 && cJSON_IsNull(get(get(first, "starts"), "warm"))); // nothing is kept
    cJSON_Delete(top);
    const char *table = read_text(in_folder("cpu.md"));
    assert_non_null(strstr(table, "| nets/small.weft:synthesis |"));
    assert_non_null(strstr(table, "| nets/small.weft:synthesis | cold |"));
    char *csv = read_text(in_folder("cpu.csv"));
    int lines = 0;
    for (char *c = csv; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 5);
}

static void check_start(const cJSON *s, double whole, double median)
{
    const bool later = cJSON_IsNumber(get(s, "run_ms")); // not where a run takes seconds
    const double all = number(s, "create_ms") + number(s, "first_ms"), cost = all - (later ? number(s, "run_ms") : median);
    assert_true(fabs(all - whole) <= 1e-9 * whole);
    assert_true(fabs(number(s, "cost_ms") - (cost > 0 ? cost : 0)) <= 1e-9 * all);
    assert_true(number(s, "open_ms") > 0 && number(s, "first_ms") > 0 && number(s, "pipelines_new") > 0);
    assert_true(number(s, "create_ms") >= number(s, "pipelines_ms") && number(s, "pipelines_ms") > 0);
}

static void nets_on_vulkan(void **state)
{
    (void) state;
    if (!has_vulkan()) skip();
    assert_code(0, "bench nets --model small.weft --filter small.weft:synthesis_none --seconds 0 --samples 12 --device vulkan --json vk.json");
    cJSON *top = read_json("vk.json");
    assert_int_equal(cJSON_GetArraySize(rows_of(top)), 1);
    check_rows(top, 12);
    const cJSON *r = cJSON_GetArrayItem(rows_of(top), 0);
    assert_string_equal(string(get(r, "gate"), "against"), "cpu");
    assert_false(cJSON_IsNull(get(get(top, "peak"), "submit_seconds")));
    assert_true(number(r, "dispatches") > 0);
    const cJSON *session = get(r, "session"), *starts = get(r, "starts");
    assert_true(number(session, "create_ms") >= number(session, "pipelines_ms") && number(session, "pipelines_new") > 0);
    assert_true(number(session, "submissions") >= 1 && number(session, "submit_ms") > 0 && number(session, "submit_ms") < number(get(r, "time"), "median"));
    const double least = number(session, "workspace_least_bytes");
    assert_true(number(session, "workspace_bytes") >= least && number(session, "workspace_bytes") < 1.15 * least);
    check_start(get(starts, "cold"), number(r, "cold_ms"), number(get(r, "time"), "median"));
    check_start(get(starts, "warm"), number(r, "warm_ms"), number(get(r, "time"), "median"));
    assert_true(number(get(starts, "cold"), "pipelines_new") == number(get(starts, "warm"), "pipelines_new")); // made, or taken from the cache
    check_stat(get(get(top, "peak"), "hand_over_seconds"), 12);
    const cJSON *e;
    cJSON_ArrayForEach(e, get(r, "operators")) assert_true(*string(e, "kernel") && *string(e, "way"));
    cJSON_Delete(top);
}

static void operators(void **state)
{
    (void) state;
    assert_code(0, "bench ops --no-peak --seconds 0 --samples 3 --filter 'matmul case' --device cpu --json ops.json");
    cJSON *top = read_json("ops.json");
    assert_true(cJSON_GetArraySize(rows_of(top)) > 2);
    check_rows(top, 3);
    cJSON_Delete(top);
    assert_code(0, "bench ops --no-peak --seconds 0 --samples 1 --filter 'pix2pix 32 conv' --device cpu --json layers.json");
    top = read_json("layers.json");
    check_rows(top, 1);
    assert_int_equal(cJSON_GetArraySize(rows_of(top)), 3); // forward, by x, by w: as many flops each
    for (int i = 0; i < 3; i++) {
        const double flops = number(cJSON_GetArrayItem(rows_of(top), i), "flops");
        assert_true(flops > 1.07e9 && flops < 1.08e9);
    }
    cJSON_Delete(top);
    if (!has_vulkan()) skip();
    assert_code(0, "bench ops --no-peak --seconds 0 --samples 3 --filter 'matmul case 0' --device vulkan --json vkops.json");
    top = read_json("vkops.json");
    check_rows(top, 3);
    const cJSON *e, *r = cJSON_GetArrayItem(rows_of(top), 0);
    int products = 0;
    cJSON_ArrayForEach(e, get(r, "operators")) products += !strcmp(string(e, "op"), "matmul");
    assert_int_equal(products, 1);
    cJSON_Delete(top);
}

// Where nodes are timed each run is a submission of its own, however many make a sample: no driver takes one in less than 20 ns.
static void a_submission_is_one_submission(void **state)
{
    (void) state;
    if (!has_vulkan()) skip();
    assert_code(0, "bench ops --no-peak --no-gate --filter 'matmul case 0' --quick --seconds 100 --most-seconds 0 --device vulkan --json submit.json");
    cJSON *top = read_json("submit.json");
    const cJSON *r = cJSON_GetArrayItem(rows_of(top), 0);
    assert_true(number(get(r, "session"), "submit_ms") > 2e-5);
    cJSON_Delete(top);
}

static void steps_of_an_inversion(void **state)
{
    (void) state;
    assert_code(0, "bench invert --no-peak --no-cold --seconds 0 --samples 2 --filter garment --device cpu --json invert.json");
    cJSON *top = read_json("invert.json");
    assert_int_equal(cJSON_GetArraySize(rows_of(top)), 1);
    check_rows(top, 2);
    const cJSON *e, *r = cJSON_GetArrayItem(rows_of(top), 0);
    bool adam = false;
    cJSON_ArrayForEach(e, get(r, "operators")) adam |= !strcmp(string(e, "op"), "adam");
    assert_true(adam && cJSON_IsTrue(get(get(r, "gate"), "passed")));
    cJSON_Delete(top);
    assert_code(0, "bench invert --list");
    assert_says("invert/stylegan2-256, w+, l2 and lpips");
}

// Published networks need no checkpoint: random numbers in tensors of the published shapes.
static void networks_of_published_shapes(void **state)
{
    (void) state;
    assert_code(0, "bench nets --no-peak --no-cold --no-gate --seconds 0 --samples 1 --filter 'pix2pix u-net 256' --device cpu --json pix.json");
    cJSON *top = read_json("pix.json");
    check_rows(top, 1);
    assert_int_equal(cJSON_GetArraySize(rows_of(top)), 1);
    const double flops = number(cJSON_GetArrayItem(rows_of(top), 0), "flops");
    assert_true(flops > 11.9e9 && flops < 12.4e9); // 6.06 billion multiply-adds, as its authors' network has
    cJSON_Delete(top);
    assert_code(0, "bench nets --list");
    static const char *const rows[] = { "stylegan2-256", "stylegan2-1024", "deepfill-v2 512", "vgg-16", "clip vit-b/32" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) assert_says(rows[i]);
}

static void a_wrong_answer_voids_the_figures(void **state)
{
    (void) state;
    assert_code(1, "bench nets --model small.weft --filter small.weft:synthesis_none --no-cold --no-peak --seconds 0 --samples 2 --device cpu --gate-limit 0 --json void.json");
    assert_says("VOID");
    cJSON *top = read_json("void.json");
    check_rows(top, 2);
    const cJSON *r = cJSON_GetArrayItem(rows_of(top), 0);
    assert_true(cJSON_IsTrue(get(r, "void")) && cJSON_IsFalse(get(get(r, "gate"), "passed")));
    cJSON_Delete(top);
    assert_code(0, "bench nets --model small.weft --filter small.weft:synthesis_none --no-cold --no-peak --seconds 0 --samples 2 --device cpu --no-gate --json open.json");
    top = read_json("open.json");
    assert_true(cJSON_IsNull(get(cJSON_GetArrayItem(rows_of(top), 0), "gate")));
    cJSON_Delete(top);
}

static void a_row_that_fails_does_not_stop_the_others(void **state)
{
    (void) state;
    FILE *f = fopen(in_folder("broken.weft"), "w");
    fputs("this is no model", f);
    fclose(f);
    assert_code(1, "bench nets --model broken.weft --model small.weft --filter small.weft:synthesis_none --no-cold --no-peak --seconds 0 --samples 2 --device cpu --json err.json");
    cJSON *top = read_json("err.json");
    assert_int_equal(cJSON_GetArraySize(rows_of(top)), 2);
    assert_true(*string(cJSON_GetArrayItem(rows_of(top), 0), "error") && cJSON_IsNull(get(cJSON_GetArrayItem(rows_of(top), 0), "time")));
    assert_true(!*string(cJSON_GetArrayItem(rows_of(top), 1), "error"));
    cJSON_Delete(top);
}

// An input of 2^40 numbers is more than any device takes.
static void what_a_device_cannot_run_is_no_failure(void **state)
{
    (void) state;
    if (!has_vulkan()) skip();
    weft_builder *b;
    weft_model *m;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1 << 10, 1 << 15, 1 << 15));
    weft_build_output(b, "y", weft_build_op(b, "relu", WEFT_IN(x), NULL, 0));
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_OK);
    assert_int_equal(weft_model_save(m, in_folder("huge.weft")), WEFT_OK);
    weft_model_destroy(&m);
    assert_code(0, "bench nets --model huge.weft --filter huge --no-peak --device vulkan --json huge.json --markdown huge.md --csv huge.csv");
    assert_says("not run because");
    cJSON *top = read_json("huge.json");
    const cJSON *r = cJSON_GetArrayItem(rows_of(top), 0);
    assert_true(cJSON_IsTrue(get(r, "not_run")) && *string(r, "error") && cJSON_IsNull(get(r, "time")) && cJSON_IsNull(get(r, "session")));
    cJSON_Delete(top);
    assert_non_null(strstr(read_text(in_folder("huge.md")), "not run because"));
    assert_non_null(strstr(read_text(in_folder("huge.csv")), ",yes,"));
}

static void slow_rows_end_with_fewer_samples(void **state)
{
    (void) state;
    const struct { const char *options; int samples; } turns[] = {
        { "--seconds 0 --samples 50 --most-seconds 0", 5 }, { "--quick --most-seconds 0", 3 }, { "--seconds 0 --samples 2 --most-seconds 0", 2 },
    };
    for (int i = 0; i < 3; i++) {
        char command[256];
        snprintf(command, sizeof command, "bench nets --model small.weft --filter synthesis_none --no-cold --no-peak --no-gate --device cpu --json few.json %s", turns[i].options);
        assert_code(0, command);
        assert_says("(1 of 1)");
        cJSON *top = read_json("few.json");
        assert_int_equal(cJSON_GetArraySize(get(get(cJSON_GetArrayItem(rows_of(top), 0), "time"), "samples")), turns[i].samples);
        assert_true(number(get(top, "settings"), "most_seconds") == 0);
        cJSON_Delete(top);
    }
    assert_code(2, "bench nets --most-seconds -1");
}

static void exit_codes(void **state)
{
    (void) state;
    assert_code(2, "bench nest");
    assert_says("nets");
    assert_code(2, "bench nets --seconds -1");
    assert_code(2, "bench nets --gate-limit x");
    assert_code(3, "bench nets --device no-such-device");
    assert_code(2, "bench nets --seconds inf");
    assert_code(2, "bench nets --gate-limit inf");
    assert_code(2, "bench nets --json - --csv -");
    assert_code(2, "bench --no-peak --filter nothing --device cpu");
    assert_says("no row has 'nothing' in its name");
    assert_code(0, "bench peak --no-peak --filter nothing --device cpu");
    assert_code(1, "bench nets --device cpu --json no/such/folder.json"); // before anything is measured
    assert_null(strstr(text, "nets/"));
    assert_code(1, "bench nets --device cpu --csv .");
    assert_code(1, "bench peak --no-peak --device cpu > /dev/full");
    assert_code(0, "bench --list --model small.weft --filter small.weft");
    assert_says("nets/small.weft:mapping");
    assert_code(1, "bench --list nets --model no-such.weft");
    assert_code(0, "help bench");
}

static void a_stop_keeps_what_was_measured(void **state)
{
    (void) state;
    const int code = weft("bench nets --model small.weft --filter small.weft:synthesis_none --no-cold --no-peak --seconds 600 --device cpu --json stop.json 2>&1 "
                          "& sleep 3; kill -INT $!; wait $!");
    if (code != 1) fail_msg("exit code %d: %s", code, text);
    assert_says("stopped");
    cJSON *top = read_json("stop.json");
    assert_true(cJSON_IsTrue(get(top, "stopped")));
    assert_true(cJSON_GetArraySize(rows_of(top)) <= 1); // a slow machine may not have begun
    cJSON_Delete(top);
}

static void a_time_limit_keeps_it_too(void **state)
{
    (void) state;
    const int code = weft("help > /dev/null && cd '%s' && timeout 3 '%s' bench nets --model small.weft --filter small.weft:synthesis_none --no-cold --no-peak --seconds 600 "
                          "--most-seconds 600 --device cpu --json limit.json", folder, program);
    if (code != 124) fail_msg("exit code %d: %s", code, text); // what `timeout` says when it had to stop a program, and that program ended
    cJSON *top = read_json("limit.json");
    assert_true(cJSON_IsTrue(get(top, "stopped")));
    cJSON_Delete(top);
}

static void models_of_one_name_are_told_apart(void **state)
{
    (void) state;
    assert_code(0, "bench --list nets --model small.weft --model ./small.weft --filter synthesis_none");
    assert_says("nets/small.weft:synthesis_none\nnets/small.weft (2):synthesis_none\n");
    assert_code(0, "bench nets --model small.weft --model ./small.weft --filter synthesis_none --no-peak --no-gate --seconds 0 --samples 5 --device cpu --json two.json");
    cJSON *top = read_json("two.json");
    for (int i = 0; i < 2; i++) assert_true(cJSON_IsObject(get(get(cJSON_GetArrayItem(rows_of(top), i), "starts"), "cold")));
    cJSON_Delete(top);
    assert_code(0, "compare two.json two.json");
}

static void what_is_no_file_stays_what_it_is(void **state)
{
    (void) state;
    struct stat st;
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(symlink("open.json", in_folder("link.json")), 0);
    assert_code(0, "bench peak --no-peak --device cpu --markdown link.json --json pipe & cat '%s'", in_folder("pipe"));
    assert_says("\"weft-bench\"");
    assert_true(!lstat(in_folder("pipe"), &st) && S_ISFIFO(st.st_mode));
    assert_true(!lstat(in_folder("link.json"), &st) && S_ISLNK(st.st_mode));
    assert_non_null(strstr(read_text(in_folder("open.json")), "weft 0."));
    assert_code(0, "bench peak --no-peak --device cpu --json /dev/stdout | cat");
    assert_says("\"weft-bench\"");
    assert_true(!lstat("/dev/stdout", &st) && S_ISLNK(st.st_mode));
}

static void nothing_half_written_is_left(void **state)
{
    (void) state;
    assert_false(exists("no"));
    assert_true(exists("cpu.json"));
}

static int set_up(void **state)
{
    (void) state;
    weft_model *m = NULL;
    if (make_folder() || small_stylegan(ctx, 16, 8, 0, &m)) return 1;
    const weft_result r = weft_model_save(m, in_folder("small.weft"));
    weft_model_destroy(&m);
    schema = cJSON_Parse(read_text("tools/weft/bench.schema.json"));
    return r != WEFT_OK || !schema;
}

static int tear_down(void **state)
{
    (void) state;
    cJSON_Delete(schema);
    return drop_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nets_on_the_processor),
        cmocka_unit_test(nets_on_vulkan),
        cmocka_unit_test(operators),
        cmocka_unit_test(a_submission_is_one_submission),
        cmocka_unit_test(steps_of_an_inversion),
        cmocka_unit_test(networks_of_published_shapes),
        cmocka_unit_test(a_wrong_answer_voids_the_figures),
        cmocka_unit_test(a_row_that_fails_does_not_stop_the_others),
        cmocka_unit_test(what_a_device_cannot_run_is_no_failure),
        cmocka_unit_test(slow_rows_end_with_fewer_samples),
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(a_stop_keeps_what_was_measured),
        cmocka_unit_test(a_time_limit_keeps_it_too),
        cmocka_unit_test(models_of_one_name_are_told_apart),
        cmocka_unit_test(what_is_no_file_stays_what_it_is),
        cmocka_unit_test(nothing_half_written_is_left),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
