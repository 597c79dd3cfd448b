// SPDX-License-Identifier: MIT
// Where the time goes: for each result a bar per report, cut into its operators.
#include "compare_draw.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MOST = 512, GROUPS_MOST = 60 };
static const double width = 860, left = 40, right = 84, bar = 22, gap = 5, group_head = 26, group_gap = 18;

typedef struct share { const char *op; double weight; } share;
typedef struct bars {
    drawing *d;
    const comparison *m;
    share names[NAMES_MOST]; // by weight; the first SERIES - 1 have colours
    int name_count;
    bool networks; // draw no single operators
    bool shares;   // every bar has the full width, because lengths would leave nothing to see of the shortest
} bars;

static bool has_parts(const row *r, int reports) // one operator alone tells nothing
{
    for (int i = 0; i < reports; i++)
        if (r->cell[i].result && r->cell[i].result->op_count > 1) return true;
    return false;
}

// Networks come before the many single operators, which a backend may cut in two or three.
static bool has_networks(const comparison *m)
{
    for (int k = 0; k < m->row_count; k++)
        if (strcmp(m->rows[k].suite, "ops") && has_parts(&m->rows[k], m->report_count)) return true;
    return false;
}

static bool worth(const bars *b, const row *r) { return (!b->networks || strcmp(r->suite, "ops")) && has_parts(r, b->m->report_count); }

static double length_of(const cell *c) // ms
{
    double ms = 0;
    if (!c->result) return 0;
    for (int k = 0; k < c->result->op_count; k++) ms += c->result->ops[k].ms;
    return fmax(ms, c->time->median);
}

static double longest(const comparison *m, const row *r)
{
    double most = 0;
    for (int i = 0; i < m->report_count; i++) most = fmax(most, length_of(&r->cell[i]));
    return most;
}

static bool far_apart(const comparison *m, const row *r)
{
    for (int i = 0; i < m->report_count; i++)
        if (r->cell[i].result && length_of(&r->cell[i]) * 5 < longest(m, r)) return true;
    return false;
}

// --- Colours: the operators that matter most have their own. ----------------------------------------------------

static void weigh(bars *b, const char *op, double weight)
{
    int i = 0;
    while (i < b->name_count && strcmp(b->names[i].op, op)) i++;
    if (i == NAMES_MOST) return;
    if (i == b->name_count) b->names[b->name_count++] = (share) { op, 0 };
    b->names[i].weight += weight;
}

static int heaviest_first(const void *a, const void *b)
{
    const double d = ((const share *) b)->weight - ((const share *) a)->weight;
    return d > 0 ? 1 : d < 0 ? -1 : strcmp(((const share *) a)->op, ((const share *) b)->op);
}

static void choose_colours(bars *b)
{
    for (int k = 0; k < b->m->row_count; k++) {
        const row *r = &b->m->rows[k];
        if (worth(b, r) && far_apart(b->m, r)) b->shares = true;
        for (int i = 0; worth(b, r) && i < b->m->report_count; i++) {
            const double all = length_of(&r->cell[i]);
            for (int n = 0; r->cell[i].result && n < r->cell[i].result->op_count; n++)
                if (all > 0) weigh(b, r->cell[i].result->ops[n].op, r->cell[i].result->ops[n].ms / all);
        }
    }
    qsort(b->names, (size_t) b->name_count, sizeof b->names[0], heaviest_first);
}

static ink colour_of(const bars *b, const char *op)
{
    for (int i = 0; i < b->name_count && i < SERIES; i++)
        if (!strcmp(b->names[i].op, op)) return (ink) (INK_SERIES + i);
    return INK_OTHER;
}

// --- Drawing. --------------------------------------------------------------------------------------------------

static double draw_legend(bars *b, double y)
{
    const int shown = b->name_count < SERIES ? b->name_count : SERIES;
    double x = left;
    for (int i = 0; i <= shown + 1; i++) {
        if (i == shown && b->name_count <= SERIES) continue;
        const char *name = i < shown ? cut_text(b->names[i].op, 30) : i == shown ? "other operators" : "outside of operators";
        const double w = 30 + measure_text(name, 12);
        if (x + w > width - 10 && x > left) x = left, y += 20;
        draw_rect(b->d, x, y - 10, 12, 12, i < shown ? (ink) (INK_SERIES + i) : i == shown ? INK_OTHER : INK_GRID, NULL);
        draw_text(b->d, x + 18, y, 12, ANCHOR_START, INK_MUTED, name);
        x += w;
    }
    return y;
}

static void draw_part(bars *b, double x, double w, double y, ink i, const char *label, const char *title)
{
    const double size = 11.5, inside = measure_text(label, size);
    if (w <= 0) return;
    draw_rect(b->d, x, y, w > 1.6 ? w - 0.8 : w, bar, i, title); // a thin gap keeps neighbours apart
    if (inside + 8 > w) return;
    draw_text(b->d, x + 5, y + bar - 7, size, ANCHOR_START, INK_TEXT, label);
    if (!b->d->failed) b->d->marks[b->d->count - 1].on = i == INK_GRID || i == INK_OTHER ? ON_PAPER : ink_wants_dark_text(i) ? ON_LIGHT : ON_DARK;
}

