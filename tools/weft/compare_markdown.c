// SPDX-License-Identifier: MIT
// A comparison as Markdown: aligned for reading in a terminal, and a table where Markdown is rendered.
#include "compare.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MOST = 2 + 3 * REPORTS_MOST, NAME_LEAST = 16, CELL_BYTES = 2200 };

// --- Tables. ---------------------------------------------------------------------------------------------------

typedef struct table {
    const comparison *of;
    text_out *out;
    int columns, width[COLUMNS_MOST];
    bool left[COLUMNS_MOST], interval, verdicts, colour; // left: aligned so; columns that go where there is no room
} table;
typedef struct table_cell { char text[CELL_BYTES]; const char *colour; } table_cell;

static void escape(char *to, size_t room, const char *text) // what would be taken for a column or a tag
{
    size_t n = 0;
    for (; *text && n + 6 < room; text++) {
        if (*text == '|' || *text == '\\') to[n++] = '\\';
        if (*text == '<') n += (size_t) sprintf(to + n, "&lt;");
        else to[n++] = *text;
    }
    to[n] = 0;
}

static void put_text(text_out *out, const char *text) // of a report
{
    char safe[CELL_BYTES];
    escape(safe, sizeof safe, text);
    put(out, "%s", safe);
}

static void put_cells(const table *t, const table_cell *cells)
{
    for (int k = 0; k < t->columns; k++) {
        const int pad = t->width[k] - text_width(cells[k].text), gap = pad > 0 ? pad : 0;
        const bool colour = t->colour && cells[k].colour;
        put(t->out, "| %*s%s%s%s%*s ", t->left[k] ? 0 : gap, "", colour ? cells[k].colour : "", cells[k].text, colour ? "\x1b[0m" : "", t->left[k] ? gap : 0, "");
    }
    put(t->out, "|\n");
}

static void put_rule(const table *t)
{
    for (int k = 0; k < t->columns; k++) {
        put(t->out, "|%c", t->left[k] ? ':' : '-');
        for (int i = 0; i < t->width[k]; i++) put(t->out, "-");
        put(t->out, "%c", t->left[k] ? '-' : ':');
    }
    put(t->out, "|\n");
}

static void grow(table *t, const table_cell *cells)
{
    for (int k = 0; k < t->columns; k++) {
        const int w = text_width(cells[k].text);
        if (w > t->width[k]) t->width[k] = w;
    }
}

static int whole_width(const table *t)
{
    int w = 1;
    for (int k = 0; k < t->columns; k++) w += t->width[k] + 3;
    return w;
}

// --- A suite's table. ------------------------------------------------------------------------------------------

static const char *verdict_colour(verdict v)
{
    return v == VERDICT_FASTER ? "\x1b[1;36m" : v == VERDICT_SLOWER ? "\x1b[1;33m" : "\x1b[2m"; // told apart by the colour-blind, too
}

static void suite_head(table *t, table_cell *cells)
{
    const comparison *m = t->of;
    int k = 0;
    t->left[k] = true;
    strcpy(cells[k++].text, "result");
    sprintf(cells[k++].text, "A ms");
    for (int i = 1; i < m->report_count; i++) {
        const char *letter = m->reports[i].letter;
        sprintf(cells[k++].text, "%s ms", letter);
        sprintf(cells[k++].text, "%s speed", letter);
        if (t->interval) sprintf(cells[k++].text, "95 %% interval");
        t->left[k] = true;
        sprintf(cells[k++].text, "verdict");
    }
    t->columns = k;
}

