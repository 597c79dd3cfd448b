// SPDX-License-Identifier: MIT
// weft compare
#include "compare_draw.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct compare_options {
    const char *noise, *fail_over, *allow, *html, *plots;
    text_list filter;
    int sort, time, width, json, csv;
};
static const option compare_options[] = {
    { "filter", 'f', OPTION_LIST, "TEXT", offsetof(struct compare_options, filter), "only results whose suite/name holds this text, or matches it where it has * or ?; may be given again" },
    { "sort", 's', OPTION_CHOICE, "file|name|ratio|time", offsetof(struct compare_options, sort), "order in a suite: as in A, by name, slowest against A first, or longest first" },
    { "time", 't', OPTION_CHOICE, "wall|gpu", offsetof(struct compare_options, time), "what a caller waits (the default), or what the device's clock says" },
    { "noise", 0, OPTION_TEXT, "PERCENT", offsetof(struct compare_options, noise), "no verdict for a smaller difference than this (2%)" },
    { "fail-over", 0, OPTION_TEXT, "PERCENT", offsetof(struct compare_options, fail_over), "exit code 6 if the verdict of any row is slower and its median time is up by more than this" },
    { "allow", 0, OPTION_TEXT, "LIST", offsetof(struct compare_options, allow), "compare although these differ: of precision, settings, shape, flops, with commas; the output says so" },
    { "html", 0, OPTION_TEXT, "FILE", offsetof(struct compare_options, html), "write one page with tables, rooflines and operators; needs nothing else, no scripts" },
    { "plots", 0, OPTION_TEXT, "DIR", offsetof(struct compare_options, plots), "write speed-B.png, roofline-A.png, ... and operators.png into this folder" },
    { "csv", 0, OPTION_FLAG, NULL, offsetof(struct compare_options, csv), "a line per row and report" },
    { "json", 0, OPTION_FLAG, NULL, offsetof(struct compare_options, json), "one JSON object" },
    { "width", 0, OPTION_INT, "N", offsetof(struct compare_options, width), "of the tables in characters (the terminal's; any in a pipe)", 40, 10000 },
    { 0 }
};

// --- Options. --------------------------------------------------------------------------------------------------

static bool read_percent(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end) / 100;
    return end != text && !strcmp(end, "%") && isfinite(*out) && *out >= 0 && *text != '-';
}

static int read_allow(const call *c, const char *list, int *out)
{
    static const char *const names[] = { "precision", "settings", "shape", "flops" };
    while (list && *list) {
        const size_t n = strcspn(list, ",");
        int k = 0;
        while (k < 4 && (strlen(names[k]) != n || memcmp(names[k], list, n))) k++;
        if (k == 4) return usage(c, "--allow takes precision, settings, shape and flops, not '%.*s'", (int) n, list);
        *out |= 1 << k;
        list += n + (list[n] != 0);
    }
    return CODE_OK;
}

static int read_how(const call *c, const struct compare_options *o, compare_how *out, double *fail_over)
{
    *out = (compare_how) { .noise = 0.02, .sort = (sort_order) o->sort, .filter = &o->filter, .by_gpu = o->time == 1 };
    *fail_over = INFINITY;
    if (o->noise && !read_percent(o->noise, &out->noise)) return usage(c, "--noise wants a percentage such as 2%%, not '%s'", o->noise);
    if (o->fail_over && !read_percent(o->fail_over, fail_over)) return usage(c, "--fail-over wants a percentage such as 5%%, not '%s'", o->fail_over);
    if (o->csv && o->json) return usage(c, "--csv or --json, not both");
    return read_allow(c, o->allow, &out->allow);
}

// --- Output. ---------------------------------------------------------------------------------------------------

static int terminal_width(void)
{
    struct winsize w = { 0 };
    return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_col >= 40 ? w.ws_col : 0;
}

static bool colours(void)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") && !(no && *no);
}

static int print_comparison(const call *c, const struct compare_options *o, const comparison *m)
{
    text_out t = { 0 };
    if (o->csv) put_csv(&t, m);
    else if (o->json) put_json(&t, m);
    else put_markdown(&t, m, o->width ? o->width : terminal_width(), colours());
    if (!t.failed) fwrite(t.at, 1, t.length, stdout);
    free(t.at);
    return t.failed ? fail(c, CODE_FAILED, "out of memory") : CODE_OK;
}

