// SPDX-License-Identifier: MIT
// Numbers and names in few characters.
#include "compare.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 1200 };

static char *next_text(void)
{
    static char text[16][TEXT_BYTES];
    static int turn;
    return text[turn = (turn + 1) % 16];
}

const char *ms_text(double ms)
{
    if (isnan(ms)) return "-";
    char *t = next_text();
    const int before = ms < 1e-9 ? -8 : (int) floor(log10(ms)); // the first digit's place
    const int after = 3 - before < 0 ? 0 : 3 - before > 7 ? 7 : 3 - before;
    if (ms >= 1e9) snprintf(t, TEXT_BYTES, "%.3e", ms);
    else snprintf(t, TEXT_BYTES, "%.*f", after, ms);
    return t;
}

const char *ratio_text(double ratio)
{
    char *t = next_text();
    if (isnan(ratio)) return "-";
    snprintf(t, TEXT_BYTES, ratio >= 1e6 || ratio < 0.001 ? "%.2ex" : ratio >= 99.5 ? "%.0fx" : ratio >= 9.95 ? "%.1fx" : ratio < 0.1 ? "%.3fx" : "%.2fx", ratio);
    return t;
}

static bool starts_character(char c) { return (c & 0xC0) != 0x80; }

int text_width(const char *utf8)
{
    int n = 0;
    for (; *utf8; utf8++) n += starts_character(*utf8);
    return n;
}

static const char *skip(const char *utf8, int characters)
{
    for (; characters > 0 && *utf8; characters--) {
        utf8++;
        while (*utf8 && !starts_character(*utf8)) utf8++;
    }
    return utf8;
}

const char *cut_text(const char *utf8, int width)
{
    const int n = text_width(utf8);
    if (n <= width || width < 3) return utf8;
    char *t = next_text();
    const int head = (width - 1) / 2 + (width - 1) % 2; // the head says more
    const char *end = skip(utf8, head), *tail = skip(utf8, n - (width - 1 - head));
    snprintf(t, TEXT_BYTES, "%.*s\xE2\x80\xA6%s", (int) (end - utf8), utf8, tail);
    return t;
}
