// SPDX-License-Identifier: MIT
// Finds the rows that several reports have in common, refuses what is not the same work, and judges the rest.
#include "compare.h"
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMPLAINTS_MOST = 12 };

typedef struct matcher {
    const call *call;
    pool *pool;
    const compare_how *how;
    comparison *out;
    const result ***order; // per report: by suite and name
    int complaints;
    bool failed; // no memory
} matcher;

static void complain(matcher *m, const char *file, const char *field, const char *mine, const char *base, const char *theirs, const char *allow)
{
    if (m->complaints++ < COMPLAINTS_MOST)
        fail(m->call, CODE_INPUT, "%s: %s is %s, but %s in %s: not comparable (--allow %s compares all the same)", file, field, mine, theirs, base, allow);
}

// --- What must be the same in the whole report. ------------------------------------------------------------------

static void check_setting(matcher *m, int i, const char *field, const char *mine, const char *theirs, int bit, const char *allow)
{
    comparison *o = m->out;
    const report *r = &o->reports[i], *base = &o->reports[0];
    if (!mine || !theirs) m->failed = true;
    if (m->failed || !strcmp(mine, theirs)) return;
    if (!(m->how->allow & bit)) {
        complain(m, r->file, field, mine, base->file, theirs, allow);
        return;
    }
    const char *text = pool_text(m->pool, "%s %s in %s, %s in %s", field + strlen("settings."), theirs, base->letter, mine, r->letter);
    if (!text) m->failed = true;
    else if (o->across_count < ACROSS_MOST) o->across[o->across_count++] = text;
}

static void check_settings(matcher *m, int i)
{
    const report *r = &m->out->reports[i], *b = &m->out->reports[0];
    pool *p = m->pool;
    check_setting(m, i, "settings.precision", r->precision, b->precision, ALLOW_PRECISION, "precision");
    check_setting(m, i, "settings.min_seconds", pool_text(p, "%g", r->min_seconds), pool_text(p, "%g", b->min_seconds), ALLOW_SETTINGS, "settings");
    check_setting(m, i, "settings.min_samples", pool_text(p, "%g", r->min_samples), pool_text(p, "%g", b->min_samples), ALLOW_SETTINGS, "settings");
    check_setting(m, i, "settings.no_optional", r->no_optional ? "true" : "false", b->no_optional ? "true" : "false", ALLOW_SETTINGS, "settings");
    check_setting(m, i, "settings.tune", r->tune ? "true" : "false", b->tune ? "true" : "false", ALLOW_SETTINGS, "settings");
}

// --- What must be the same in a row. -------------------------------------------------------------------------------

static bool same_number(double a, double b) // both missing is the same
{
    return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : fabs(a - b) <= 1e-9 * fmax(a, b);
}

static void check_value(matcher *m, int i, const result *r, const char *field, const char *mine, const char *theirs, int bit, const char *allow, const char **mark)
{
    const report *const reports = m->out->reports;
    const char *path = pool_text(m->pool, "results[%d].%s ('%s')", r->index, field, r->name);
    if (!mine || !theirs || !path) m->failed = true;
    else if (!(m->how->allow & bit)) complain(m, reports[i].file, path, mine, reports[0].file, theirs, allow);
    else *mark = *mark ? pool_text(m->pool, "%s, %s", *mark, field) : field;
}

static const char *quoted(matcher *m, const char *text) { return pool_text(m->pool, "'%.250s'", text); }
static const char *number(matcher *m, double v) { return isnan(v) ? "missing" : pool_text(m->pool, "%.12g", v); }

static const char *check_work(matcher *m, int i, const result *r, const result *base) // the mark; NULL: the same work
{
    const char *mark = NULL;
    if (*r->precision && *base->precision && strcmp(r->precision, base->precision))
        check_value(m, i, r, "precision", r->precision, base->precision, ALLOW_PRECISION, "precision", &mark);
    if (strcmp(r->shape, base->shape)) check_value(m, i, r, "shape", quoted(m, r->shape), quoted(m, base->shape), ALLOW_SHAPE, "shape", &mark);
    if (!same_number(r->flops, base->flops)) check_value(m, i, r, "flops", number(m, r->flops), number(m, base->flops), ALLOW_FLOPS, "flops", &mark);
    return mark;
}

// --- Rows. -----------------------------------------------------------------------------------------------------

