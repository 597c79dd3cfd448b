// SPDX-License-Identifier: MIT
#include "base/status.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 1024 };
static _Thread_local char error_text[TEXT_BYTES] = "";

const char *weft_error_text(void) { return error_text; }

weft_result weft_fail(weft_result r, const char *format, ...)
{
    va_list args;
    char text[TEXT_BYTES]; // the arguments may point into error_text
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(error_text, text, sizeof text);
    return r;
}

weft_result weft_fail_memory(size_t bytes)
{
    return weft_fail(WEFT_ERR_MEMORY, "out of memory: %zu bytes of host memory are not to be had", bytes);
}

weft_result weft_fail_prefix(weft_result r, const char *format, ...)
{
    va_list args;
    char text[TEXT_BYTES];
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0 && n < TEXT_BYTES - 1) snprintf(text + n, sizeof text - (size_t) n, "%.*s", TEXT_BYTES - 1 - n, error_text);
    memcpy(error_text, text, sizeof text);
    return r;
}

const char *weft_result_name(weft_result r)
{
    switch (r) {
#define NAME(x) case x: return #x;
        NAME(WEFT_OK) NAME(WEFT_ERR_MEMORY) NAME(WEFT_ERR_VRAM) NAME(WEFT_ERR_ARGUMENT) NAME(WEFT_ERR_FORMAT)
        NAME(WEFT_ERR_UNSUPPORTED) NAME(WEFT_ERR_DEVICE_LOST) NAME(WEFT_ERR_IO) NAME(WEFT_ERR_NO_DEVICE)
        NAME(WEFT_ERR_CANCELLED) NAME(WEFT_ERR_NUMERIC)
#undef NAME
    }
    return "WEFT_ERR_UNKNOWN";
}
