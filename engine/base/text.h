// SPDX-License-Identifier: MIT
// Text that comes from files and goes to people: checked on the way in, the same in every locale on the way out.
#pragma once
#include "base/status.h"

// UTF-8 as Unicode 15 table 3-7 has it, without control characters. `lines`: newline and tab may stand in it.
bool weft_text_is_plain(const char *text, size_t bytes, bool lines);

// The shortest decimal that reads back as the same float, with a dot: "0.2", "-3", "1e-05", "inf".
enum { WEFT_NUMBER_TEXT = 32 };
const char *weft_text_number(float x, char text[WEFT_NUMBER_TEXT]);

// Text put together piece by piece into room of a given size. What does not fit is counted, not written.
typedef struct weft_text {
    char *at;
    size_t room, length; // length: without the NUL, as if there were room for all
} weft_text;
void weft_text_add(weft_text *t, const char *format, ...) WEFT_PRINTF(2, 3); // integers and strings: those have no locale
