// SPDX-License-Identifier: MIT
// Drawings as SVG within a page, whose style sheet has a class for each ink (f0, f1, ... fill; s0, s1, ... stroke).
#include "compare_draw.h"

void put_escaped(text_out *t, const char *text)
{
    for (; *text; text++) {
        if (*text == '&') put(t, "&amp;");
        else if (*text == '<') put(t, "&lt;");
        else if (*text == '>') put(t, "&gt;");
        else if (*text == '"') put(t, "&quot;");
        else if (*text == '\'') put(t, "&#39;");
        else put(t, "%c", *text);
    }
}

static void put_attributes(text_out *t, const mark *m)
{
    const bool line = m->kind == MARK_LINE;
    if (m->on) put(t, " class=\"%s\"", m->on == ON_DARK ? "w" : "k");
    else put(t, " class=\"%s%d\"", line ? "s" : "f", (int) m->ink);
    if (line) put(t, " stroke-width=\"%.4g\"", m->size);
    if (m->dashed) put(t, " stroke-dasharray=\"5 4\"");
    if (m->opacity > 0) put(t, " opacity=\"%.3g\"", m->opacity);
}

static void put_end(text_out *t, const mark *m, const char *name) // with the title inside
{
    if (!m->title) {
        put(t, "/>\n");
        return;
    }
    put(t, "><title>");
    put_escaped(t, m->title);
    put(t, "</title></%s>\n", name);
}

static void put_text_mark(text_out *t, const mark *m)
{
    static const char *const anchors[] = { "start", "middle", "end" };
    put(t, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.4g\"", m->x, m->y, m->size);
    put_attributes(t, m);
    if (m->anchor) put(t, " text-anchor=\"%s\"", anchors[m->anchor]);
    if (m->bold) put(t, " font-weight=\"600\"");
    if (m->angle < 0 || m->angle > 0) put(t, " transform=\"rotate(%.1f %.1f %.1f)\"", m->angle, m->x, m->y);
    put(t, ">");
    put_escaped(t, m->text);
    if (m->title) {
        put(t, "<title>");
        put_escaped(t, m->title);
        put(t, "</title>");
    }
    put(t, "</text>\n");
}

static void put_polygon(text_out *t, const mark *m)
{
    const double x = m->x, y = m->y, r = m->size;
    if (m->kind == MARK_DIAMOND) put(t, "<polygon points=\"%.1f,%.1f %.1f,%.1f %.1f,%.1f %.1f,%.1f\"", x, y - r, x + r, y, x, y + r, x - r, y);
    else {
        const double up = m->kind == MARK_UP ? r : -r;
        put(t, "<polygon points=\"%.1f,%.1f %.1f,%.1f %.1f,%.1f\"", x, y - up, x + r, y + 0.8 * up, x - r, y + 0.8 * up);
    }
    put_attributes(t, m);
    put_end(t, m, "polygon");
}

static void put_mark(text_out *t, const mark *m)
{
    switch (m->kind) {
    case MARK_RECT:
        put(t, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"", m->x, m->y, m->w, m->h);
        put_attributes(t, m);
        put_end(t, m, "rect");
        break;
    case MARK_LINE:
        put(t, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\"", m->x, m->y, m->x + m->w, m->y + m->h);
        put_attributes(t, m);
        put_end(t, m, "line");
        break;
    case MARK_DISC:
        put(t, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.3g\"", m->x, m->y, m->size);
        put_attributes(t, m);
        put_end(t, m, "circle");
        break;
    case MARK_TEXT: put_text_mark(t, m); break;
    default: put_polygon(t, m);
    }
}

void put_svg(text_out *t, const drawing *d)
{
    if (d->failed) t->failed = true;
    if (t->failed) return;
    put(t, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"", d->width, d->height, d->width,
        d->height);
    put_escaped(t, d->title);
    put(t, "\">\n");
    for (int i = 0; i < d->count; i++) put_mark(t, &d->marks[i]);
    put(t, "</svg>\n");
}
