// SPDX-License-Identifier: MIT
// Drawings as PNG, at twice their size, by cairo (WEFT_PLOTS).
#include "compare_draw.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#ifdef WEFT_PLOTS
#include <cairo/cairo.h>
#include <stdlib.h>

enum { SCALE = 2, SIDE_MOST = 30000 }; // cairo's pictures end at 32767

static void set_ink(cairo_t *k, const mark *m)
{
    const unsigned c = m->on == ON_DARK ? 0xFFFFFF : m->on == ON_LIGHT ? 0x111111 : ink_light[m->ink];
    cairo_set_source_rgba(k, (c >> 16 & 255) / 255.0, (c >> 8 & 255) / 255.0, (c & 255) / 255.0, m->opacity > 0 ? m->opacity : 1);
}

static void paint_line(cairo_t *k, const mark *m)
{
    const double dash[] = { 5, 4 };
    cairo_set_dash(k, dash, m->dashed ? 2 : 0, 0);
    cairo_set_line_width(k, m->size);
    cairo_move_to(k, m->x, m->y);
    cairo_line_to(k, m->x + m->w, m->y + m->h);
    cairo_stroke(k);
}

static void paint_text(cairo_t *k, const mark *m)
{
    cairo_text_extents_t e;
    cairo_save(k);
    cairo_select_font_face(k, "sans-serif", CAIRO_FONT_SLANT_NORMAL, m->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(k, m->size);
    cairo_text_extents(k, m->text, &e);
    cairo_translate(k, m->x, m->y);
    cairo_rotate(k, m->angle * 3.141592653589793 / 180);
    cairo_move_to(k, m->anchor == ANCHOR_END ? -e.x_advance : m->anchor == ANCHOR_MIDDLE ? -e.x_advance / 2 : 0, 0);
    cairo_show_text(k, m->text);
    cairo_restore(k);
}

static void paint_polygon(cairo_t *k, const mark *m)
{
    const double x = m->x, y = m->y, r = m->size, up = m->kind == MARK_UP ? r : -r;
    cairo_move_to(k, x, m->kind == MARK_DIAMOND ? y - r : y - up);
    if (m->kind == MARK_DIAMOND) cairo_line_to(k, x + r, y), cairo_line_to(k, x, y + r), cairo_line_to(k, x - r, y);
    else cairo_line_to(k, x + r, y + 0.8 * up), cairo_line_to(k, x - r, y + 0.8 * up);
    cairo_close_path(k);
    cairo_fill(k);
}

static void paint(cairo_t *k, const mark *m)
{
    set_ink(k, m);
    switch (m->kind) {
    case MARK_RECT: cairo_rectangle(k, m->x, m->y, m->w, m->h), cairo_fill(k); break;
    case MARK_LINE: paint_line(k, m); break;
    case MARK_DISC: cairo_new_sub_path(k), cairo_arc(k, m->x, m->y, m->size, 0, 6.283185307179586), cairo_fill(k); break;
    case MARK_TEXT: paint_text(k, m); break;
    default: paint_polygon(k, m);
    }
}

typedef struct bytes { unsigned char *at; size_t length, room; } bytes;

static cairo_status_t keep_bytes(void *to, const unsigned char *data, unsigned length)
{
    bytes *b = to;
    if (b->length + length > b->room) {
        const size_t room = 2 * (b->length + length);
        unsigned char *more = realloc(b->at, room);
        if (!more) return CAIRO_STATUS_NO_MEMORY;
        b->at = more, b->room = room;
    }
    memcpy(b->at + b->length, data, length);
    b->length += length;
    return CAIRO_STATUS_SUCCESS;
}

int write_png(const call *c, const drawing *d, const char *path)
{
    if (d->failed) return fail(c, CODE_FAILED, "out of memory");
    if (SCALE * d->height > SIDE_MOST) return fail(c, CODE_USAGE, "%s: too many rows for a picture; --filter takes some", path);
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int) (SCALE * d->width), (int) (SCALE * d->height));
    cairo_t *k = cairo_create(s);
    bytes b = { 0 };
    cairo_scale(k, SCALE, SCALE);
    cairo_set_source_rgb(k, 1, 1, 1);
    cairo_paint(k);
    for (int i = 0; i < d->count; i++) paint(k, &d->marks[i]);
    cairo_status_t status = cairo_status(k);
    if (!status) status = cairo_surface_write_to_png_stream(s, keep_bytes, &b);
    cairo_destroy(k);
    cairo_surface_destroy(s);
    const int code = status ? fail(c, CODE_FAILED, "%s: %s", path, cairo_status_to_string(status)) : write_file(c, path, b.at, b.length);
    free(b.at);
    return code;
}

// --- All of them. ----------------------------------------------------------------------------------------------

static int write_one(const call *c, const drawing *d, const char *folder, const char *kind, const char *letter, pool *p)
{
    const char *path = pool_text(p, "%s/%s%s%s.png", folder, kind, *letter ? "-" : "", letter);
    return path ? write_png(c, d, path) : fail(c, CODE_FAILED, "out of memory");
}

int write_plots(const call *c, const comparison *m, const char *folder, pool *p)
{
    int code = CODE_OK;
    if (mkdir(folder, 0777) && errno != EEXIST) return fail(c, CODE_FAILED, "cannot make the folder %s: %s", folder, strerror(errno));
    for (int i = 0; i < m->report_count && !code; i++) {
        drawing roof = { .pool = p }, ratios = { .pool = p };
        chart_roofline(&roof, &m->reports[i]);
        code = write_one(c, &roof, folder, "roofline", m->reports[i].letter, p);
        if (!i || code || !m->row_count) continue;
        chart_ratios(&ratios, m, i);
        code = write_one(c, &ratios, folder, "speed", m->reports[i].letter, p);
    }
    drawing bars = { .pool = p };
    return !code && chart_bars(&bars, m) ? write_one(c, &bars, folder, "operators", "", p) : code;
}

#else
int write_plots(const call *c, const comparison *m, const char *folder, pool *p)
{
    (void) m, (void) folder, (void) p;
    return fail(c, CODE_UNSUPPORTED, "--plots: this weft was built without cairo (WEFT_PLOTS); --html has the same charts");
}
#endif