static void suite_cells(const table *t, const row *r, int name_width, table_cell *cells)
{
    const comparison *m = t->of;
    int k = 0;
    for (int i = 0; i < t->columns; i++) strcpy(cells[i].text, "-"), cells[i].colour = NULL;
    escape(cells[k++].text, CELL_BYTES, cut_text(r->name, name_width));
    strcpy(cells[k++].text, ms_text(r->cell[0].time->median));
    for (int i = 1; i < m->report_count; i++, k += 3 + t->interval) {
        const cell *c = &r->cell[i];
        const int last = k + 2 + t->interval;
        if (!c->result) continue;
        strcpy(cells[k].text, ms_text(c->time->median));
        strcpy(cells[k + 1].text, ratio_text(c->speed.ratio));
        if (t->interval) sprintf(cells[k + 2].text, "%s - %s", ratio_text(c->speed.low), ratio_text(c->speed.high));
        sprintf(cells[last].text, "%s%s%s%s", verdict_words[c->speed.verdict], c->mark ? " (other " : "", c->mark ? c->mark : "", c->mark ? ")" : "");
        cells[last].colour = cells[k + 1].colour = verdict_colour(c->speed.verdict);
    }
}

// The widths of the columns, and of the name what remains of `width`; the interval goes first where it is narrow.
static int fit(table *t, const suite *s, int width, table_cell *cells)
{
    int longest = 0;
    memset(t->width, 0, sizeof t->width);
    suite_head(t, cells);
    grow(t, cells);
    for (int i = 0; i < s->count; i++) {
        suite_cells(t, &t->of->rows[s->first + i], 1 << 20, cells);
        if (text_width(cells[0].text) > longest) longest = text_width(cells[0].text);
        cells[0].text[0] = 0;
        grow(t, cells);
    }
    const int rest = width ? width - whole_width(t) + t->width[0] : longest;
    if (width && rest < NAME_LEAST && t->interval) return t->interval = false, fit(t, s, width, cells);
    const int name = rest > longest ? longest : rest < NAME_LEAST ? NAME_LEAST : rest;
    t->width[0] = name > t->width[0] ? name : t->width[0];
    return name;
}

static void put_suite(table *t, const suite *s, int width, table_cell *cells)
{
    const comparison *m = t->of;
    put(t->out, "\n### ");
    put_text(t->out, s->name);
    put(t->out, "\n\n");
    t->interval = m->report_count == 2;
    const int name = fit(t, s, width, cells);
    suite_head(t, cells);
    for (int k = 0; k < t->columns; k++) cells[k].colour = NULL;
    put_cells(t, cells);
    put_rule(t);
    for (int i = 0; i < s->count; i++) {
        suite_cells(t, &m->rows[s->first + i], name, cells);
        put_cells(t, cells);
    }
    put(t->out, "\n");
    for (int i = 1; i < m->report_count; i++) {
        const sum *u = &s->sum[i];
        if (u->rows)
            put(t->out, "- %s runs %s as fast as A in the geometric mean of %d row%s (95 %%: %s - %s); %d faster, %d slower, %d neither\n", m->reports[i].letter,
                ratio_text(u->ratio), u->rows, u->rows == 1 ? "" : "s", ratio_text(u->low), ratio_text(u->high), u->faster, u->slower, u->rows - u->faster - u->slower);
    }
}

// --- The rest. -------------------------------------------------------------------------------------------------

static void put_heads(text_out *out, const comparison *m)
{
    put(out, "# weft compare\n\n");
    for (int i = 0; i < m->report_count; i++) {
        const report *r = &m->reports[i];
        const char *const parts[] = { r->name, " (", r->kind, *r->driver ? ", " : "", r->driver, "), ", r->precision, ", weft ", r->weft, *r->date ? ", " : "", r->date,
                                      r->stopped ? ", stopped before its end" : "", " - ", r->file };
        put(out, "- %s%s: ", r->letter, i ? "" : ", the base");
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) put_text(out, parts[k]);
        put(out, "\n");
    }
    put(out, "\nSpeed: %s, A's over the other's; above 1, the other is faster. A verdict wants the 95 %% interval to leave out 1 and a difference above %.3g %%.\n",
        m->by_gpu ? "the median time by the device's clock" : "the median time a caller waits", 100 * m->noise);
    for (int i = 0; i < m->across_count; i++) {
        put(out, "\n**Compared across: ");
        put_text(out, m->across[i]);
        put(out, "**\n");
    }
}

