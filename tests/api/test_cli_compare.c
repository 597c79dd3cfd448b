// SPDX-License-Identifier: MIT
// weft compare: verdicts on made-up samples, what is refused and how, every kind of output, and hostile reports.
#include "weft/compare.h" // before cmocka.h, which has a macro `fail`
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli.h"
#include "schema.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <glob.h>
#include <weft/image.h>

// --- Reports to work on: those kept, and changed copies of them. ------------------------------------------------

static const char kept[] = "tests/api/reports/";

static char *read_text(const char *path, size_t *bytes)
{
    static char data[1 << 23];
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("cannot open %s", path);
    *bytes = fread(data, 1, sizeof data - 1, f);
    fclose(f);
    data[*bytes] = 0;
    return data;
}

static void write_text(const char *name, const char *data, size_t bytes)
{
    FILE *f = fopen(in_folder(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static cJSON *load(const char *name)
{
    char path[256];
    size_t bytes;
    snprintf(path, sizeof path, "%s%s.json", kept, name);
    cJSON *top = cJSON_Parse(read_text(path, &bytes));
    assert_non_null(top);
    return top;
}

static void store(cJSON *top, const char *name) // and frees it
{
    char *t = cJSON_PrintUnformatted(top);
    assert_non_null(t);
    write_text(name, t, strlen(t));
    cJSON_free(t);
    cJSON_Delete(top);
}

static cJSON *at(cJSON *o, const char *name)
{
    cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    if (!v) fail_msg("the kept report has no %s", name);
    return v;
}

// "results.0.time.samples" of the report
static cJSON *walk(cJSON *o, const char *path, char last[64])
{
    for (;;) {
        const size_t n = strcspn(path, ".");
        snprintf(last, 64, "%.*s", (int) n, path);
        if (!path[n]) return o;
        o = last[0] >= '0' && last[0] <= '9' ? cJSON_GetArrayItem(o, atoi(last)) : at(o, last);
        assert_non_null(o);
        path += n + 1;
    }
}

static void put_value(cJSON *top, const char *path, const char *json) // "": takes it away
{
    char last[64];
    cJSON *o = walk(top, path, last), *v = *json ? cJSON_CreateRaw(json) : NULL;
    if (*json) assert_non_null(v);
    if (cJSON_IsArray(o)) cJSON_ReplaceItemInArray(o, atoi(last), v);
    else if (!v) cJSON_DeleteItemFromObjectCaseSensitive(o, last);
    else if (cJSON_HasObjectItem(o, last)) cJSON_ReplaceItemInObjectCaseSensitive(o, last, v);
    else cJSON_AddItemToObject(o, last, v);
}

static void change(const char *name, const char *path, const char *json)
{
    cJSON *top = load("base");
    put_value(top, path, json);
    store(top, name);
}

static uint32_t random_state;
static double random_number(void) // within 0..1
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) / 16777216.0;
}

// A report of one result: n times about `ms`, at most `noise` away.
static void make_samples(const char *name, double ms, double noise, int n, uint32_t seed)
{
    cJSON *top = load("base"), *results = at(top, "results");
    random_state = seed;
    while (cJSON_GetArraySize(results) > 1) cJSON_DeleteItemFromArray(results, 1);
    cJSON *samples = cJSON_CreateArray();
    double most = 0;
    for (int i = 0; i < n; i++) {
        const double x = ms * (1 + noise * ((random_number() + random_number() + random_number()) / 1.5 - 1));
        cJSON_AddItemToArray(samples, cJSON_CreateNumber(x));
        most = x > most ? x : most;
    }
    cJSON *time = at(cJSON_GetArrayItem(results, 0), "time");
    cJSON_ReplaceItemInObject(time, "samples", samples);
    cJSON_ReplaceItemInObject(time, "median", cJSON_CreateNumber(most));
    store(top, name);
}

static int set_up(void **state)
{
    (void) state;
    char line[512];
    if (make_folder()) return 1;
    snprintf(line, sizeof line, "cp %s*.json '%s'", kept, folder);
    return system(line);
}
static int tear_down(void **state)
{
    (void) state;
    return drop_folder();
}

static void kept_reports_are_what_the_schema_says(void **state)
{
    (void) state;
    size_t bytes;
    cJSON *schema = cJSON_Parse(read_text("tools/weft/bench.schema.json", &bytes));
    assert_non_null(schema);
    const char *const names[] = { "base", "new", "fast", "cpu" };
    for (int i = 0; i < 4; i++) {
        cJSON *top = load(names[i]);
        if (!schema_check(schema, schema, top, "$")) fail_msg("%s: %s", names[i], schema_error);
        cJSON_Delete(top);
    }
    cJSON_Delete(schema);
}

// --- Verdicts. -------------------------------------------------------------------------------------------------

static cJSON *compare_json(const char *arguments) // "A B": the first row
{
    assert_code(0, "compare %s --json", arguments);
    cJSON *top = cJSON_Parse(text);
    if (!top) fail_msg("no JSON:\n%s", text);
    return top;
}

static void assert_verdict(const char *arguments, const char *verdict, double speed, double within)
{
    cJSON *top = compare_json(arguments);
    cJSON *row = cJSON_GetArrayItem(at(cJSON_GetArrayItem(at(top, "suites"), 0), "rows"), 0);
    assert_string_equal(at(row, "verdict")->valuestring, verdict);
    if (fabs(at(row, "speed")->valuedouble - speed) > within) fail_msg("%s: speed %g, not %g", arguments, at(row, "speed")->valuedouble, speed);
    assert_true(at(row, "low")->valuedouble <= at(row, "speed")->valuedouble && at(row, "speed")->valuedouble <= at(row, "high")->valuedouble);
    cJSON_Delete(top);
}

static void a_known_ratio_is_found(void **state)
{
    (void) state;
    make_samples("a.json", 10, 0.01, 15, 1);
    make_samples("half.json", 5, 0.01, 15, 2);
    make_samples("more.json", 12, 0.01, 16, 3);
    assert_verdict("a.json half.json", "faster", 2, 0.02);
    assert_verdict("a.json more.json", "slower", 10 / 12.0, 0.02);
    assert_verdict("half.json a.json", "slower", 0.5, 0.01);
}

static void no_difference_is_no_verdict(void **state)
{
    (void) state;
    make_samples("same.json", 10, 0.01, 15, 1);
    make_samples("wide.json", 10.3, 0.8, 12, 5);
    make_samples("near.json", 10.15, 0, 15, 5);
    assert_verdict("a.json a.json", "no difference", 1, 0);
    assert_verdict("a.json same.json", "no difference", 1, 0);
    assert_verdict("a.json wide.json", "no difference", 1, 0.4); // apart, maybe, and the samples cannot tell
    assert_verdict("a.json near.json --noise 5%", "no difference", 1, 0.03);
}

static void the_noise_floor_counts(void **state)
{
    (void) state;
    make_samples("ten.json", 10, 0.001, 20, 1);
    make_samples("eleven.json", 11, 0.001, 20, 2);
    assert_verdict("ten.json eleven.json --noise 9%", "slower", 10 / 11.0, 0.001);
    assert_verdict("ten.json eleven.json --noise 11%", "no difference", 10 / 11.0, 0.001);
    assert_verdict("eleven.json ten.json --noise 9%", "faster", 1.1, 0.001);
    assert_verdict("eleven.json ten.json --noise 11%", "no difference", 1.1, 0.001);
}

static void few_samples_give_no_verdict(void **state)
{
    (void) state;
    make_samples("four.json", 1, 0.01, 4, 1);
    make_samples("five.json", 1, 0.01, 5, 1);
    make_samples("one.json", 1, 0.01, 1, 1);
    assert_verdict("a.json four.json", "too few samples", 10, 0.2);
    assert_verdict("one.json one.json", "too few samples", 1, 0);
    assert_verdict("a.json five.json", "faster", 10, 0.2);
}

static void fill(figure *f, double *samples, int n, double ms, double noise)
{
    for (int i = 0; i < n; i++) samples[i] = ms * (1 + noise * ((random_number() + random_number() + random_number()) / 1.5 - 1));
    *f = (figure) { .sorted = samples, .count = n };
    figure_of(f);
}

// Pairs from one distribution: at most 5 % of the intervals may miss 1, at any number of samples; and they are not so wide that none does.
static void equal_work_is_seldom_called_different(void **state)
{
    (void) state;
    const int counts[] = { 5, 10, 11, 40 };
    for (int k = 0; k < 4; k++) {
        double x[40], y[40];
        int misses = 0, found = 0;
        random_state = 77;
        for (int i = 0; i < 300; i++) {
            figure a, b, c;
            fill(&a, x, counts[k], 10, 0.1);
            fill(&b, y, counts[k], 10, 0.1);
            const speed same = compare_figures(&a, &b, 0, (uint64_t) i, NULL);
            misses += same.low > 1 || same.high < 1;
            fill(&c, y, counts[k], 12, 0.1);
            found += compare_figures(&a, &c, 0, (uint64_t) i, NULL).verdict == VERDICT_SLOWER;
        }
        if (misses < 2 || misses > 18) fail_msg("%d of 300 intervals of %d samples miss the truth", misses, counts[k]);
        if (found < (counts[k] > 5 ? 290 : 240)) fail_msg("%d of 300 differences are found in %d samples", found, counts[k]);
    }
}

static void figures_follow_from_samples(void **state)
{
    (void) state;
    const struct { int n; double samples[8], median, mad, low, high; } cases[] = {
        { 1, { 3 }, 3, 0, 3, 3 },
        { 2, { 5, 3 }, 4, 1, 3, 5 },
        { 4, { 9, 1, 2, 4 }, 3, 1.5, 1, 9 },
        { 5, { 7, 1, 2, 4, 9 }, 4, 3, 1, 9 },
        { 8, { 8, 7, 6, 5, 4, 3, 2, 1 }, 4.5, 2, 1, 8 }, // P(none of 8 below) = 0.4 %, P(at most one) = 3.5 %
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double samples[8];
        memcpy(samples, cases[i].samples, sizeof samples);
        figure f = { .sorted = samples, .count = cases[i].n };
        figure_of(&f);
        assert_true(f.median == cases[i].median && f.mad == cases[i].mad && f.low == cases[i].low && f.high == cases[i].high);
    }
    double many[2000]; // 40 ranks from the ends of 100 by tables; 956 and 1044 (from 1) of 2000 by the normal law
    for (int i = 0; i < 2000; i++) many[i] = i + 1;
    figure f = { .sorted = many, .count = 100 };
    figure_of(&f);
    assert_true(f.low == 40 && f.high == 61);
    f.count = 2000;
    figure_of(&f);
    assert_true(fabs(f.low - 956) <= 1 && fabs(f.high - 1045) <= 1);
}

static void geometric_means_count_what_is_comparable(void **state)
{
    (void) state;
    cJSON *top = compare_json("base.json new.json"), *suite;
    int suites = 0;
    cJSON_ArrayForEach(suite, at(top, "suites")) {
        double logs = 0;
        int n = 0;
        cJSON *row, *mean = cJSON_GetArrayItem(at(suite, "geometric_means"), 0);
        cJSON_ArrayForEach(row, at(suite, "rows")) {
            logs += log(at(row, "base_ms")->valuedouble / at(row, "ms")->valuedouble), n++;
            assert_string_not_equal(at(row, "name")->valuestring, "sdpa/8x256x64");
        }
        assert_int_equal(at(mean, "rows")->valueint, n);
        assert_true(fabs(at(mean, "speed")->valuedouble - exp(logs / n)) < 1e-4);
        assert_true(at(mean, "low")->valuedouble <= at(mean, "speed")->valuedouble && at(mean, "speed")->valuedouble <= at(mean, "high")->valuedouble);
        suites++;
    }
    assert_int_equal(suites, 3);
    cJSON *left = at(top, "not_counted");
    assert_int_equal(cJSON_GetArraySize(left), 2);
    assert_string_equal(at(cJSON_GetArrayItem(left, 0), "why")->valuestring, "B: not run because memory ran out");
    assert_string_equal(at(cJSON_GetArrayItem(left, 1), "why")->valuestring, "void in B: wrong result, 0.3 from right, 0.0001 allowed");
    cJSON_Delete(top);
}

static void what_is_in_one_report_alone_is_listed(void **state)
{
    (void) state;
    cJSON *top = load("base");
    for (int i = 0; i < 7; i++) cJSON_DeleteItemFromArray(at(top, "results"), 0);
    cJSON_DeleteItemFromArray(at(top, "results"), 2);
    store(top, "less.json");
    assert_code(0, "compare base.json less.json");
    assert_says("- nets: deepfill v2 256: not in B\n");
    assert_says("- ops: 7 results, the first conv2d/3x3 64->64 128x128: not in B\n");
    assert_code(0, "compare less.json base.json");
    assert_says("- nets: deepfill v2 256: in B alone, not in A\n");
    assert_says("- ops: 7 results, the first conv2d/3x3 64->64 128x128: in B alone, not in A\n");
    assert_code(0, "compare less.json base.json --json");
    assert_says("\"matmul/1024\"");
}

// --- Refusals. -------------------------------------------------------------------------------------------------

static void refuses_what_is_not_comparable(void **state)
{
    (void) state;
    const struct { const char *path, *json, *says, *allow, *mark; } cases[] = {
        { "settings.precision", "\"fast\"", "b.json: settings.precision is fast, but exact in base.json", "precision", "**Compared across: precision exact in A, fast in B**" },
        { "settings.min_seconds", "3", "b.json: settings.min_seconds is 3, but 1 in base.json", "settings", "**Compared across: min_seconds 1 in A, 3 in B**" },
        { "settings.min_samples", "20", "b.json: settings.min_samples is 20, but 10 in base.json", "settings", "min_samples 10 in A, 20 in B" },
        { "settings.tune", "true", "b.json: settings.tune is true, but false in base.json", "settings", "tune false in A, true in B" },
        { "results.4.shape", "\"512x512\"", "b.json: results[4].shape ('matmul/1024') is '512x512', but '1024x1024 * 1024x1024' in base.json", "shape", "no difference (other shape)" },
        { "results.4.flops", "7", "b.json: results[4].flops ('matmul/1024') is 7, but 2147000000 in base.json", "flops", "no difference (other flops)" },
        { "settings.no_optional", "true", "b.json: settings.no_optional is true, but false in base.json", "settings", "no_optional false in A, true in B" },
        { "results.4.precision", "\"fast\"", "b.json: results[4].precision ('matmul/1024') is fast, but exact in base.json", "precision", "no difference (other precision)" },
        { "results.4.flops", "", "is missing, but 2147000000 in base.json", "precision,flops", "no difference (other flops)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        change("b.json", cases[i].path, cases[i].json);
        assert_code(5, "compare base.json b.json");
        assert_says(cases[i].says);
        assert_says("not comparable (--allow ");
        assert_code(0, "compare base.json b.json --allow %s", cases[i].allow);
        assert_says(cases[i].mark);
        assert_code(5, "compare base.json b.json --allow %s", !strcmp(cases[i].allow, "settings") ? "precision,shape,flops" : "settings");
    }
    assert_code(2, "compare base.json b.json --allow speed");
    assert_says("not 'speed'");
    change("b.json", "results.4.flops", "7");
    assert_code(0, "compare base.json b.json -f conv2d"); // what is not asked for need not agree
}

static void refuses_other_files(void **state)
{
    (void) state;
    const struct { const char *path, *json, *says; } cases[] = {
        { "schema", "\"weft-compare\"", "b.json: schema: is something else" },
        { "schema", "", "b.json: schema: is missing" },
        { "version", "2", "b.json: version: is 2; this weft reads version 1" },
        { "version", "\"1\"", "b.json: version: is a text" },
        { "weft", "", "b.json: weft: is missing, and must be an object" },
        { "device", "[]", "b.json: device: is a list, and must be an object" },
        { "device.name", "7", "b.json: device.name: is a number, and must be a text" },
        { "device.name", "", "b.json: device.name: is missing" },
        { "device.clocks_mhz", "3", "b.json: device.clocks_mhz: is a number, and must be an object" },
        { "device.clocks_mhz.core", "-3", "b.json: device.clocks_mhz.core: is -3" },
        { "device.matrix", "[1,2]", "b.json: device.matrix: has 2 numbers" },
        { "device.matrix", "[1,2,3,4]", "b.json: device.matrix: has more than three" },
        { "device.f16_storage", "1", "b.json: device.f16_storage: is a number, and must be true or false" },
        { "settings", "", "b.json: settings: is missing" },
        { "settings.precision", "null", "b.json: settings.precision: is null, and must be there" },
        { "peak", "[]", "b.json: peak: is a list" },
        { "peak.f32_flops", "5", "b.json: peak.f32_flops: is a number, and must be an object" },
        { "peak.f32_flops.samples", "[]", "b.json: peak.f32_flops.samples: is empty" },
        { "results", "", "b.json: results: is missing, and must be a list" },
        { "results", "{}", "b.json: results: is an object, and must be a list" },
        { "results.2", "5", "b.json: results[2]: is a number, and must be an object" },
        { "results.2.suite", "\"\"", "b.json: results[2].suite: is empty" },
        { "results.2.name", "[]", "b.json: results[2].name: is a list" },
        { "results.2.name", "\"matmul/1024\"", "b.json: results[4].name: 'matmul/1024' is in suite ops a second time" },
        { "results.2.unit", "\"s\"", "b.json: results[2].unit: is 's', and must be 'ms'" },
        { "results.2.time", "", "b.json: results[2].time: is missing, and there is no error" },
        { "results.2.time.samples", "7", "b.json: results[2].time.samples: is a number, and must be a list" },
        { "results.2.time.samples.3", "-1", "b.json: results[2].time.samples[3]: is -1, and must be from 0" },
        { "results.2.time.samples.3", "1e999", "b.json: results[2].time.samples[3]: is inf" },
        { "results.2.time.samples.3", "1e31", "b.json: results[2].time.samples[3]: is 1e+31" },
        { "results.2.time.samples.3", "null", "b.json: results[2].time.samples[3]: is null, and must be a number" },
        { "results.2.time.samples", "[0,0,0]", "b.json: results[2].time.median: is 0: nothing was measured" },
        { "results.2.time.median", "90", "b.json: results[2].time.median: is 90, but the samples lie from" },
        { "results.2.time.median", "", "b.json: results[2].time.median: is missing" },
        { "results.2.flops", "-5", "b.json: results[2].flops: is -5" },
        { "results.2.void", "0", "b.json: results[2].void: is a number" },
        { "results.2.gate.passed", "false", "b.json: results[2].void: is false although the gate failed" },
        { "results.2.gate.difference", "7", "b.json: results[2].void: is false although the difference 7 is more than the limit" },
        { "results.2.gate.difference", "null", "b.json: results[2].void: is false although the difference nan" },
        { "results.2.gate.limit", "\"x\"", "b.json: results[2].gate.limit: is a text" },
        { "results.2.share.compute", "true", "b.json: results[2].share.compute: is true or false" },
        { "results.2.operators", "{}", "b.json: results[2].operators: is an object, and must be a list" },
        { "results.2.operators.0", "[]", "b.json: results[2].operators[0]: is a list" },
        { "results.2.operators.0.ms", "-2", "b.json: results[2].operators[0].ms: is -2" },
        { "results.2.operators.0.op", "", "b.json: results[2].operators[0].op: is missing" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        change("b.json", cases[i].path, cases[i].json);
        const int code = weft("compare base.json b.json");
        if (code != 5 || !strstr(text, cases[i].says)) fail_msg("%s = %s: exit code %d, wanted '%s' in:\n%s", cases[i].path, cases[i].json, code, cases[i].says, text);
    }
}

static void what_a_device_cannot_tell_may_be_missing(void **state)
{
    (void) state;
    const char *const paths[] = { "host", "peak", "peak.f16_flops", "device.clocks_mhz", "device.driver", "device.subgroup_size", "date", "results.0.gpu", "results.0.share",
                                  "results.0.gate", "results.0.operators", "results.0.cold_ms", "results.0.warm_ms", "results.0.peak_bytes", "results.0.bytes",
                                  "results.0.time.mad", "results.0.operators.0.way", "results.0.operators.0.ms", "results.0.precision",
                                  "results.0.dispatches", "stopped", "settings.no_optional", "peak.submit_seconds", "peak.hand_over_seconds", "results.0.starts", "results.0.session",
                                  "results.0.not_run" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        for (int null = 0; null < 2; null++) {
            change("b.json", paths[i], null ? "null" : "");
            assert_code(0, "compare base.json b.json");
        }
    change("b.json", "future", "{\"field\":[1,2]}");
    assert_code(0, "compare base.json b.json");
}

// --- Hostile files. --------------------------------------------------------------------------------------------

static void assert_refused(const char *name)
{
    const int code = weft("compare base.json %s", name);
    if (code != 5 || strncmp(text, "weft compare: ", 14)) fail_msg("%s: exit code %d:\n%s", name, code, text);
}

static void a_truncated_report_is_refused(void **state)
{
    (void) state;
    size_t bytes;
    const char *data = read_text("tests/api/reports/fast.json", &bytes);
    for (size_t n = 0; n < bytes - 2; n += n < 40 || n > bytes - 40 ? 1 : 131) {
        write_text("cut.json", data, n);
        assert_refused("cut.json");
    }
}

static void damaged_bytes_never_crash(void **state)
{
    (void) state;
    size_t bytes;
    char *data = read_text("tests/api/reports/new.json", &bytes);
    static const char spite[] = "\0\"{}[],:-+.eE019\\ntfu\x80\xFF<>&";
    random_state = 7;
    for (int i = 0; i < 150; i++) {
        char was[3];
        size_t where[3];
        for (int k = 0; k < 3; k++) {
            where[k] = (size_t) (random_number() * (double) bytes), was[k] = data[where[k]];
            data[where[k]] = spite[(size_t) (random_number() * (sizeof spite - 1))];
        }
        write_text("damaged.json", data, bytes);
        const int code = weft("compare base.json damaged.json");
        if (code != 0 && code != 5) fail_msg("exit code %d with bytes %zu, %zu, %zu:\n%s", code, where[0], where[1], where[2], text);
        for (int k = 2; k >= 0; k--) data[where[k]] = was[k];
    }
}

static void hostile_files_are_refused(void **state)
{
    (void) state;
    static char deep[200000];
    write_text("empty.json", "", 0);
    assert_refused("empty.json");
    memset(deep, '[', sizeof deep);
    write_text("deep.json", deep, sizeof deep);
    assert_refused("deep.json");
    for (size_t i = 0; i < sizeof deep; i++) deep[i] = "{\"a\":"[i % 5];
    write_text("deep.json", deep, sizeof deep);
    assert_refused("deep.json");
    write_text("list.json", "[]", 2);
    assert_refused("list.json");
    assert_says("list.json: holds a list, and must hold an object");
    write_text("two.json", "{}\n{}", 5);
    assert_refused("two.json");
    assert_says("two.json: goes on after its end: see line 2");
    assert_refused("no-such.json");
    assert_says("cannot open no-such.json");
    assert_refused(".");
}

static void names_cannot_move_the_cursor_or_the_table(void **state)
{
    (void) state;
    const char *name = "\"a|b <b>\\u001b[31m\\u202e\xF0\x9F\x98\x80 \\u0007\\n\"";
    change("b.json", "results.0.name", name);
    assert_code(0, "compare b.json b.json -f b");
    assert_says("a\\|b &lt;b>?[31m?\xF0\x9F\x98\x80 ??");
    assert_null(strchr(text, 27));
    assert_null(strchr(text, 7));
    const char *const paths[] = { "device.driver", "device.kind", "device.name", "settings.precision", "weft.version", "date", "results.0.suite", "results.0.name" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        change("b.json", paths[i], "\"<img|>\"");
        assert_code(0, "compare base.json b.json b.json --allow precision");
        assert_says("&lt;img\\|>");
        assert_null(strstr(text, "<img"));
    }
}

static void names_are_no_formulas(void **state)
{
    (void) state;
    const char *const names[] = { "=1+1", "+1", "-1", "@sum" };
    for (size_t i = 0; i < 4; i++) {
        char json[32], wanted[64];
        snprintf(json, sizeof json, "\"%s\"", names[i]);
        snprintf(wanted, sizeof wanted, "b.json,'%s,ops,", names[i]);
        change("b.json", "device.name", json);
        assert_code(0, "compare base.json b.json --csv");
        assert_says(wanted);
    }
}

static void a_field_that_is_there_twice_is_refused(void **state)
{
    (void) state;
    cJSON *top = load("base");
    cJSON_AddItemToObject(cJSON_GetArrayItem(at(top, "results"), 2), "void", cJSON_CreateTrue()); // after the first, which says false
    store(top, "b.json");
    assert_code(5, "compare base.json b.json");
    assert_says("b.json: the field 'void' is there a second time");
    top = load("base");
    cJSON_AddItemToObject(top, "\x1b[31m", cJSON_CreateTrue());
    cJSON_AddItemToObject(top, "\x1b[31m", cJSON_CreateTrue());
    store(top, "b.json");
    assert_code(5, "compare base.json b.json");
    assert_says("the field '?[31m' is there");
    top = load("base");
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        cJSON_AddItemToObject(at(top, "peak"), name, cJSON_CreateTrue());
    }
    store(top, "b.json");
    assert_code(5, "compare base.json b.json");
    assert_says("more than 100 fields");
}

// --- Output. ---------------------------------------------------------------------------------------------------

static int widest_row(void)
{
    int most = 0, n = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '\n') n = 0;
        else if ((*p & 0xC0) != 0x80) n++;
        const char *line = p;
        while (line > text && line[-1] != '\n') line--;
        if (*line == '|' && n > most) most = n;
    }
    return most;
}

static void tables_are_markdown_and_fit(void **state)
{
    (void) state;
    assert_code(0, "compare base.json new.json");
    assert_says("- A, the base: made-up card A (vulkan, driver 1.0), exact, weft 0.1.0, 2026-11-22T22:50:00Z - base.json\n");
    assert_says("| result                             |");
    assert_says("|:-----------------------------------|-------:|");
    assert_says("### peak");
    assert_null(strstr(text, "| sdpa/8x256x64 "));
    assert_says("sdpa/8x256x64: void in B");
    assert_null(strchr(text, 27)); // no colours in a pipe
    assert_code(0, "compare base.json new.json cpu.json");
    assert_says("| sdpa/8x256x64                      |");
    assert_says("|      - |       - | -             |");
    assert_code(0, "compare base.json new.json --width 70");
    assert_true(widest_row() <= 70);
    assert_says("\xE2\x80\xA6");
    assert_null(strstr(text, "95 % interval |"));
    assert_code(2, "compare base.json new.json --width 5");
}

static void peaks_are_judged_by_what_is_better(void **state)
{
    (void) state;
    cJSON *top = compare_json("base.json fast.json --allow precision"), *p;
    int n = 0;
    cJSON_ArrayForEach(p, at(top, "peak")) { // the other has a fifth of the rates, and launches take 2.5 times as long
        const bool time = strstr(at(p, "name")->valuestring, "seconds") != NULL;
        assert_true(fabs(at(p, "speed")->valuedouble - (time ? 0.4 : 0.2)) < 0.01);
        assert_string_equal(at(p, "verdict")->valuestring, "slower");
        n++;
    }
    assert_int_equal(n, 5);
    cJSON_Delete(top);
    assert_code(0, "compare base.json fast.json --allow precision");
    assert_says("| time of a launch | us      | 8.052 | 20.17 |   0.40x | slower  |");
    assert_says("| matrix units     | GFLOP/s |     - |  8032 |       - | -       |");
}

static void rows_are_filtered_and_sorted(void **state)
{
    (void) state;
    assert_code(0, "compare base.json new.json -f 'nets/*' --sort name");
    assert_true(strstr(text, "| stylegan2 256 synthesis") < strstr(text, "| unet 256"));
    assert_null(strstr(text, "### ops"));
    assert_code(0, "compare base.json new.json -f 'nets/*'");
    assert_true(strstr(text, "| stylegan2 256 synthesis") > strstr(text, "| unet 256"));
    assert_code(0, "compare base.json new.json -f conv2d/3x3 -f matmul --sort ratio");
    assert_true(strstr(text, "| conv2d/3x3 256") < strstr(text, "| matmul") && strstr(text, "| matmul") < strstr(text, "| conv2d/3x3 64"));
    assert_code(0, "compare base.json new.json -f conv2d/3x3 -f matmul --sort time");
    assert_true(strstr(text, "| conv2d/3x3 256") < strstr(text, "| matmul") && strstr(text, "| matmul") < strstr(text, "| conv2d/3x3 64"));
    assert_code(2, "compare base.json new.json -f nothing-like-it");
    assert_code(2, "compare base.json new.json --sort colour");
}

static void times_by_the_devices_clock_can_be_asked_for(void **state)
{
    (void) state;
    assert_code(0, "compare base.json new.json --time gpu");
    assert_says("the median time by the device's clock");
    assert_code(5, "compare base.json cpu.json --time gpu -f nets");
    assert_says("unet 256: B has no times by the device's clock");
    assert_says("the reports have nothing in common that can be compared");
}

static void fail_over_tells_by_exit_code(void **state)
{
    (void) state;
    assert_code(6, "compare base.json new.json --fail-over 5%%");
    assert_says("weft compare: ops: conv2d_transpose/4x4 128->64 64x64 is slower in B by 2");
    assert_says("weft compare: nets: unet 256 is slower in B by 1");
    assert_says("2 results are not counted, and --fail-over says nothing of them");
    assert_code(6, "compare base.json new.json --fail-over 20%%");
    assert_null(strstr(text, "unet 256 is slower"));
    assert_code(0, "compare base.json new.json --fail-over 30%%");
    assert_code(0, "compare base.json new.json --fail-over 5%% -f matmul");
    assert_code(0, "compare base.json new.json --fail-over 5%% --noise 40%%"); // no verdict, no failure
    make_samples("few.json", 20, 0.01, 4, 1);
    make_samples("first.json", 10, 0.01, 15, 1);
    assert_code(0, "compare first.json few.json --fail-over 5%%");
    assert_says("1 results look slower than that and have too few samples for a verdict; --fail-over says nothing of them");
    assert_code(2, "compare base.json new.json --fail-over 0.05");
    assert_code(2, "compare base.json new.json --noise x%%");
    assert_code(2, "compare base.json new.json --noise -1%%");
    assert_code(2, "compare base.json");
}

static void csv_has_a_line_per_row(void **state)
{
    (void) state;
    change("b.json", "device.name", "\"card, \\\"the\\\" one\"");
    assert_code(0, "compare base.json b.json new.json --csv -f matmul");
    assert_true(!strncmp(text, "report,device,suite,result,base_ms,ms,speed,low,high,verdict,other\nb.json,\"card, \"\"the\"\" one\",ops,matmul/1024,", 110));
    int lines = 0;
    for (const char *p = text; *p; p++) lines += *p == '\n';
    assert_int_equal(lines, 3);
    assert_code(2, "compare base.json new.json --csv --json");
}

// --- The page and the pictures. --------------------------------------------------------------------------------

static size_t name_length(const char *p)
{
    size_t n = 0;
    while ((p[n] >= 'a' && p[n] <= 'z') || (p[n] >= 'A' && p[n] <= 'Z') || (p[n] >= '0' && p[n] <= '9') || p[n] == '-') n++;
    return n;
}

static const char *check_entity(const char *p) // at the &
{
    static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strncmp(p, known[i], strlen(known[i]))) return p + strlen(known[i]);
    fail_msg("a bare & at: %.60s", p);
    return NULL;
}

