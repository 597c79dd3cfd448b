// SPDX-License-Identifier: MIT
#include "base/text.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Bytes of the character at `p`, 0: not UTF-8. `*code` is its code point.
static size_t one_character(const unsigned char *p, size_t left, uint32_t *code)
{
    const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (!n || n > left) return 0;
    *code = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        *code = *code << 6 | (p[i] & 0x3f);
    }
    const bool surrogate = *code >= 0xd800 && *code < 0xe000;
    return *code < least[n] || *code > 0x10ffff || surrogate ? 0 : n;
}

bool weft_text_is_plain(const char *text, size_t bytes, bool lines)
{
    const unsigned char *p = (const unsigned char *) text;
    while (bytes) {
        uint32_t code = 0;
        const size_t n = one_character(p, bytes, &code);
        const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
        if (!n || (control && !(lines && (code == '\n' || code == '\t')))) return false;
        p += n, bytes -= n;
    }
    return true;
}

const char *weft_text_number(float x, char text[WEFT_NUMBER_TEXT])
{
    if (isnan(x) || isinf(x)) return strcpy(text, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, WEFT_NUMBER_TEXT, "%.*g", digits, (double) x);
        if (strtof(text, NULL) == x) break; // strtof reads what this locale's printf wrote
    }
    const size_t whole = strspn(text, "-0123456789e+"), rest = strlen(text + whole);
    if (rest) { // a locale's decimal mark, of any length
        const size_t mark = strcspn(text + whole, "0123456789");
        text[whole] = '.';
        memmove(text + whole + 1, text + whole + mark, rest - mark + 1);
    }
    return text;
}

void weft_text_add(weft_text *t, const char *format, ...)
{
    const size_t used = t->length < t->room ? t->length : t->room;
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(t->at ? t->at + used : NULL, t->room - used, format, args);
    va_end(args);
    if (n > 0) t->length += (size_t) n;
}