static void peak_head(table *t, table_cell *cells)
{
    int k = 0;
    t->left[0] = t->left[1] = true;
    strcpy(cells[k++].text, "");
    strcpy(cells[k++].text, "unit");
    for (int i = 0; i < t->of->report_count; i++) t->left[k] = false, strcpy(cells[k++].text, t->of->reports[i].letter);
    for (int i = 1; i < t->of->report_count; i++) {
        t->left[k] = false;
        sprintf(cells[k++].text, "%s speed", t->of->reports[i].letter);
        if (!t->verdicts) continue;
        t->left[k] = true;
        strcpy(cells[k++].text, "verdict");
    }
    for (int i = 0; i < k; i++) cells[i].colour = NULL;
    t->columns = k;
}

static void peak_cells(const table *t, int peak, table_cell *cells)
{
    const comparison *m = t->of;
    int k = 0;
    strcpy(cells[k++].text, peak_kinds[peak].label);
    strcpy(cells[k++].text, peak_kinds[peak].unit);
    for (int i = 0; i < m->report_count; i++) {
        const figure *f = m->reports[i].peak[peak];
        strcpy(cells[k++].text, f ? ms_text(f->median * peak_kinds[peak].scale) : "-");
    }
    for (int i = 1; i < m->report_count; i++, k += 1 + t->verdicts) {
        const speed *s = &m->peak[peak][i];
        const bool both = peak_compared(m, peak, i);
        strcpy(cells[k].text, both ? ratio_text(s->ratio) : "-");
        cells[k].colour = both ? verdict_colour(s->verdict) : NULL;
        if (!t->verdicts) continue;
        strcpy(cells[k + 1].text, both ? verdict_words[s->verdict] : "-");
        cells[k + 1].colour = cells[k].colour;
    }
}

static void fit_peaks(table *t, int width, table_cell *cells)
{
    memset(t->width, 0, sizeof t->width);
    for (int p = 0; p < PEAKS; p++) {
        peak_head(t, cells);
        grow(t, cells);
        peak_cells(t, p, cells);
        grow(t, cells);
    }
    if (!width || whole_width(t) <= width || !t->verdicts) return;
    t->verdicts = false;
    fit_peaks(t, width, cells);
}

static void put_peaks(table *t, int width, table_cell *cells)
{
    bool any = false;
    for (int i = 0; i < t->of->report_count; i++) any |= t->of->reports[i].has_peak;
    if (!any) return;
    put(t->out, "\n### peak\n\n");
    t->verdicts = true;
    fit_peaks(t, width, cells);
    peak_head(t, cells);
    put_cells(t, cells);
    put_rule(t);
    for (int p = 0; p < PEAKS; p++) {
        peak_cells(t, p, cells);
        put_cells(t, cells);
    }
}

static void put_left(text_out *out, const comparison *m)
{
    if (m->left_count) put(out, "\n### not counted\n\n");
    for (int i = 0, n; i < m->left_count; i += n > LEFT_ALIKE ? n : 1) {
        n = left_run(m, i);
        put(out, "- ");
        put_text(out, m->left[i].suite);
        put(out, ": ");
        if (n > LEFT_ALIKE) put(out, "%d results, the first ", n);
        put_text(out, m->left[i].name);
        put(out, ": ");
        put_text(out, m->left[i].why);
        put(out, "\n");
    }
}

void put_markdown(text_out *out, const comparison *m, int width, bool colour)
{
    table t = { .of = m, .out = out, .colour = colour };
    table_cell *cells = calloc(COLUMNS_MOST, sizeof *cells);
    if (!cells) {
        out->failed = true;
        return;
    }
    put_heads(out, m);
    for (int i = 0; i < m->suite_count; i++) put_suite(&t, &m->suites[i], width, cells);
    put_peaks(&t, width, cells);
    put_left(out, m);
    free(cells);
}
