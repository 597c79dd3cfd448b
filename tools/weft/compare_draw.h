// SPDX-License-Identifier: MIT
// Drawings as plain data: charts append marks, compare_svg.c and compare_png.c interpret them.
#pragma once
#include "compare.h"

typedef enum ink { // colours by meaning: light and dark pages, and the PNG, choose their own
    INK_PAPER, INK_TEXT, INK_MUTED, INK_GRID, INK_BAND, INK_FASTER, INK_SLOWER, INK_SAME, INK_OTHER,
    INK_SERIES, // and the next SERIES - 1; told apart by the colour-blind
    INKS = INK_SERIES + 8,
} ink;
enum { SERIES = 8 };
extern const unsigned ink_light[INKS], ink_dark[INKS]; // 0xRRGGBB
bool ink_wants_dark_text(ink i);                       // on an area of this colour

typedef enum mark_kind { MARK_RECT, MARK_LINE, MARK_DISC, MARK_UP, MARK_DOWN, MARK_DIAMOND, MARK_TEXT } mark_kind;
typedef enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END } anchor;
typedef struct mark {
    mark_kind kind;
    ink ink;
    double x, y, w, h;        // rect: corner and size; line: from x, y by w, h; else x, y is the centre, or the text's base line
    double size;              // line: width; disc and triangles: radius; text: font size
    double angle;             // text: degrees, clockwise
    double opacity;           // 0: 1
    anchor anchor;
    bool bold, dashed;
    enum { ON_PAPER, ON_DARK, ON_LIGHT } on; // what a text lies on; its ink counts on paper alone
    const char *text, *title; // title: shown over the mark in a browser
} mark;

typedef struct drawing {
    pool *pool;
    double width, height;
    const char *title, *note; // what it shows, in words
    mark *marks;
    int count, room;
    bool failed; // no memory
} drawing;

mark *draw(drawing *d, mark m); // NULL: no memory; for further fields, valid until the next call
void draw_rect(drawing *d, double x, double y, double w, double h, ink i, const char *title);
void draw_line(drawing *d, double x1, double y1, double x2, double y2, double width, ink i, bool dashed);
void draw_text(drawing *d, double x, double y, double size, anchor a, ink i, const char *text); // copies it
double measure_text(const char *utf8, double size);                                            // about as wide as common fonts draw it
const char *fit_text(const char *utf8, double size, double width);                             // cut with an ellipsis so that it fits

typedef struct log_axis { double low, high, from, to; } log_axis; // values low..high at pixels from..to
double axis_at(const log_axis *a, double value);
int axis_ticks(const log_axis *a, double ticks[64], int most); // 1, 2, 5 x powers of ten, fewer where crowded
const char *short_number(double v, const char *unit); // "0.02", "5", "5k"; with a unit: "5 kB/s"

// The charts. They set width, height, title, note.
void chart_roofline(drawing *d, const report *r);
bool chart_bars(drawing *d, const comparison *m);          // false: no result tells its operators
void chart_ratios(drawing *d, const comparison *m, int i); // of report i

void put_svg(text_out *t, const drawing *d);
void put_escaped(text_out *t, const char *text);  // for HTML
void put_html(text_out *t, const comparison *m, pool *p);
int write_png(const call *c, const drawing *d, const char *path);
int write_plots(const call *c, const comparison *m, const char *folder, pool *p);