typedef struct part { const op_time *of; double op_ms; } part; // op_ms: of the operator by all its kernels, which lie side by side

static int largest_first(const void *a, const void *b)
{
    const part *x = a, *y = b;
    if (x->op_ms != y->op_ms) return x->op_ms > y->op_ms ? -1 : 1;
    const int same = strcmp(x->of->op, y->of->op);
    return same ? same : x->of->ms > y->of->ms ? -1 : x->of->ms < y->of->ms;
}

static part *parts_of(bars *b, const result *r)
{
    part *list = pool_take(b->d->pool, sizeof *list * (size_t) (r->op_count + 1));
    if (!list) return b->d->failed = true, NULL;
    for (int k = 0; k < r->op_count; k++) {
        list[k].of = &r->ops[k];
        for (int i = 0; i < r->op_count; i++) list[k].op_ms += strcmp(r->ops[i].op, r->ops[k].op) ? 0 : r->ops[i].ms;
    }
    qsort(list, (size_t) r->op_count, sizeof *list, largest_first);
    return list;
}

static void draw_bar(bars *b, const cell *c, const char *letter, double y, double scale)
{
    const result *r = c->result;
    pool *p = b->d->pool;
    double x = left, sum = 0;
    const part *parts = parts_of(b, r);
    if (!parts) return;
    draw_text(b->d, left - 10, y + bar - 6, 13, ANCHOR_END, INK_TEXT, letter);
    if (!b->d->failed) b->d->marks[b->d->count - 1].bold = true;
    for (int k = 0; k < r->op_count; k++) {
        const op_time *o = parts[k].of;
        const char *title = pool_text(p, "%s%s%s%s: %s ms in %.4g nodes, %.1f %%", o->op, *o->way ? " (" : "", o->way, *o->way ? ")" : "", ms_text(o->ms),
                                      isnan(o->count) ? 1 : o->count, 100 * o->ms / length_of(c));
        draw_part(b, x, o->ms * scale, y, colour_of(b, o->op), o->op, title);
        x += o->ms * scale, sum += o->ms;
    }
    const double rest = c->time->median - sum;
    if (rest > 0) draw_part(b, x, rest * scale, y, INK_GRID, "", pool_text(p, "outside of operators: %s ms", ms_text(rest))), x += rest * scale;
    const char *total = pool_text(p, "%s ms", ms_text(c->time->median));
    if (total) draw_text(b->d, x + 8, y + bar - 6, 12, ANCHOR_START, INK_TEXT, total);
}

static double draw_group(bars *b, const row *r, double y)
{
    const double most = longest(b->m, r), room = width - left - right;
    double slowest = 0;
    for (int i = 0; i < b->m->report_count; i++)
        if (r->cell[i].result) slowest = fmax(slowest, r->cell[i].time->median);
    const char *head = pool_text(b->d->pool, "%s  %s", r->suite, r->name);
    if (head) draw_text(b->d, left, y + 16, 13, ANCHOR_START, INK_TEXT, fit_text(head, 13, width - left - 10));
    y += group_head;
    for (int i = 0; i < b->m->report_count; i++) {
        if (!r->cell[i].result) continue;
        const double length = length_of(&r->cell[i]);
        draw_bar(b, &r->cell[i], b->m->reports[i].letter, y, room / (b->shares ? length : most));
        if (b->shares) draw_rect(b->d, left, y + bar + 1.5, room * r->cell[i].time->median / slowest, 2.5, INK_MUTED, "how long, against the longest");
        y += bar + gap + (b->shares ? 4 : 0);
    }
    return y + group_gap;
}

bool chart_bars(drawing *d, const comparison *m)
{
    bars *b = pool_take(d->pool, sizeof *b);
    if (!b) return !(d->failed = true);
    b->d = d, b->m = m, b->networks = has_networks(m);
    choose_colours(b);
    if (!b->name_count) return false;
    d->title = b->shares ? "Where the time goes: operators' shares; the line below is the time, against the longest" : "Where the time goes: operators";
    d->width = width;
    draw_text(d, 14, 22, 15, ANCHOR_START, INK_TEXT, d->title);
    if (!d->failed) d->marks[d->count - 1].bold = true;
    double y = draw_legend(b, 50) + 16;
    int groups = 0;
    for (int k = 0; k < m->row_count; k++)
        if (worth(b, &m->rows[k]) && groups++ < GROUPS_MOST) y = draw_group(b, &m->rows[k], y);
    const char *rest = groups > GROUPS_MOST ? pool_text(d->pool, "and %d more results", groups - GROUPS_MOST) : NULL;
    if (rest) draw_text(d, left, y + 8, 12, ANCHOR_START, INK_MUTED, rest), y += 20;
    d->height = y;
    return true;
}
