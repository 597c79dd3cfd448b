// SPDX-License-Identifier: MIT
// A contact sheet: small pictures side by side, the aim first.
#pragma once
#include "edit/scale.h"

enum { WEFT_SHEET_TILE = 128 }; // pixels a side, at most

typedef struct weft_sheet {
    weft_context *ctx;
    int full_width, full_height; // of what is added
    int width, height;           // of a tile
    float **frames;              // [3, height, width]
    int count, room;
} weft_sheet;

weft_result weft_sheet_make(weft_context *ctx, int width, int height, int room, weft_sheet *out);
void weft_sheet_free(weft_sheet *s);
weft_result weft_sheet_add(weft_sheet *s, const float *planes); // [3, h, w] in -1..1; past the room: nothing
weft_result weft_sheet_add_small(weft_sheet *s, const float *tile, int64_t count);
weft_result weft_sheet_image(const weft_sheet *s, const float *aim, weft_image **out);