static bool wanted(const text_list *filter, const result *r)
{
    char full[2100];
    if (!filter->count) return true;
    snprintf(full, sizeof full, "%s/%s", r->suite, r->name);
    for (int i = 0; i < filter->count; i++) {
        const char *f = filter->at[i];
        if (strpbrk(f, "*?") ? !fnmatch(f, full, 0) || !fnmatch(f, r->name, 0) : strstr(full, f) != NULL) return true;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    const result *const *x = a, *const *y = b;
    const int s = strcmp((*x)->suite, (*y)->suite);
    return s ? s : strcmp((*x)->name, (*y)->name);
}

static const result *find_result(const matcher *m, int report, const result *like)
{
    const result **at = bsearch(&like, m->order[report], (size_t) m->out->reports[report].count, sizeof *at, by_name);
    return at ? *at : NULL;
}

static void leave_out(matcher *m, const result *r, const char *why)
{
    if (!why) m->failed = true;
    else m->out->left[m->out->left_count] = (left_out) { r->suite, r->name, why, m->out->left_count }, m->out->left_count++;
}

static const figure *time_of(const matcher *m, const result *r) { return m->how->by_gpu ? r->gpu : r->time; }

// Why a result cannot count; NULL: it can.
static const char *unusable(const matcher *m, const result *r, const char *letter)
{
    if (r->voided && isnan(r->gate_difference)) return pool_text(m->pool, "void in %s: wrong result", letter);
    if (r->voided) return pool_text(m->pool, "void in %s: wrong result, %.2g from right, %.2g allowed", letter, r->gate_difference, r->gate_limit);
    if (*r->error) return pool_text(m->pool, "%s: %s%s", letter, r->not_run ? "not run because " : "", r->error);
    if (!time_of(m, r)) return pool_text(m->pool, "%s has no times by the device's clock", letter);
    return NULL;
}

static bool usable(const matcher *m, const result *r) { return !r->voided && !*r->error && time_of(m, r); }

static cell judge(matcher *m, int i, const result *r, const result *base, double *draws)
{
    cell c = { .result = r, .time = time_of(m, r), .mark = check_work(m, i, r, base) };
    c.speed = compare_figures(time_of(m, base), c.time, m->how->noise, seed_of(r->name, seed_of(r->suite, (uint64_t) i)), draws);
    return c;
}

// The row of a result of the base, with those of the others that can be compared; draws: per report.
static void add_row(matcher *m, const result *base, double (*draws)[DRAWS])
{
    comparison *o = m->out;
    row *to = &o->rows[o->row_count];
    int found = 0;
    *to = (row) { base->suite, base->name, base->index, .cell[0] = { .result = base, .time = time_of(m, base) } };
    if (!usable(m, base)) {
        leave_out(m, base, unusable(m, base, o->reports[0].letter));
        return;
    }
    for (int i = 1; i < o->report_count; i++) {
        const result *r = find_result(m, i, base);
        if (!r) leave_out(m, base, pool_text(m->pool, "not in %s", o->reports[i].letter));
        else if (!usable(m, r)) leave_out(m, r, unusable(m, r, o->reports[i].letter));
        else to->cell[i] = judge(m, i, r, base, draws[i]), found++;
    }
    o->row_count += found > 0;
}

// --- Suites. ---------------------------------------------------------------------------------------------------

static void sum_suite(const comparison *o, suite *s, double (*draws)[DRAWS])
{
    for (int i = 1; i < o->report_count; i++) {
        sum *t = &s->sum[i];
        double logs = 0;
        for (int k = s->first; k < s->first + s->count; k++) {
            const cell *c = &o->rows[k].cell[i];
            if (!c->result) continue;
            logs += log(c->speed.ratio), t->rows++;
            t->faster += c->speed.verdict == VERDICT_FASTER, t->slower += c->speed.verdict == VERDICT_SLOWER;
        }
        if (!t->rows) continue;
        t->ratio = exp(logs / t->rows);
        draws_interval(draws[i], 1.0 / t->rows, &t->low, &t->high);
    }
}

static sort_order sorting; // qsort has no other way in

static double sort_key(const row *r)
{
    if (sorting == SORT_TIME) return -r->cell[0].time->median;
    double least = INFINITY; // slowest first
    for (int i = 1; i < REPORTS_MOST; i++)
        if (r->cell[i].result && r->cell[i].speed.ratio < least) least = r->cell[i].speed.ratio;
    return least;
}

static int by_order(const void *a, const void *b)
{
    const row *x = a, *y = b;
    if (sorting == SORT_NAME) return strcmp(x->name, y->name);
    if (sorting != SORT_FILE) {
        const double p = sort_key(x), q = sort_key(y);
        if (p != q) return p < q ? -1 : 1;
    }
    return x->index - y->index;
}

static bool add_suite(matcher *m, const char *name, double (*draws)[DRAWS])
{
    comparison *o = m->out;
    suite s = { .name = name, .first = o->row_count };
    memset(draws, 0, sizeof *draws * (size_t) o->report_count);
    for (int k = 0; k < o->reports[0].count; k++)
        if (!strcmp(o->reports[0].results[k].suite, name) && wanted(m->how->filter, &o->reports[0].results[k])) add_row(m, &o->reports[0].results[k], draws);
    s.count = o->row_count - s.first;
    if (!s.count) return true;
    if (o->suite_count == SUITES_MOST) return fail(m->call, CODE_INPUT, "%s: more than %d suites", o->reports[0].file, SUITES_MOST), false;
    sum_suite(o, &s, draws);
    sorting = m->how->sort;
    qsort(o->rows + s.first, (size_t) s.count, sizeof *o->rows, by_order);
    o->suites[o->suite_count++] = s;
    return true;
}

static bool seen_before(const report *r, int k) // the suite of result k, among those before it
{
    for (int i = k - 1; i >= 0 && i > k - 64; i--) // suites lie together, as a rule
        if (!strcmp(r->results[i].suite, r->results[k].suite)) return true;
    for (int i = 0; i < k; i++)
        if (!strcmp(r->results[i].suite, r->results[k].suite)) return true;
    return false;
}

static void list_others(matcher *m) // what the base does not have
{
    comparison *o = m->out;
    for (int i = 1; i < o->report_count; i++)
        for (int k = 0; k < o->reports[i].count && !m->failed; k++) {
            const result *r = &o->reports[i].results[k];
            if (wanted(m->how->filter, r) && !find_result(m, 0, r)) leave_out(m, r, pool_text(m->pool, "in %s alone, not in A", o->reports[i].letter));
        }
}

static int by_reason(const void *a, const void *b)
{
    const left_out *x = a, *y = b;
    const int suite = strcmp(x->suite, y->suite), why = strcmp(x->why, y->why);
    return suite ? suite : why ? why : x->turn - y->turn;
}

int left_run(const comparison *m, int i)
{
    int n = 1;
    while (i + n < m->left_count && !strcmp(m->left[i].suite, m->left[i + n].suite) && !strcmp(m->left[i].why, m->left[i + n].why)) n++;
    return n;
}

// --- Peaks. ----------------------------------------------------------------------------------------------------

bool peak_compared(const comparison *m, int kind, int i) { return i > 0 && m->reports[0].peak[kind] && m->reports[i].peak[kind]; }

static void judge_peaks(comparison *o)
{
    for (int k = 0; k < PEAKS; k++)
        for (int i = 1; i < o->report_count; i++) {
            const figure *a = o->reports[0].peak[k], *b = o->reports[i].peak[k];
            const bool rate = !peak_kinds[k].seconds; // more is better: the other way round
            if (peak_compared(o, k, i)) o->peak[k][i] = compare_figures(rate ? b : a, rate ? a : b, o->noise, seed_of(peak_kinds[k].name, (uint64_t) i), NULL);
        }
}

// --- All. ------------------------------------------------------------------------------------------------------

static bool make_room(matcher *m, int count)
{
    comparison *o = m->out;
    size_t results = 0;
    m->order = pool_take(m->pool, sizeof *m->order * (size_t) count);
    if (!m->order) return false;
    for (int i = 0; i < count; i++) {
        const report *r = &o->reports[i];
        if (!(m->order[i] = pool_take(m->pool, sizeof *m->order[i] * (size_t) r->count))) return false;
        for (int k = 0; k < r->count; k++) m->order[i][k] = &r->results[k];
        qsort(m->order[i], (size_t) r->count, sizeof *m->order[i], by_name);
        results += (size_t) r->count;
    }
    o->rows = pool_take(m->pool, sizeof *o->rows * ((size_t) o->reports[0].count + 1));
    o->left = pool_take(m->pool, sizeof *o->left * (results + (size_t) count * (size_t) o->reports[0].count));
    return o->rows && o->left;
}

int compare_reports(const call *c, pool *p, report *reports, int count, const compare_how *how, comparison *out)
{
    *out = (comparison) { .reports = reports, .report_count = count, .noise = how->noise, .by_gpu = how->by_gpu };
    matcher m = { c, p, how, out };
    double (*draws)[DRAWS] = pool_take(p, sizeof *draws * (size_t) count);
    if (!draws || !make_room(&m, count)) return fail(c, CODE_FAILED, "out of memory");
    for (int i = 1; i < count; i++) check_settings(&m, i);
    for (int k = 0; k < reports[0].count && !m.failed; k++)
        if (!seen_before(&reports[0], k) && !add_suite(&m, reports[0].results[k].suite, draws)) return CODE_INPUT;
    list_others(&m);
    if (!m.failed) qsort(out->left, (size_t) out->left_count, sizeof *out->left, by_reason);
    judge_peaks(out);
    if (m.failed) return fail(c, CODE_FAILED, "out of memory");
    if (m.complaints > COMPLAINTS_MOST) fail(c, CODE_INPUT, "and %d more differences", m.complaints - COMPLAINTS_MOST);
    if (m.complaints) return CODE_INPUT;
    if (!out->row_count && !out->left_count && how->filter->count) return fail(c, CODE_USAGE, "no result has a name that --filter wants");
    return CODE_OK;
}