static const char *check_attributes(const char *p) // past the name of a tag; gives the > or />
{
    for (;;) {
        while (*p == ' ' || *p == '\n') p++;
        if (*p == '>' || !strncmp(p, "/>", 2)) return p;
        const size_t n = name_length(p);
        if (!n || strncmp(p + n, "=\"", 2)) fail_msg("no attribute: %.60s", p);
        if (!strncmp(p, "on", 2) || !strncmp(p, "src", 3)) fail_msg("scripts or other files: %.60s", p);
        if (!strncmp(p, "href=", 5) && p[6] != '#') fail_msg("a link to elsewhere: %.60s", p);
        for (p += n + 2; *p != '"';) {
            if (!*p || *p == '<') fail_msg("an attribute without end: %.60s", p);
            p = *p == '&' ? check_entity(p) : p + 1;
        }
        p++;
    }
}

// Every tag is closed in turn, and nothing stands in text that should have been escaped.
static void check_page(const char *p)
{
    struct { const char *at; size_t length; } open[64];
    int depth = 0;
    assert_true(!strncmp(p, "<!DOCTYPE html>\n", 16));
    for (p += 16; *p;) {
        if (*p == '&') p = check_entity(p);
        else if (*p != '<') p++;
        else if (p[1] == '/') {
            const size_t n = name_length(p + 2);
            if (!depth || open[depth - 1].length != n || strncmp(open[depth - 1].at, p + 2, n) || p[2 + n] != '>') fail_msg("closes what is not open: %.60s", p);
            depth--, p += n + 3;
        } else {
            const size_t n = name_length(p + 1);
            if (!n || !strncmp(p, "<script", 7) || !strncmp(p, "<link", 5) || !strncmp(p, "<iframe", 7)) fail_msg("no tag that should be here: %.60s", p);
            assert_true(depth < 64);
            open[depth].at = p + 1, open[depth++].length = n;
            p = check_attributes(p + 1 + n);
            if (*p == '/') depth--;
            p += *p == '/' ? 2 : 1;
            if (n == 5 && !strncmp(open[depth - 1].at, "style", 5)) p = strstr(p, "</style>"); // no markup inside
        }
    }
    if (depth) fail_msg("not closed: %.60s", open[depth - 1].at);
}

