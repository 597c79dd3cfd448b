// SPDX-License-Identifier: MIT
// From a mask picture to a hole, and from a hole to the windows that a model has to see.
#include "edit/mask.h"
#include <string.h>

enum { THRESHOLD = 127, CELL = 16 };

static bool in_hole(const weft_image *mask, weft_mask_mode mode, int64_t pixel)
{
    const int colours = weft_image_colours(mask);
    const uint32_t limit = mask->info.bits == 16 ? THRESHOLD * 257 : THRESHOLD;
    uint32_t sum = 0;
    if (mode == WEFT_MASK_ALPHA) return weft_image_sample(mask, pixel, mask->info.channels - 1) <= limit;
    for (int k = 0; k < colours; k++) sum += weft_image_sample(mask, pixel, k);
    return (sum > limit * (uint32_t) colours) == (mode == WEFT_MASK_HOLE);
}

weft_result weft_hole_make(const weft_image *mask, weft_mask_mode mode, int width, int height, weft_hole *out)
{
    if (mode == WEFT_MASK_ALPHA && !weft_image_has_alpha(mask))
        return weft_fail(WEFT_ERR_ARGUMENT, "the mask has no alpha channel, which mask mode `alpha` looks at");
    weft_hole h = { mask->ctx, width, height, weft_new(mask->ctx, (size_t) width * (size_t) height), 0 };
    if (!h.at) return WEFT_ERR_MEMORY;
    for (int64_t y = 0, at = 0; y < height; y++) {
        const int64_t row = (2 * y + 1) * mask->info.height / (2 * (int64_t) height) * mask->info.width;
        for (int64_t x = 0; x < width; x++, at++) {
            h.at[at] = in_hole(mask, mode, row + (2 * x + 1) * mask->info.width / (2 * (int64_t) width));
            h.count += h.at[at];
        }
    }
    *out = h;
    return WEFT_OK;
}

void weft_hole_free(weft_hole *h)
{
    weft_delete(h->ctx, h->at);
    *h = (weft_hole) { 0 };
}

// --- Windows: found on a grid of cells, because a hole may be a million scratches. ----------------------------

struct grid { int w, h; uint8_t *cell; int *stack; };

static void spread(struct grid *g, int reach) // marks every cell within `reach` cells of a marked one
{
    for (int axis = 0; axis < 2; axis++) {
        const int n = axis ? g->h : g->w, lines = axis ? g->w : g->h, step = axis ? g->w : 1, next = axis ? 1 : g->w;
        for (int l = 0; l < lines; l++) {
            uint8_t *c = g->cell + (size_t) l * (size_t) next;
            for (int i = 0, left = 0; i < n; i++) {
                if (c[(size_t) i * step] == 1) left = reach;
                else if (left) left--, c[(size_t) i * step] = 2;
            }
            for (int i = n - 1, left = 0; i >= 0; i--) {
                if (c[(size_t) i * step] == 1) left = reach;
                else if (left) left--, c[(size_t) i * step] = 2;
            }
        }
        for (int64_t i = 0; i < (int64_t) g->w * g->h; i++) g->cell[i] = g->cell[i] != 0;
    }
}

static weft_window take_patch(struct grid *g, int start) // clears one connected patch, gives its box in cells
{
    int x0 = start % g->w, y0 = start / g->w, x1 = x0, y1 = y0, depth = 0;
    g->stack[depth++] = start;
    g->cell[start] = 0;
    while (depth) {
        const int at = g->stack[--depth], x = at % g->w, y = at / g->w;
        if (x < x0) x0 = x;
        if (x > x1) x1 = x;
        if (y < y0) y0 = y;
        if (y > y1) y1 = y;
        for (int ny = y - 1; ny <= y + 1; ny++)
            for (int nx = x - 1; nx <= x + 1; nx++) {
                if (nx < 0 || ny < 0 || nx >= g->w || ny >= g->h || !g->cell[ny * g->w + nx]) continue;
                g->cell[ny * g->w + nx] = 0;
                g->stack[depth++] = ny * g->w + nx;
            }
    }
    return (weft_window) { x0, y0, x1 - x0 + 1, y1 - y0 + 1 };
}

static bool overlap(weft_window a, weft_window b)
{
    return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

static weft_window both(weft_window a, weft_window b)
{
    const int x = a.x < b.x ? a.x : b.x, y = a.y < b.y ? a.y : b.y;
    const int right = a.x + a.w > b.x + b.w ? a.x + a.w : b.x + b.w, bottom = a.y + a.h > b.y + b.h ? a.y + a.h : b.y + b.h;
    return (weft_window) { x, y, right - x, bottom - y };
}

// The boxes of a list that overlap become one, until none do.
static int merge(weft_window *w, int count)
{
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < count; i++)
            for (int j = i + 1; j < count; j++) {
                if (!overlap(w[i], w[j])) continue;
                w[i] = both(w[i], w[j]); // larger: it may reach boxes that were passed already
                w[j--] = w[--count];
                again = true;
            }
    }
    return count;
}

static weft_result find_windows(const weft_hole *h, struct grid *g, int margin, weft_window **out, int *count)
{
    int n = 0, room = 0;
    weft_window *list = NULL;
    for (int64_t y = 0, at = 0; y < h->height; y++)
        for (int64_t x = 0; x < h->width; x++, at++)
            if (h->at[at]) g->cell[y / CELL * g->w + x / CELL] = 1;
    spread(g, (margin + CELL - 1) / CELL);
    for (int i = 0; i < g->w * g->h; i++) {
        if (!g->cell[i]) continue;
        if (n == room) {
            weft_window *more = weft_resize(h->ctx, list, sizeof *list * (size_t) (room = room ? 2 * room : 16));
            if (!more) return weft_delete(h->ctx, list), WEFT_ERR_MEMORY;
            list = more;
        }
        const weft_window c = take_patch(g, i);
        const int x = c.x * CELL, y = c.y * CELL, right = (c.x + c.w) * CELL, bottom = (c.y + c.h) * CELL;
        list[n++] = (weft_window) { x, y, (right < h->width ? right : h->width) - x, (bottom < h->height ? bottom : h->height) - y };
    }
    *count = merge(list, n);
    *out = list;
    return WEFT_OK;
}

weft_result weft_hole_windows(const weft_hole *h, int margin, weft_window **out, int *count)
{
    struct grid g = { (h->width + CELL - 1) / CELL, (h->height + CELL - 1) / CELL, NULL, NULL };
    const size_t cells = (size_t) g.w * (size_t) g.h;
    g.cell = weft_new(h->ctx, cells);
    g.stack = weft_new(h->ctx, cells * sizeof *g.stack);
    const weft_result r = g.cell && g.stack ? find_windows(h, &g, margin, out, count) : WEFT_ERR_MEMORY;
    weft_delete(h->ctx, g.cell);
    weft_delete(h->ctx, g.stack);
    return r;
}
