// SPDX-License-Identifier: MIT
// Contact sheets: pictures of one size side by side on black.
#pragma once
#include "command.h"

typedef struct sheet { weft_image *canvas; int columns, rows, width, height; } sheet;

// For columns x rows pictures like those of `width` x `height`. CODE_OK or an exit code, with the failure printed.
int sheet_start(const call *c, int columns, int rows, int width, int height, int channels, int bits, sheet *out);
void sheet_put(sheet *s, int cell, const weft_image *picture); // cells count along rows; the picture is like the sheet said
void sheet_end(sheet *s);