static int write_page(const call *c, const comparison *m, const char *path, pool *p)
{
    text_out t = { 0 };
    put_html(&t, m, p);
    const int code = t.failed ? fail(c, CODE_FAILED, "out of memory") : write_file(c, path, t.at, t.length);
    free(t.at);
    return code;
}

static bool is_slower(const cell *e, verdict v, double fail_over) { return e->result && e->speed.verdict == v && 1 / e->speed.ratio > 1 + fail_over; }

static int check_slower(const call *c, const comparison *m, double fail_over)
{
    int found = 0, few = 0;
    for (int k = 0; k < m->row_count; k++)
        for (int i = 1; i < m->report_count; i++) few += is_slower(&m->rows[k].cell[i], VERDICT_FEW, fail_over);
    if (few) note(c, "%d results look slower than that and have too few samples for a verdict; --fail-over says nothing of them", few);
    if (isfinite(fail_over) && m->left_count) note(c, "%d results are not counted, and --fail-over says nothing of them", m->left_count);
    for (int k = 0; k < m->row_count; k++)
        for (int i = 1; i < m->report_count; i++) {
            const cell *e = &m->rows[k].cell[i];
            if (!is_slower(e, VERDICT_SLOWER, fail_over)) continue;
            fail(c, CODE_SLOWER, "%s: %s is slower in %s by %.1f %%", m->rows[k].suite, m->rows[k].name, m->reports[i].letter, 100 / e->speed.ratio - 100);
            found++;
        }
    return found ? CODE_SLOWER : CODE_OK;
}

// --- The command. ----------------------------------------------------------------------------------------------

static bool anything_common(const comparison *m)
{
    bool peaks = false;
    for (int i = 1; i < m->report_count; i++)
        for (int k = 0; k < PEAKS; k++) peaks |= peak_compared(m, k, i);
    return m->row_count || peaks;
}

static int run_compare(call *c)
{
    const struct compare_options *o = c->options;
    report reports[REPORTS_MOST];
    pool p = { 0 };
    compare_how how = { 0 };
    comparison m;
    double fail_over;
    int code = read_how(c, o, &how, &fail_over);
    for (int i = 0; i < c->arg_count && !code; i++) {
        code = read_report(c, &p, c->args[i], &reports[i]);
        reports[i].letter[0] = (char) ('A' + i), reports[i].letter[1] = 0;
    }
    if (!code) code = compare_reports(c, &p, reports, c->arg_count, &how, &m);
    if (!code) code = print_comparison(c, o, &m);
    if (!code && o->html) code = write_page(c, &m, o->html, &p);
    if (!code && o->plots) code = write_plots(c, &m, o->plots, &p);
    if (!code && !anything_common(&m)) code = fail(c, CODE_INPUT, "the reports have nothing in common that can be compared");
    if (!code) code = check_slower(c, &m, fail_over);
    pool_free(&p);
    return code;
}

const command command_compare = {
    .name = "compare", .args = "A.json B.json [C.json ...]", .summary = "compares reports of `weft bench`; A is the base", .options = compare_options,
    .option_bytes = sizeof(struct compare_options), .least = 2, .most = REPORTS_MOST, .run = run_compare, .no_context = true,
    .about = "Speed is the median time in A over that in another: above 1, the other is faster. A verdict is given where the 95 % interval of\n"
             "that ratio (bootstrap of both medians, with fixed random numbers) leaves out 1 and the difference is above --noise. Results that are\n"
             "void, failed or missing in a report are listed and not counted. Reports of other precision or settings, and results of other shape\n"
             "or arithmetic under the same name, are refused unless --allow names what may differ; devices, drivers and versions may always differ.\n"
             "Exit code 5: a report cannot be read, or is not comparable with A, or nothing in them is. 6: something is slower than --fail-over allows.",
    .examples = "  weft compare before.json after.json --fail-over 5%\n  weft compare nvidia.json amd.json intel.json --filter 'nets/*'\n"
                "  weft compare exact.json fast.json --allow precision --sort ratio\n  weft compare *.json --html compare.html --plots plots",
};
