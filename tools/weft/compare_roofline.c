// SPDX-License-Identifier: MIT
// The roofline of a device (Williams, Waterman and Patterson 2009): arithmetic per byte against arithmetic per second, under the measured peaks.
#include "compare_draw.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS_MOST = 14, SUITES_SHOWN = 4, STEPS = 80 };
static const double width = 860, height = 520, left = 74, right = 24, top = 62, bottom = 52;

typedef struct dot { double x, y, ms; int suite; bool part; const char *name, *title; } dot; // FLOP/byte, FLOP/s
typedef struct box { double x, y, w, h; } box;

typedef struct roof {
    drawing *d;
    const report *r;
    log_axis x, y;
    dot *dots;
    int count;
    const char *suites[SUITES_SHOWN];
    int suite_count;
    box *taken; // by dots and labels
    int taken_count;
} roof;

// --- Dots. -----------------------------------------------------------------------------------------------------

static bool drawable(double rate) { return rate >= 1 && rate <= 1e24; } // anything else is a slip, and would press the rest into a corner

static const figure *peak_of(const report *r, int i) { return r->peak[i] && drawable(r->peak[i]->median) ? r->peak[i] : NULL; }

static int suite_index(roof *f, const char *name)
{
    int i = 0;
    while (i < f->suite_count && strcmp(f->suites[i], name)) i++;
    if (i == f->suite_count && i < SUITES_SHOWN) f->suites[f->suite_count++] = name;
    return i < SUITES_SHOWN ? i : SUITES_SHOWN - 1;
}

static void add_dot(roof *f, const result *r, const char *part, const char *way, double flops, double bytes, double ms)
{
    const double x = flops / bytes, y = flops / ms * 1e3;
    if (!(flops > 0) || !(bytes > 0) || !(ms > 0) || x < 1e-9 || x > 1e9 || !drawable(y)) return;
    dot *o = &f->dots[f->count++];
    *o = (dot) { x, y, ms, suite_index(f, r->suite), part != NULL, r->name };
    o->title = pool_text(f->d->pool, "%s%s%s%s%s%s: %s ms, %.3g FLOP per byte, %s", r->name, part ? ": " : "", part ? part : "", way && *way ? " (" : "",
                         way ? way : "", way && *way ? ")" : "", ms_text(ms), x, short_number(y, "FLOP/s"));
    if (!o->title) f->d->failed = true;
}

static bool collect(roof *f)
{
    int most = 0;
    for (int k = 0; k < f->r->count; k++) most += 1 + f->r->results[k].op_count;
    f->dots = pool_take(f->d->pool, sizeof *f->dots * (size_t) most);
    f->taken = pool_take(f->d->pool, sizeof *f->taken * ((size_t) most + LABELS_MOST + 5 * STEPS));
    if (!f->dots || !f->taken) return !(f->d->failed = true);
    for (int k = 0; k < f->r->count; k++) {
        const result *r = &f->r->results[k];
        if (r->voided || *r->error || !r->time) continue;
        for (int i = 0; i < r->op_count && r->op_count > 1; i++)
            add_dot(f, r, r->ops[i].op, r->ops[i].way, r->ops[i].flops, r->ops[i].bytes, r->ops[i].ms);
        add_dot(f, r, NULL, r->op_count == 1 ? r->ops[0].way : NULL, r->flops, r->bytes, (r->gpu ? r->gpu : r->time)->median);
    }
    return !f->d->failed;
}

// --- Axes. -----------------------------------------------------------------------------------------------------

static const figure *bandwidth_of(const report *r) { return peak_of(r, 3) ? peak_of(r, 3) : peak_of(r, 4); }

static double highest_peak(const report *r)
{
    double most = 0;
    for (int i = 0; i < 3; i++)
        if (peak_of(r, i) && peak_of(r, i)->median > most) most = peak_of(r, i)->median;
    return most;
}

static void widen(log_axis *a, double v)
{
    if (v < a->low) a->low = v;
    if (v > a->high) a->high = v;
}

static void set_axes(roof *f)
{
    const figure *bytes = bandwidth_of(f->r);
    const double most = highest_peak(f->r);
    f->x = (log_axis) { INFINITY, 0, left, width - right };
    f->y = (log_axis) { INFINITY, 0, height - bottom, top };
    for (int i = 0; i < f->count; i++) widen(&f->x, f->dots[i].x), widen(&f->y, f->dots[i].y);
    if (most > 0) widen(&f->y, most);
    if (most > 0 && bytes) widen(&f->x, most / bytes->median), widen(&f->x, most / bytes->median / 30);
    if (!(f->x.low < INFINITY)) widen(&f->x, 1);
    if (!(f->y.low < INFINITY)) widen(&f->y, 1e9);
    f->x.low /= 2, f->x.high *= 6; // room for labels
    f->y.low /= 2.5, f->y.high *= 2;
    if (f->y.high / f->y.low < 100) f->y.low = f->y.high / 100;
}

