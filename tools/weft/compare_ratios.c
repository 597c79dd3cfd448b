// SPDX-License-Identifier: MIT
// How fast each result is against the base: a mark with its 95 % interval, row by row, on a logarithmic axis.
#include "compare_draw.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double plot = 424, name_least = 240, name_most = 450, margin = 44, right = 150, line = 20, suite_head = 30, top = 76, bottom = 20;

enum { ROWS_MOST = 150 };
typedef struct chart {
    drawing *d;
    const comparison *m;
    int of, hidden;
    double left; // where the axis begins; names end before it
    double least; // of many rows, those nearer to 1 than this are not drawn
    log_axis x;
} chart;

static ink ink_of(verdict v) { return v == VERDICT_FASTER ? INK_FASTER : v == VERDICT_SLOWER ? INK_SLOWER : INK_SAME; }

static double distance(const row *r, int of) { return fabs(log(r->cell[of].speed.ratio)); }

static int farthest_first(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return (x < y) - (x > y);
}

static void choose_rows(chart *c)
{
    double *all = pool_take(c->d->pool, sizeof *all * (size_t) c->m->row_count);
    int n = 0;
    if (!all) {
        c->d->failed = true;
        return;
    }
    for (int k = 0; k < c->m->row_count; k++)
        if (c->m->rows[k].cell[c->of].result) all[n++] = distance(&c->m->rows[k], c->of);
    qsort(all, (size_t) n, sizeof *all, farthest_first);
    if (n <= ROWS_MOST) return;
    c->least = all[ROWS_MOST - 1];
    for (int k = 0; k < n; k++) c->hidden += all[k] < c->least;
}

static bool is_shown(const chart *c, const row *r) { return r->cell[c->of].result && distance(r, c->of) >= c->least; }

static void make_room(chart *c)
{
    double longest = name_least;
    for (int k = 0; k < c->m->row_count; k++)
        if (is_shown(c, &c->m->rows[k])) longest = fmax(longest, measure_text(c->m->rows[k].name, 12));
    c->left = fmin(longest, name_most) + margin;
    c->d->width = c->left + plot + right;
}

static void set_axis(chart *c)
{
    double low = 0.95, high = 1 / 0.95;
    for (int k = 0; k < c->m->row_count; k++) {
        const cell *e = &c->m->rows[k].cell[c->of];
        if (e->result) low = fmin(low, e->speed.low), high = fmax(high, e->speed.high);
    }
    c->x = (log_axis) { low / 1.04, high * 1.04, c->left, c->left + plot };
}

static int ratio_ticks(const log_axis *x, double ticks[64])
{
    static const double fine[] = { 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 1.75, 2 };
    if (x->high / x->low > 5) return axis_ticks(x, ticks, 9);
    int n = 0;
    for (int i = 0; i < 12; i++)
        if (fine[i] > x->low && fine[i] < x->high) ticks[n++] = fine[i];
    return n;
}

static void draw_axis(chart *c, double end)
{
    double ticks[64], last = -1e9;
    drawing *d = c->d;
    const double low = fmax(1 / (1 + c->m->noise), c->x.low), high = fmin(1 + c->m->noise, c->x.high);
    draw_rect(d, axis_at(&c->x, low), top - 6, axis_at(&c->x, high) - axis_at(&c->x, low), end - top + 6, INK_BAND, "the noise floor: no verdict within");
    for (int i = 0, n = ratio_ticks(&c->x, ticks); i < n; i++) {
        const double x = axis_at(&c->x, ticks[i]);
        char label[32];
        snprintf(label, sizeof label, "%.3gx", ticks[i]);
        if (x - last < 38) continue;
        draw_line(d, x, top - 6, x, end, 1, INK_GRID, false);
        draw_text(d, x, top - 12, 12, ANCHOR_MIDDLE, INK_MUTED, label);
        last = x;
    }
    draw_line(d, axis_at(&c->x, 1), top - 6, axis_at(&c->x, 1), end, 1.4, INK_MUTED, false);
}