static const char *page(const char *arguments)
{
    size_t bytes;
    assert_code(0, "compare %s --html page.html -q", arguments);
    const char *p = read_text(in_folder("page.html"), &bytes);
    assert_int_equal(strlen(p), bytes);
    check_page(p);
    if (strstr(p, "url(") || strstr(p, "@import")) fail_msg("the page needs other files");
    if (strstr(p, "nan") || strstr(p, "=\"inf") || strstr(p, "=\"-inf")) fail_msg("a number that is none: %.80s", strstr(p, "nan") ? strstr(p, "nan") : strstr(p, "inf"));
    return p;
}

static int count(const char *p, const char *what)
{
    int n = 0;
    while ((p = strstr(p, what))) n++, p++;
    return n;
}

static void the_page_is_well_formed_and_whole(void **state)
{
    (void) state;
    const char *p = page("base.json new.json cpu.json");
    assert_int_equal(count(p, "<svg "), 2 + 3 + 1);
    assert_int_equal(count(p, "Roofline: "), 2 * 3); // label and title
    assert_non_null(strstr(p, "prefers-color-scheme:dark"));
    assert_non_null(strstr(p, "no roof: the suite `peak` was not run"));
    assert_non_null(strstr(p, "memory 303 GB/s"));
    assert_non_null(strstr(p, "outside of operators"));
    assert_non_null(strstr(p, "<b>ops</b> sdpa/8x256x64: void in B: wrong result"));
    assert_non_null(strstr(p, "<td class=\"l slower\">\xE2\x96\xBC slower</td>"));
    p = page("base.json fast.json --allow precision");
    assert_non_null(strstr(p, "<b>Compared across:</b> precision exact in A, fast in B"));
    assert_non_null(strstr(p, "matrix units 8.03 TFLOP/s"));
    page("base.json base.json base.json new.json new.json cpu.json cpu.json base.json base.json base.json base.json base.json base.json base.json base.json base.json");
}

