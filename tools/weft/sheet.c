// SPDX-License-Identifier: MIT
#include "sheet.h"
#include <string.h>

int sheet_start(const call *c, int columns, int rows, int width, int height, int channels, int bits, sheet *out)
{
    const int64_t w = (int64_t) columns * width, h = (int64_t) rows * height;
    if (w > WEFT_IMAGE_MAX_SIDE || h > WEFT_IMAGE_MAX_SIDE || w * h > WEFT_IMAGE_MAX_PIXELS)
        return fail(c, CODE_USAGE, "%d x %d pictures of %d x %d pixels are too many for one sheet; write them to a folder", columns, rows, width, height);
    *out = (sheet) { NULL, columns, rows, width, height };
    const weft_result r = weft_image_create(c->ctx, (int) w, (int) h, channels, bits, &out->canvas);
    return r == WEFT_OK ? CODE_OK : fail_result(c, r);
}

void sheet_put(sheet *s, int cell, const weft_image *picture)
{
    const weft_image_info *i = weft_image_get_info(picture);
    const size_t pixel = (size_t) i->channels * (size_t) (i->bits / 8), row = pixel * (size_t) s->width, line = row * (size_t) s->columns;
    char *to = (char *) weft_image_data(s->canvas) + (size_t) (cell / s->columns) * (size_t) s->height * line + (size_t) (cell % s->columns) * row;
    for (int y = 0; y < s->height; y++) memcpy(to + (size_t) y * line, (const char *) weft_image_view(picture) + (size_t) y * row, row);
}

void sheet_end(sheet *s) { weft_image_destroy(&s->canvas); }