static void draw_row(chart *c, const row *r, double y)
{
    const cell *e = &r->cell[c->of];
    const speed *s = &e->speed;
    const mark_kind kind = s->verdict == VERDICT_FASTER ? MARK_UP : s->verdict == VERDICT_SLOWER ? MARK_DOWN : MARK_DISC;
    const ink i = ink_of(s->verdict);
    const double x = axis_at(&c->x, s->ratio);
    const char *title = pool_text(c->d->pool, "%s: %s (95 %%: %s to %s), %s; %s ms, base %s ms", r->name, ratio_text(s->ratio), ratio_text(s->low), ratio_text(s->high),
                                  verdict_words[s->verdict], ms_text(e->time->median), ms_text(r->cell[0].time->median));
    const char *value = pool_text(c->d->pool, "%s%s%s", ratio_text(s->ratio), e->mark ? " other " : "", e->mark ? e->mark : "");
    draw_text(c->d, c->left - 14, y + 4, 12, ANCHOR_END, INK_TEXT, fit_text(r->name, 12, c->left - margin));
    draw_line(c->d, axis_at(&c->x, s->low), y, axis_at(&c->x, s->high), y, 2, i, false);
    draw(c->d, (mark) { .kind = kind, .ink = i, .x = x, .y = y, .size = kind == MARK_DISC ? 4.2 : 5.6, .title = title });
    if (value) draw_text(c->d, c->x.to + 12, y + 4, 12, ANCHOR_START, i == INK_SAME ? INK_MUTED : i, fit_text(value, 12, right - 16));
}

static double draw_suite(chart *c, const suite *s, double y)
{
    int rows = 0;
    for (int k = s->first; k < s->first + s->count; k++) rows += is_shown(c, &c->m->rows[k]);
    if (!rows) return y;
    draw_text(c->d, 30, y + 20, 13, ANCHOR_START, INK_TEXT, fit_text(s->name, 13, c->left - 50));
    if (!c->d->failed) c->d->marks[c->d->count - 1].bold = true;
    const sum *u = &s->sum[c->of];
    const char *mean = pool_text(c->d->pool, "mean %s", ratio_text(u->ratio));
    if (mean) draw_text(c->d, c->x.to + 12, y + 20, 12, ANCHOR_START, INK_TEXT, mean);
    if (!c->d->failed) c->d->marks[c->d->count - 1].bold = true;
    const double x0 = axis_at(&c->x, u->low), x1 = axis_at(&c->x, u->high);
    draw_line(c->d, x0, y + 16, x1, y + 16, 3, INK_TEXT, false);
    draw(c->d, (mark) { .kind = MARK_DIAMOND, .ink = INK_TEXT, .x = axis_at(&c->x, u->ratio), .y = y + 16, .size = 6, .title = "geometric mean" });
    y += suite_head;
    for (int k = s->first; k < s->first + s->count; k++)
        if (is_shown(c, &c->m->rows[k])) draw_row(c, &c->m->rows[k], y + line / 2), y += line;
    return y + 6;
}

static double height_of(const chart *c)
{
    double y = top;
    for (int i = 0; i < c->m->suite_count; i++) {
        const suite *s = &c->m->suites[i];
        int rows = 0;
        for (int k = s->first; k < s->first + s->count; k++) rows += is_shown(c, &c->m->rows[k]);
        if (rows) y += suite_head + line * rows + 6;
    }
    return y;
}

static void draw_legend(const chart *c)
{
    static const struct { mark_kind kind; ink ink; const char *text; } entries[] = {
        { MARK_UP, INK_FASTER, "faster" }, { MARK_DOWN, INK_SLOWER, "slower" }, { MARK_DISC, INK_SAME, "no difference" }, { MARK_DIAMOND, INK_TEXT, "geometric mean" },
    };
    double x = 30;
    for (int i = 0; i < 4; i++) {
        draw(c->d, (mark) { .kind = entries[i].kind, .ink = entries[i].ink, .x = x, .y = 42, .size = 5.5 });
        draw_text(c->d, x + 11, 46, 12, ANCHOR_START, INK_MUTED, entries[i].text);
        x += 34 + measure_text(entries[i].text, 12);
    }
}

void chart_ratios(drawing *d, const comparison *m, int i)
{
    chart c = { .d = d, .m = m, .of = i };
    d->title = pool_text(d->pool, "Speed of %s, %s, where A is 1", m->reports[i].letter, m->reports[i].name);
    if (!d->title) {
        d->failed = true;
        return;
    }
    choose_rows(&c);
    make_room(&c);
    set_axis(&c);
    const double end = height_of(&c);
    d->height = end + bottom + (c.hidden ? 16 : 0);
    draw_text(d, 14, 22, 15, ANCHOR_START, INK_TEXT, fit_text(d->title, 15, d->width - 30));
    if (!d->failed) d->marks[d->count - 1].bold = true;
    draw_legend(&c);
    draw_axis(&c, end);
    double y = top;
    for (int k = 0; k < m->suite_count; k++) y = draw_suite(&c, &m->suites[k], y);
    const char *hidden = c.hidden ? pool_text(d->pool, "and %d rows nearer to 1", c.hidden) : NULL;
    if (hidden) draw_text(d, 30, end + 18, 12, ANCHOR_START, INK_MUTED, hidden);
}