static void starts_and_plans_are_on_the_page(void **state)
{
    (void) state;
    cJSON *top = load("base");
    put_value(top, "results.8.starts", "{\"cold\":{\"cost_ms\":777.5},\"warm\":{\"cost_ms\":66.25,\"create_ms\":55.5,\"pipelines_ms\":44.75}}");
    put_value(top, "results.8.session", "{\"workspace_bytes\":1250,\"workspace_least_bytes\":1000,\"submit_ms\":0.01}");
    put_value(top, "results.9.time", "null");
    put_value(top, "results.9.error", "\"too large\"");
    put_value(top, "results.9.not_run", "true");
    store(top, "b.json");
    const char *p = page("base.json b.json");
    assert_non_null(strstr(p, "<td>777.5</td><td>66.25</td><td>55.50</td><td>44.75</td>"));
    assert_non_null(strstr(p, "<td>1.25x</td>"));
    assert_non_null(strstr(p, "<td>420.1</td><td>19.96</td><td>-</td><td>-</td>")); // of an older file, 425.2 and 25.05 less a run
    assert_code(0, "compare base.json b.json");
    assert_says("deepfill v2 256: B: not run because too large");
}

static void starts_are_on_the_page_whoever_has_them(void **state)
{
    (void) state;
    cJSON *top = load("base"), *r;
    cJSON_ArrayForEach(r, at(top, "results")) {
        const char *const names[] = { "cold_ms", "warm_ms", "starts", "peak_bytes" };
        for (int i = 0; i < 4; i++) cJSON_DeleteItemFromObjectCaseSensitive(r, names[i]);
    }
    store(top, "less.json");
    assert_null(strstr(page("less.json less.json"), "Start and memory"));
    assert_non_null(strstr(page("less.json base.json"), "Start and memory"));
}

