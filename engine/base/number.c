// SPDX-License-Identifier: MIT
#include "base/number.h"
#include <math.h>

static bool digit(char c) { return c >= '0' && c <= '9'; }

bool weft_read_number(const char **text, double *out)
{
    const char *p = *text;
    const bool minus = *p == '-';
    double mantissa = 0;
    int digits = 0, scale = 0, exponent = 0;
    if (*p == '-' || *p == '+') p++;
    for (; digit(*p); p++, digits++) mantissa = mantissa * 10 + (*p - '0');
    if (*p == '.' && digit(p[1])) // "0..255" is two numbers
        for (p++; digit(*p); p++, digits++, scale--) mantissa = mantissa * 10 + (*p - '0');
    if (!digits) return false;
    if ((*p == 'e' || *p == 'E') && (digit(p[1]) || ((p[1] == '-' || p[1] == '+') && digit(p[2])))) {
        const bool down = p[1] == '-';
        for (p += digit(p[1]) ? 1 : 2; digit(*p); p++)
            if (exponent < 10000) exponent = exponent * 10 + (*p - '0');
        scale += down ? -exponent : exponent;
    }
    // Dividing by an exact power of ten rounds once, so short decimals come out as a compiler reads them.
    const double value = scale < 0 ? mantissa / pow(10, -scale) : mantissa * pow(10, scale);
    *out = minus ? -value : value;
    *text = p;
    return true;
}