static void draw_axes(roof *f)
{
    double ticks[64];
    drawing *d = f->d;
    const double x0 = f->x.from, x1 = f->x.to, y0 = f->y.from, y1 = f->y.to;
    for (int i = 0, n = axis_ticks(&f->x, ticks, 11); i < n; i++) {
        const double x = axis_at(&f->x, ticks[i]);
        draw_line(d, x, y0, x, y1, 1, INK_GRID, false);
        draw_text(d, x, y0 + 18, 12, ANCHOR_MIDDLE, INK_MUTED, short_number(ticks[i], ""));
    }
    for (int i = 0, n = axis_ticks(&f->y, ticks, 11); i < n; i++) {
        const double y = axis_at(&f->y, ticks[i]);
        draw_line(d, x0, y, x1, y, 1, INK_GRID, false);
        draw_text(d, x0 - 8, y + 4, 12, ANCHOR_END, INK_MUTED, short_number(ticks[i], ""));
    }
    draw_text(d, (x0 + x1) / 2, height - 12, 12, ANCHOR_MIDDLE, INK_MUTED, "FLOP per byte that must be moved");
    draw_text(d, 16, (y0 + y1) / 2, 12, ANCHOR_MIDDLE, INK_MUTED, "FLOP/s");
    if (!d->failed) d->marks[d->count - 1].angle = -90;
}

// --- The roof. -------------------------------------------------------------------------------------------------

static bool overlaps(const box *a, const box *b) { return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h; }

static bool is_free(const roof *f, const box *b)
{
    if (b->x < f->x.from + 2 || b->x + b->w > f->x.to - 2 || b->y < f->y.to + 2 || b->y + b->h > f->y.from - 2) return false;
    for (int i = 0; i < f->taken_count; i++)
        if (overlaps(b, &f->taken[i])) return false;
    return true;
}

// No label shall lie on a line of the roof.
static void draw_roof_line(roof *f, double x0, double y0, double x1, double y1)
{
    draw_line(f->d, x0, y0, x1, y1, 1.8, INK_TEXT, false);
    for (int i = 0; i < STEPS; i++) {
        const double s = (i + 0.5) / STEPS, w = (x1 - x0) / STEPS, h = fabs(y1 - y0) / STEPS;
        f->taken[f->taken_count++] = (box) { x0 + s * (x1 - x0) - w / 2, y0 + s * (y1 - y0) - h / 2 - 1, w, h + 2 };
    }
}

static void draw_peak(roof *f, const figure *p, const char *label, double ridge, double above)
{
    const double y = axis_at(&f->y, p->median), from = axis_at(&f->x, ridge);
    const double size = 12, x0 = from < f->x.from ? f->x.from : from;
    const char *text = pool_text(f->d->pool, "%s %s", label, short_number(p->median, "FLOP/s"));
    if (!text) {
        f->d->failed = true;
        return;
    }
    const double w = measure_text(text, size), base = above > 0 ? y - 6 : y + size + 3;
    draw_roof_line(f, x0 < f->x.to ? x0 : f->x.to, y, f->x.to, y);
    draw_text(f->d, f->x.to - 6, base, size, ANCHOR_END, INK_TEXT, text);
    f->taken[f->taken_count++] = (box) { f->x.to - 6 - w, base - size, w, size + 4 };
}

static void draw_slope(roof *f, const figure *bytes)
{
    const double most = highest_peak(f->r) > 0 ? highest_peak(f->r) : f->y.high, slope = bytes->median;
    double x0 = f->x.low, x1 = most / slope;
    if (x0 * slope < f->y.low) x0 = f->y.low / slope;
    if (x1 > f->x.high) x1 = f->x.high;
    if (x1 <= x0) return;
    const double ax = axis_at(&f->x, x0), ay = axis_at(&f->y, x0 * slope), bx = axis_at(&f->x, x1), by = axis_at(&f->y, x1 * slope);
    draw_roof_line(f, ax, ay, bx, by);
    const char *text = pool_text(f->d->pool, "memory %s", short_number(slope, "B/s"));
    const double w = text ? measure_text(text, 12) : 0, length = hypot(bx - ax, by - ay);
    if (!text || length < w + 20) return;
    const double share = (length - w) / 2 / length * 0.8; // nearer to the left, where dots are few
    draw_text(f->d, ax + (bx - ax) * share + 5 * (by - ay) / length, ay + (by - ay) * share - 7 * (bx - ax) / length, 12, ANCHOR_START, INK_TEXT, text);
    if (!f->d->failed) f->d->marks[f->d->count - 1].angle = atan2(by - ay, bx - ax) * 180 / 3.141592653589793;
}