static void the_same_reports_give_the_same_page(void **state)
{
    (void) state;
    char *first = strdup(page("base.json new.json"));
    assert_non_null(first);
    assert_string_equal(first, page("base.json new.json"));
    free(first);
}

static void the_page_escapes_names(void **state)
{
    (void) state;
    const char *const paths[] = { "results.8.name", "results.8.suite", "results.8.shape", "results.8.error", "results.8.operators.0.op", "results.8.operators.0.way",
                                  "device.name", "device.driver", "device.kind", "device.type", "device.api", "weft.version", "weft.kernels", "weft.cpu_library", "date",
                                  "host.os", "host.cpu", "settings.precision", "results.8.share.bound" };
    cJSON *top = load("base");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (i != 3) put_value(top, paths[i], "\"</text></svg><script>alert('&')</script> \\\"x\\\" <b\"");
    store(top, "spite.json");
    const char *p = page("spite.json spite.json");
    assert_null(strstr(p, "<script"));
    assert_non_null(strstr(p, "&lt;script&gt;alert(&#39;&amp;&#39;)"));
    change("spite.json", "results.8.error", "\"<script>\"");
    assert_null(strstr(page("base.json spite.json"), "<script"));
}

static void extreme_numbers_are_drawn(void **state)
{
    (void) state;
    const struct { const char *path, *json; } cases[] = {
        { "results.8.flops", "1e30" }, { "results.8.bytes", "1e-300" }, { "results.8.operators.0.ms", "1e30" }, { "results.8.operators.0.ms", "0" },
        { "results.8.operators.0.count", "1e30" }, { "results.8.time", "{\"median\":1e30,\"samples\":[1e30,1e-29,1e30]}" },
        { "results.8.time", "{\"median\":1e-29,\"samples\":[0,1e-29,1e30]}" }, { "peak.f32_flops", "{\"median\":1e30,\"samples\":[1e30]}" },
        { "peak.read_bytes", "{\"median\":1e-29,\"samples\":[1e-29]}" }, { "results.8.share.compute", "1e30" }, { "results", "[]" },
        { "device.memory_bytes", "1e30" }, { "results.8.cold_ms", "1e30" }, { "results.8.cold_ms", "0" }, { "results.8.operators", "[]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        change("b.json", cases[i].path, cases[i].json);
        page("base.json b.json --allow flops");
        page("b.json b.json");
        assert_code(0, "compare base.json b.json --allow flops --csv");
        assert_null(strstr(text, "nan"));
        assert_code(0, "compare base.json b.json --allow flops --json");
        assert_null(strstr(text, "null,\n\t\t\t\t\t\"ms\""));
    }
}

static void check_picture(const char *name)
{
    weft_image *i = NULL;
    if (weft_image_load(ctx, in_folder(name), &i) != WEFT_OK) fail_msg("%s: %s", name, weft_error_text());
    const weft_image_info *info = weft_image_get_info(i);
    assert_true(info->width >= 1600 && info->width <= 2200);
    const unsigned char *p = weft_image_view(i);
    const size_t bytes = (size_t) info->width * (size_t) info->height * (size_t) info->channels;
    size_t ink = 0;
    for (size_t k = 0; k < bytes; k++) ink += p[k] < 128;
    if (ink < bytes / 500 || ink > bytes / 2) fail_msg("%s: %zu of %zu samples are dark", name, ink, bytes);
    weft_image_destroy(&i);
}

static void many_rows_are_drawn_in_part(void **state)
{
    (void) state;
    cJSON *top = load("base"), *results = at(top, "results");
    for (int i = 0; i < 300; i++) {
        cJSON *r = cJSON_Duplicate(cJSON_GetArrayItem(results, 9), true);
        char name[64];
        snprintf(name, sizeof name, "row %d", i);
        cJSON_SetValuestring(at(r, "name"), name);
        cJSON_AddItemToArray(results, r);
    }
    cJSON *other = cJSON_Duplicate(top, true), *r;
    int i = 0;
    cJSON_ArrayForEach(r, at(other, "results")) { // each by itself: the first are the farthest
        cJSON *s, *time = at(r, "time");
        const double by = 1 + 1.0 / (1 + i++);
        cJSON_ArrayForEach(s, at(time, "samples")) cJSON_SetNumberValue(s, s->valuedouble * by);
        cJSON_SetNumberValue(at(time, "median"), at(time, "median")->valuedouble * by);
    }
    store(top, "many.json");
    store(other, "many2.json");
    const char *p = page("many.json many2.json");
    assert_non_null(strstr(p, "and 162 rows nearer to 1"));
    assert_non_null(strstr(p, "and 244 more results"));
    assert_non_null(strstr(p, "<details><summary>all 303 rows</summary>"));
    assert_int_equal(count(p, "<td title=\"1x3x256x256 + mask\">row "), 300); // the table has all
}

static void plots_are_pictures(void **state)
{
    (void) state;
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); // fontconfig keeps what it has read
    const int code = weft("compare base.json new.json fast.json --allow precision --plots plots -q");
    if (code == 4) unsetenv("ASAN_OPTIONS"), skip(); // built without cairo
    assert_int_equal(code, 0);
    const char *const names[] = { "plots/roofline-A.png", "plots/roofline-B.png", "plots/roofline-C.png", "plots/speed-B.png", "plots/speed-C.png", "plots/operators.png" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) check_picture(names[i]);
    assert_false(exists("plots/speed-A.png"));
    assert_code(0, "compare base.json new.json --plots plots"); // the folder may be there
    unsetenv("ASAN_OPTIONS");
}

