// SPDX-License-Identifier: MIT
// weft bench
#include "bench.h"
#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#define OPTION(name, letter, type, arg, field, ...) { name, letter, OPTION_##type, arg, offsetof(bench_options, field), __VA_ARGS__ }
static const option bench_option_table[] = {
    OPTION("filter", 'f', TEXT, "TEXT", filter, "only rows whose name, SUITE/NAME, has this in it"),
    OPTION("list", 'l', FLAG, NULL, list, "print the names of the rows and measure nothing"),
    OPTION("json", 'j', TEXT, "FILE", json, "write everything that was measured, for `weft compare`; - is standard output"),
    OPTION("csv", 0, TEXT, "FILE", csv, "write a table, one line a row; - is standard output"),
    OPTION("markdown", 0, TEXT, "FILE", markdown, "write the table that is printed otherwise; - is standard output"),
    OPTION("model", 'm', LIST, "MODEL.weft", models, "a model of your own for suite nets, every entry; may be given again"),
    OPTION("dim", 'D', LIST, "NAME=SIZE", dims, "a named dimension of those models instead of its preset; may be given again"),
    OPTION("seconds", 's', TEXT, "S", seconds_text, "measure each row for at least so long; default 1"),
    OPTION("samples", 'n', INT, "N", samples, "and at least so many times; default 10", 1, 1000000),
    OPTION("most-seconds", 0, TEXT, "S", most_text, "but with 5 samples no longer than that; default 30"),
    OPTION("quick", 0, FLAG, NULL, quick, "a first look: as --seconds 0.1 --samples 5 --most-seconds 3, then with 3 samples, and one warm start"),
    OPTION("no-peak", 0, FLAG, NULL, no_peak, "do not measure what the device can do at best; then there are no shares of it"),
    OPTION("no-cold", 0, FLAG, NULL, no_cold, "do not measure cold and warm starts"),
    OPTION("no-gate", 0, FLAG, NULL, no_gate, "do not compare the results with those of the cpu device"),
    OPTION("gate-limit", 0, TEXT, "X", limit_text, "the difference, relative to the result, from which a figure is void"),
    DEVICE_OPTIONS(bench_options),
    PRECISION_OPTION(bench_options),
    { 0 }
};

typedef struct suite { const char *name; bool (*run)(bench *b); } suite;
static const suite suites[] = { { "peak", bench_peak }, { "ops", bench_ops }, { "nets", bench_nets }, { "invert", bench_invert } };
enum { SUITES = sizeof suites / sizeof *suites };

static bool asked_for(const call *c, const char *name)
{
    for (int i = 0; i < c->arg_count; i++)
        if (!strcmp(c->args[i], name)) return true;
    return !c->arg_count;
}

// `peak` runs without being named, because the others' shares need it.
static bool wants_suite(const bench *b, int index)
{
    if (index == 0) return !b->o->no_peak;
    return asked_for(b->c, suites[index].name);
}

static int read_number(const call *c, const char *name, const char *text, double *out)
{
    char *end;
    const double v = text ? strtod(text, &end) : *out;
    if (text && (!*text || *end || !(v >= 0 && v <= DBL_MAX))) return usage(c, "--%s wants a number of 0 or more, not '%s'", name, text);
    *out = v;
    return CODE_OK;
}

// Better now than after an hour.
static int check_files(const call *c, const bench_options *o)
{
    const char *const files[] = { o->json, o->csv, o->markdown };
    int outputs = 0;
    for (int i = 0; i < 3; i++) {
        const bool output = files[i] && !strcmp(files[i], "-");
        if (output && outputs++) return usage(c, "standard output takes one of --json, --csv and --markdown");
        if (files[i] && !output && !o->list && !can_write(files[i])) return fail(c, CODE_FAILED, "%s: cannot write: %s", files[i], strerror(errno));
    }
    return CODE_OK;
}

static int check_options(const call *c, bench_options *o)
{
    for (int i = 0; i < c->arg_count; i++) {
        const char *names[SUITES + 1] = { NULL };
        bool known = false;
        for (int k = 0; k < SUITES; k++) names[k] = suites[k].name, known |= !strcmp(suites[k].name, c->args[i]);
        const char *meant = known ? NULL : nearest(c->args[i], names);
        if (!known) return usage(c, meant ? "there is no suite '%s'; did you mean '%s'?" : "there is no suite '%s'", c->args[i], meant);
    }
    o->seconds = o->quick ? 0.1 : 1;
    o->most_seconds = o->quick ? 3 : 30;
    if (!o->samples) o->samples = o->quick ? 5 : 10;
    int code = read_number(c, "seconds", o->seconds_text, &o->seconds);
    if (!code) code = read_number(c, "most-seconds", o->most_text, &o->most_seconds);
    if (!code) code = read_number(c, "gate-limit", o->limit_text, &o->gate_limit);
    return code;
}