static void draw_roof(roof *f)
{
    static const char *const labels[] = { "f32", "f16", "matrix units" };
    const figure *bytes = bandwidth_of(f->r);
    double last = 0;
    for (int i = 0; i < 3; i++) {
        const figure *p = peak_of(f->r, i);
        if (!p) continue;
        const double y = axis_at(&f->y, p->median);
        const bool under = last > 0 && fabs(y - last) < 18; // the labels of near lines go to different sides
        draw_peak(f, p, labels[i], bytes ? p->median / bytes->median : f->x.low, under && y > last ? -1 : 1);
        last = y;
    }
    if (bytes) draw_slope(f, bytes);
    else if (!f->r->has_peak) draw_text(f->d, f->x.to - 8, f->y.to + 18, 12, ANCHOR_END, INK_MUTED, "no roof: the suite `peak` was not run");
}

// --- Dots and their labels. ------------------------------------------------------------------------------------

static int longest_first(const void *a, const void *b)
{
    const dot *x = a, *y = b;
    if (x->part != y->part) return x->part - y->part;
    return x->ms > y->ms ? -1 : x->ms < y->ms;
}

static void draw_dot(roof *f, const dot *o)
{
    const double x = axis_at(&f->x, o->x), y = axis_at(&f->y, o->y), r = o->part ? 3 : 5;
    if (!o->part) draw(f->d, (mark) { .kind = MARK_DISC, .ink = INK_PAPER, .x = x, .y = y, .size = r + 1.2 });
    draw(f->d, (mark) { .kind = MARK_DISC, .ink = (ink) (INK_SERIES + o->suite), .x = x, .y = y, .size = r, .opacity = o->part ? 0.45 : 1, .title = o->title });
    f->taken[f->taken_count++] = (box) { x - r, y - r, 2 * r, 2 * r };
}

static bool draw_label(roof *f, const dot *o)
{
    const double size = 11, x = axis_at(&f->x, o->x), y = axis_at(&f->y, o->y);
    const char *text = cut_text(o->name, 36);
    const double w = measure_text(text, size), h = size + 2;
    const double places[][2] = { { 9, -h / 2 }, { -9 - w, -h / 2 }, { 5, -6 - h }, { 5, 6 }, { -5 - w, -6 - h }, { -5 - w, 6 } }; // at its sides: above a dot, it might be another's
    for (int i = 0; i < 6; i++) {
        const box b = { x + places[i][0], y + places[i][1], w, h };
        if (!is_free(f, &b)) continue;
        draw_text(f->d, b.x, b.y + size - 1, size, ANCHOR_START, INK_TEXT, text);
        f->taken[f->taken_count++] = b;
        return true;
    }
    return false;
}

static void draw_dots(roof *f)
{
    qsort(f->dots, (size_t) f->count, sizeof *f->dots, longest_first);
    for (int i = f->count - 1; i >= 0; i--) draw_dot(f, &f->dots[i]);
    for (int i = 0, n = 0; i < f->count && n < LABELS_MOST && !f->dots[i].part; i++) n += draw_label(f, &f->dots[i]);
}

static void draw_legend(roof *f)
{
    double x = left;
    for (int i = 0; i < f->suite_count; i++) {
        const char *name = cut_text(f->suites[i], 24);
        draw(f->d, (mark) { .kind = MARK_DISC, .ink = (ink) (INK_SERIES + i), .x = x + 5, .y = 44, .size = 5 });
        draw_text(f->d, x + 15, 48, 12, ANCHOR_START, INK_MUTED, name);
        x += 32 + measure_text(name, 12);
    }
    bool parts = false;
    for (int i = 0; i < f->count; i++) parts |= f->dots[i].part;
    if (!parts) return;
    draw(f->d, (mark) { .kind = MARK_DISC, .ink = INK_MUTED, .x = x + 5, .y = 44, .size = 3, .opacity = 0.45 });
    draw_text(f->d, x + 13, 48, 12, ANCHOR_START, INK_MUTED, "an operator within a result");
}

void chart_roofline(drawing *d, const report *r)
{
    roof f = { .d = d, .r = r };
    d->width = width, d->height = height;
    d->title = pool_text(d->pool, "Roofline: %s  %s%s%s", r->letter, r->name, *r->driver ? ", " : "", r->driver);
    if (!d->title || !collect(&f)) {
        d->failed = true;
        return;
    }
    set_axes(&f);
    draw_axes(&f);
    draw_text(d, 14, 22, 15, ANCHOR_START, INK_TEXT, fit_text(d->title, 15, width - 30));
    if (!d->failed) d->marks[d->count - 1].bold = true;
    draw_legend(&f);
    draw_roof(&f);
    draw_dots(&f);
}
