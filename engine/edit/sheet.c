// SPDX-License-Identifier: MIT
#include "edit/sheet.h"
#include "base/status.h"
#include "edit/fit.h"
#include <math.h>
#include <string.h>

weft_result weft_sheet_make(weft_context *ctx, int width, int height, int room, weft_sheet *out)
{
    const int side = width > height ? width : height;
    weft_sheet s = { .ctx = ctx, .full_width = width, .full_height = height, .width = width, .height = height, .room = room };
    if (side > WEFT_SHEET_TILE) {
        s.width = (int) ((int64_t) width * WEFT_SHEET_TILE / side), s.height = (int) ((int64_t) height * WEFT_SHEET_TILE / side);
        if (s.width < 1) s.width = 1;
        if (s.height < 1) s.height = 1;
    }
    s.frames = weft_new(ctx, sizeof *s.frames * (size_t) (room + 1));
    if (!s.frames) return WEFT_ERR_MEMORY;
    *out = s;
    return WEFT_OK;
}

void weft_sheet_free(weft_sheet *s)
{
    if (!s->ctx) return;
    for (int i = 0; i < s->count; i++) weft_delete(s->ctx, s->frames[i]);
    weft_delete(s->ctx, s->frames);
    *s = (weft_sheet) { 0 };
}

static weft_result shrink(const weft_sheet *s, const float *planes, float *tile)
{
    const int64_t full = (int64_t) s->full_width * s->full_height, area = (int64_t) s->width * s->height;
    for (int k = 0; k < 3; k++) WEFT_TRY(weft_scale(s->ctx, WEFT_FILTER_LANCZOS, planes + k * full, s->full_width, s->full_height, tile + k * area, s->width, s->height));
    return WEFT_OK;
}

static float *new_tile(weft_sheet *s)
{
    float *tile = s->count < s->room ? weft_new(s->ctx, sizeof *tile * 3 * (size_t) s->width * (size_t) s->height) : NULL;
    if (tile) s->frames[s->count++] = tile;
    return tile;
}

weft_result weft_sheet_add(weft_sheet *s, const float *planes)
{
    if (s->count == s->room) return WEFT_OK;
    float *tile = new_tile(s);
    return tile ? shrink(s, planes, tile) : WEFT_ERR_MEMORY;
}

weft_result weft_sheet_add_small(weft_sheet *s, const float *from, int64_t count)
{
    if (count != (int64_t) 3 * s->width * s->height) return weft_fail(WEFT_ERR_FORMAT, "a picture of the contact sheet has another size");
    if (s->count == s->room) return WEFT_OK;
    float *tile = new_tile(s);
    if (tile) memcpy(tile, from, sizeof *tile * (size_t) count);
    return tile ? WEFT_OK : WEFT_ERR_MEMORY;
}

weft_result weft_sheet_image(const weft_sheet *s, const float *aim, weft_image **out)
{
    const int tiles = s->count + 1, across = (int) ceil(sqrt((double) tiles)), down = (tiles + across - 1) / across;
    const int64_t wide = (int64_t) across * s->width, area = (int64_t) s->width * s->height, whole = wide * down * s->height;
    float *sheet = weft_new(s->ctx, sizeof *sheet * 3 * (size_t) whole), *tile = weft_new(s->ctx, sizeof *tile * 3 * (size_t) area);
    weft_result r = sheet && tile ? shrink(s, aim, tile) : WEFT_ERR_MEMORY;
    for (int64_t i = 0; r == WEFT_OK && i < 3 * whole; i++) sheet[i] = -1;
    for (int t = 0; r == WEFT_OK && t < tiles; t++) {
        const float *from = t ? s->frames[t - 1] : tile;
        for (int64_t i = 0; i < 3 * area; i++) {
            const int64_t k = i / area, y = i % area / s->width, x = i % s->width;
            sheet[k * whole + (t / across * s->height + y) * wide + t % across * s->width + x] = from[i];
        }
    }
    if (r == WEFT_OK) r = weft_fit_image(s->ctx, sheet, (int) wide, down * s->height, out);
    weft_delete(s->ctx, sheet);
    weft_delete(s->ctx, tile);
    return r;
}