static bool wants_rows(const bench *b) // of suites that --filter looks at
{
    bool any = false;
    for (int i = 1; i < SUITES; i++) any |= wants_suite(b, i);
    return any;
}

static void walk_suites(bench *b)
{
    for (int i = 0; i < SUITES; i++)
        if (wants_suite(b, i) && !suites[i].run(b)) break;
}

static int run_suites(bench *b)
{
    b->counting = !b->o->list;
    if (b->counting) walk_suites(b);
    b->counting = false;
    if (!b->o->list && b->o->filter && !b->planned && wants_rows(b)) return usage(b->c, "no row has '%s' in its name; --list prints them", b->o->filter);
    b->begin = b->kept = seconds_since(0);
    walk_suites(b);
    if (b->o->list) return b->count ? CODE_FAILED : CODE_OK; // a model that cannot be read
    b->stopped |= interrupted();
    if (b->stopped) note(b->c, "stopped; what was measured until then is kept");
    const int code = report_write(b);
    if (code || b->lost) return code ? code : CODE_DEVICE;
    for (int i = 0; i < b->count; i++)
        if ((*b->rows[i]->error && !b->rows[i]->not_run) || !row_passed(b->rows[i])) return CODE_FAILED;
    return b->stopped ? CODE_FAILED : CODE_OK;
}

// In a process of its own, started by another that measures: see bench_start.c.
static int run_start(bench *b)
{
    b->c->quiet = 1;
    b->o->device.no_cache = b->o->device.tune = 0; // the caches are in a folder of this start's own
    const double begin = seconds_since(0);
    const int code = open_device(b->c, &b->o->device, &b->device);
    b->here.open_ms = 1e3 * seconds_since(begin);
    if (code) return code;
    walk_suites(b);
    return b->here.known ? CODE_OK : CODE_FAILED; // said before
}

static int run_whole(bench *b)
{
    call *c = b->c;
    const int code = b->o->list ? CODE_OK : open_device(c, &b->o->device, &b->device);
    if (code) return code;
    if (!b->o->list) {
        host_read(&b->host, weft_device_get_info(b->device));
        if (b->host.load > 0.25 * b->host.threads)
            note(c, "this machine is busy (load %.2f on %d processors): figures will be worse than they are", b->host.load, b->host.threads);
    }
    return run_suites(b);
}

static int run_bench(call *c)
{
    bench_options *o = c->options;
    bench b = { .c = c, .o = o, .start = bench_start_row() };
    int code = check_options(c, o);
    if (code) return code;
    if (!b.start) code = check_files(c, o);
    if (!code) code = b.start ? run_start(&b) : run_whole(&b);
    for (int i = 0; i < b.count; i++) row_free(b.rows[i]);
    for (int i = 0; i < PEAKS; i++) stat_free(&b.peak[i]);
    free(b.rows);
    weft_device_destroy(&b.truth);
    weft_device_destroy(&b.device);
    return code;
}

const command command_bench = {
    .name = "bench", .args = "[peak] [ops] [nets] [invert]", .summary = "measures how fast a device is, and what limits it", .options = bench_option_table,
    .option_bytes = sizeof(bench_options), .most = 8, .run = run_bench,
    .about = "Suites; without any, all of them:\n"
             "  peak    flops, memory, launches: what the device can do at best; also before each of the others, for their shares of it\n"
             "  ops     operators: the cases they are tested with, then layers of published networks, forward, and convolutions' gradients\n"
             "  nets    whole networks with all that a caller waits for: the bundled ones, published ones with random weights, and --model\n"
             "  invert  steps of an inversion - generator, loss, gradient, Adam - one after another on the device\n"
             "Each row is warmed up, then measured for at least a second and 10 times. Printed are the median of a run as a caller sees it, its 95 %\n"
             "interval (of fewer than 6 samples, their range), the median by the device's own clock and memory. Starts are measured in processes of\n"
             "their own: cold, with nothing compiled before, and warm; what they take is the session and the first run less a later run. Results are\n"
             "compared with those of the cpu device; where they differ, the row's figures are void. What a device cannot run is not run, and said so.\n"
             "Exit code 1: a row failed or is void, a file cannot be written, or it was stopped by Ctrl-C; 3: the device was lost. What was\n"
             "measured is written all the same.",
    .examples = "  weft bench peak\n  weft bench nets --device vulkan --json vulkan.json\n  weft bench nets --filter garment --precision fast\n  weft bench nets --model mine.weft --dim h=512 --dim w=512",
};
