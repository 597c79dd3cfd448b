// SPDX-License-Identifier: MIT
// What the command says: failures, notes, and how the library's results become exit codes.
#include "command.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void say(const call *c, const char *format, va_list args)
{
    end_progress();
    fprintf(stderr, "weft%s%s: ", c->command ? " " : "", c->command ? c->command->name : "");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int fail(const call *c, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(c, format, args);
    va_end(args);
    return code;
}

void note(const call *c, const char *format, ...)
{
    va_list args;
    if (c->quiet) return;
    va_start(args, format);
    say(c, format, args);
    va_end(args);
}

int usage(const call *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(c, format, args);
    va_end(args);
    fprintf(stderr, "`weft help%s%s` shows how.\n", c->command ? " " : "", c->command ? c->command->name : "");
    return CODE_USAGE;
}

int result_code(weft_result r)
{
    switch (r) {
    case WEFT_OK: return CODE_OK;
    case WEFT_ERR_ARGUMENT: return CODE_USAGE;
    case WEFT_ERR_DEVICE_LOST:
    case WEFT_ERR_NO_DEVICE: return CODE_DEVICE;
    case WEFT_ERR_UNSUPPORTED: return CODE_UNSUPPORTED;
    case WEFT_ERR_FORMAT: return CODE_INPUT;
    default: return CODE_FAILED;
    }
}

int fail_result(const call *c, weft_result r) { return fail(c, result_code(r), "%s", weft_error_text()); }

int fail_input(const call *c, weft_result r)
{
    return fail(c, r == WEFT_ERR_IO || r == WEFT_ERR_ARGUMENT ? CODE_INPUT : result_code(r), "%s", weft_error_text());
}

static char *next_text(size_t *bytes)
{
    static char text[8][192];
    static int turn;
    *bytes = sizeof text[0];
    return text[turn = (turn + 1) % 8];
}

const char *shape_text(weft_shape s, const weft_model *m)
{
    size_t room, at = 0;
    char *t = next_text(&room);
    strcpy(t, s.rank ? "" : "scalar");
    for (int i = 0; i < s.rank && at < room; i++) {
        const weft_dim *d = m && s.dim[i] < 0 ? weft_model_dim(m, (int) (-s.dim[i] - 1)) : NULL;
        at += (size_t) (d ? snprintf(t + at, room - at, "%s%s", i ? "x" : "", d->name)
                          : snprintf(t + at, room - at, "%s%lld", i ? "x" : "", (long long) s.dim[i]));
    }
    return t;
}

const char *bytes_text(double bytes)
{
    static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    size_t room;
    char *t = next_text(&room);
    int k = 0;
    for (; bytes >= 1024 && k < 4; k++) bytes /= 1024;
    snprintf(t, room, k ? "%.1f %s" : "%.0f %s", bytes, unit[k]);
    return t;
}

const char *dtype_text(weft_dtype t)
{
    static const char *const names[] = { "f32", "f16", "i32", "u8" };
    return (unsigned) t < 4 ? names[t] : "?";
}

double seconds_since(double start)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec - start;
}