static void output_is_whole_or_not_there(void **state)
{
    (void) state;
    assert_code(1, "compare base.json new.json --html no-such-folder/page.html");
    assert_says("no-such-folder/page.html: cannot write");
    assert_code(5, "compare base.json no-such.json --html other.html");
    assert_false(exists("other.html"));
    const int code = weft("compare base.json new.json --plots base.json");
    assert_true(code == 1 || code == 4);
    assert_code(1, "compare base.json new.json > /dev/full");
}

// Reports of devices that were measured, if there are any: they stay readable.
static void measured_reports_can_be_compared(void **state)
{
    (void) state;
    glob_t g;
    char line[4096] = "", here[1024];
    if (glob("samples/reports/*.json", 0, NULL, &g)) skip();
    assert_non_null(getcwd(here, sizeof here));
    const size_t most = g.gl_pathc < 16 ? g.gl_pathc : 16;
    for (size_t i = 0; i < most; i++) {
        assert_code(0, "compare '%s/%s' '%s/%s'", here, g.gl_pathv[i], here, g.gl_pathv[i]);
        assert_null(strstr(text, " slower |"));
        snprintf(line + strlen(line), sizeof line - strlen(line), "'%s/%s' ", here, g.gl_pathv[i]);
    }
    if (most > 1) {
        strcat(line, "--allow precision,settings");
        page(line);
    }
    globfree(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_reports_are_what_the_schema_says),
        cmocka_unit_test(a_known_ratio_is_found),
        cmocka_unit_test(no_difference_is_no_verdict),
        cmocka_unit_test(the_noise_floor_counts),
        cmocka_unit_test(few_samples_give_no_verdict),
        cmocka_unit_test(equal_work_is_seldom_called_different),
        cmocka_unit_test(figures_follow_from_samples),
        cmocka_unit_test(geometric_means_count_what_is_comparable),
        cmocka_unit_test(what_is_in_one_report_alone_is_listed),
        cmocka_unit_test(refuses_what_is_not_comparable),
        cmocka_unit_test(refuses_other_files),
        cmocka_unit_test(what_a_device_cannot_tell_may_be_missing),
        cmocka_unit_test(a_truncated_report_is_refused),
        cmocka_unit_test(damaged_bytes_never_crash),
        cmocka_unit_test(hostile_files_are_refused),
        cmocka_unit_test(names_cannot_move_the_cursor_or_the_table),
        cmocka_unit_test(names_are_no_formulas),
        cmocka_unit_test(a_field_that_is_there_twice_is_refused),
        cmocka_unit_test(tables_are_markdown_and_fit),
        cmocka_unit_test(peaks_are_judged_by_what_is_better),
        cmocka_unit_test(many_rows_are_drawn_in_part),
        cmocka_unit_test(rows_are_filtered_and_sorted),
        cmocka_unit_test(times_by_the_devices_clock_can_be_asked_for),
        cmocka_unit_test(fail_over_tells_by_exit_code),
        cmocka_unit_test(the_page_is_well_formed_and_whole),
        cmocka_unit_test(starts_and_plans_are_on_the_page),
        cmocka_unit_test(starts_are_on_the_page_whoever_has_them),
        cmocka_unit_test(the_same_reports_give_the_same_page),
        cmocka_unit_test(the_page_escapes_names),
        cmocka_unit_test(extreme_numbers_are_drawn),
        cmocka_unit_test(plots_are_pictures),
        cmocka_unit_test(output_is_whole_or_not_there),
        cmocka_unit_test(measured_reports_can_be_compared),
        cmocka_unit_test(csv_has_a_line_per_row),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
