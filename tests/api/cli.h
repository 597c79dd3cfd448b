// SPDX-License-Identifier: MIT
// The weft command in a folder of its own: what tests of it share. Include after cmocka.h.
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/weft.h>

static weft_context *ctx;
static char folder[] = "/tmp/weft cli-XXXXXX"; // with a blank: names are passed on whole
static char program[1024];
static char text[1 << 16]; // what the last command printed, stdout and stderr

// Runs "weft ..." in the folder with a shell; gives the exit code.
static int weft(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int weft(const char *format, ...)
{
    char line[4096];
    int n = snprintf(line, sizeof line, "cd '%s' && XDG_CACHE_HOME=\"$PWD/cache\" '%s' ", folder, program);
    va_list args;
    va_start(args, format);
    n += vsnprintf(line + n, sizeof line - (size_t) n, format, args);
    va_end(args);
    snprintf(line + n, sizeof line - (size_t) n, " 2>&1");
    FILE *p = popen(line, "r");
    assert_non_null(p);
    text[fread(text, 1, sizeof text - 1, p)] = 0;
    const int status = pclose(p);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

#define assert_code(want, ...)                                                          \
    do {                                                                                \
        const int code_ = weft(__VA_ARGS__);                                            \
        if (code_ != (want)) fail_msg("exit code %d, not %d; it said:\n%s", code_, want, text); \
    } while (0)
static void assert_says(const char *words)
{
    if (!strstr(text, words)) fail_msg("wanted '%s' in:\n%s", words, text);
}

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[0], "%s/%s", folder, name);
    return path[turn];
}
static inline bool exists(const char *name) { return !access(in_folder(name), F_OK); }

static int make_folder(void) // and finds the program: non-zero where that fails
{
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 16);
    if (n <= 0 || weft_context_create(NULL, &ctx) || !mkdtemp(folder)) return 1;
    program[n] = 0;
    strcpy(strrchr(program, '/'), "/../weft");
    return 0;
}

static int drop_folder(void) // non-zero where something half written was left
{
    char line[128];
    snprintf(line, sizeof line, "ls -AR '%s' | grep -c part-", folder);
    FILE *p = popen(line, "r");
    int parts = -1;
    if (!p || fscanf(p, "%d", &parts) != 1) parts = -1;
    if (p) pclose(p);
    snprintf(line, sizeof line, "rm -rf '%s'", folder);
    const int removed = system(line);
    weft_context_destroy(&ctx);
    return parts != 0 || removed;
}
