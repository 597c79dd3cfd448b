// SPDX-License-Identifier: MIT
// What charts are made of: marks, colours, widths of texts, logarithmic axes.
#include "compare_draw.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Series: the colours of Okabe and Ito, in an order that keeps neighbours apart, lighter on dark paper.
const unsigned ink_light[INKS] = { 0xFFFFFF, 0x1B1F24, 0x5B6470, 0xDFE3E8, 0xEEF1F4, 0x0072B2, 0xC44E00, 0x7A828C, 0xB9C0C8,
                                   0x0072B2, 0xE69F00, 0x009E73, 0xD55E00, 0x56B4E9, 0xCC79A7, 0xD9CB2E, 0x4B5563 };
const unsigned ink_dark[INKS] = { 0x14171B, 0xE6EAEE, 0x9AA4AF, 0x2E353D, 0x20252B, 0x56B4E9, 0xF0883E, 0x8B949E, 0x59626D,
                                  0x3D9BD8, 0xE6A522, 0x22B58B, 0xE8762F, 0x85CBF2, 0xD992B8, 0xE5D94F, 0x8792A0 };

bool ink_wants_dark_text(ink i)
{
    const double r = ink_light[i] >> 16 & 255, g = ink_light[i] >> 8 & 255, b = ink_light[i] & 255;
    return 0.299 * r + 0.587 * g + 0.114 * b > 135;
}

// --- Marks. ----------------------------------------------------------------------------------------------------

mark *draw(drawing *d, mark m)
{
    if (d->count == d->room && !d->failed) {
        const int room = d->room ? 2 * d->room : 256; // the old ones stay in the pool until the end
        mark *more = pool_take(d->pool, sizeof *more * (size_t) room);
        if (more && d->count) memcpy(more, d->marks, sizeof *more * (size_t) d->count);
        if (more) d->marks = more, d->room = room;
        else d->failed = true;
    }
    if (d->failed) return NULL;
    d->marks[d->count] = m;
    return &d->marks[d->count++];
}

void draw_rect(drawing *d, double x, double y, double w, double h, ink i, const char *title)
{
    draw(d, (mark) { .kind = MARK_RECT, .ink = i, .x = x, .y = y, .w = w, .h = h, .title = title });
}

void draw_line(drawing *d, double x1, double y1, double x2, double y2, double width, ink i, bool dashed)
{
    draw(d, (mark) { .kind = MARK_LINE, .ink = i, .x = x1, .y = y1, .w = x2 - x1, .h = y2 - y1, .size = width, .dashed = dashed });
}

void draw_text(drawing *d, double x, double y, double size, anchor a, ink i, const char *text)
{
    const char *own = pool_text(d->pool, "%s", text);
    if (!own) d->failed = true;
    else draw(d, (mark) { .kind = MARK_TEXT, .ink = i, .x = x, .y = y, .size = size, .anchor = a, .text = own });
}

// --- Widths. ---------------------------------------------------------------------------------------------------

static double character_width(unsigned char c) // of DejaVu Sans, the widest of the common ones, in em
{
    if (c >= 0x80) return (c & 0xC0) == 0x80 ? 0 : c < 0xE0 ? 0.64 : 0.95;
    if (strchr("iljI|!'.,:; ", c)) return 0.33;
    if (strchr("ftr()[]{}/\\-\"", c)) return 0.41;
    if (strchr("mwMW%@", c)) return 0.93;
    if (strchr("+<>=~", c)) return 0.84;
    return c >= 'A' && c <= 'Z' ? 0.7 : 0.62;
}

double measure_text(const char *utf8, double size)
{
    double w = 0;
    for (; *utf8; utf8++) w += character_width((unsigned char) *utf8);
    return w * size;
}

const char *fit_text(const char *utf8, double size, double width)
{
    int n = text_width(utf8) < 200 ? text_width(utf8) : 200;
    const char *t = cut_text(utf8, n);
    while (n > 3 && measure_text(t, size) > width) t = cut_text(utf8, --n);
    return measure_text(t, size) > width ? "" : t;
}

// --- Axes. -----------------------------------------------------------------------------------------------------

double axis_at(const log_axis *a, double value) { return a->from + (a->to - a->from) * log(value / a->low) / log(a->high / a->low); }

static int ticks_of(const log_axis *a, double ticks[64], const double *steps, int step_count)
{
    int n = 0;
    for (double power = pow(10, floor(log10(a->low))); power <= a->high; power *= 10)
        for (int i = 0; i < step_count && n < 64; i++)
            if (power * steps[i] >= a->low * 0.999 && power * steps[i] <= a->high * 1.001) ticks[n++] = power * steps[i];
    return n;
}

int axis_ticks(const log_axis *a, double ticks[64], int most)
{
    static const double steps[] = { 1, 2, 5 };
    int n = ticks_of(a, ticks, steps, 3);
    if (n > most) n = ticks_of(a, ticks, steps, 1);
    const int skip = n > most ? (n + most - 1) / most : 1; // powers of a hundred, a thousand, ...
    for (int i = 0; i * skip < n; i++) ticks[i] = ticks[i * skip];
    return (n + skip - 1) / skip;
}

const char *short_number(double v, const char *unit)
{
    static const char *const units[] = { "", "k", "M", "G", "T", "P", "E" };
    static char text[8][48];
    static int turn;
    char *t = text[turn = (turn + 1) % 8];
    int k = 0;
    for (; v >= 999.5 && k < 6; k++) v /= 1000;
    snprintf(t, sizeof text[0], v >= 1e6 || (v < 1e-4 && v > 0) ? "%.0e%s%s%s" : "%.3g%s%s%s", v, *unit ? " " : "", units[k], unit);
    return t;
}
