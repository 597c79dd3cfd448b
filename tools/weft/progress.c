// SPDX-License-Identifier: MIT
// A bar on the terminal, and the orderly end after Ctrl-C.
#include "command.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static bool bar_shown;

// A second Ctrl-C kills at once. The same signal within half a second is none: `timeout` sends its own twice.
static void on_interrupt(int number)
{
    static struct timespec first;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!stop) first = now;
    stop = 1;
    if ((double) (now.tv_sec - first.tv_sec) + 1e-9 * (double) (now.tv_nsec - first.tv_nsec) < 0.5) return;
    signal(number, SIG_DFL);
    raise(number);
}

void catch_interrupts(void)
{
    struct sigaction a = { .sa_handler = on_interrupt };
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    signal(SIGXFSZ, SIG_IGN); // a file that grows too large is a failed write
}

bool interrupted(void) { return stop; }

void end_progress(void)
{
    if (bar_shown) fputs("\r\033[K", stderr);
    bar_shown = false;
}

int show_progress(void *user, double done)
{
    static const char full[] = "########################################";
    static double last;
    const call *c = user;
    if (stop) return 1;
    const double now = seconds_since(0);
    if (c->quiet || !isatty(STDERR_FILENO) || (bar_shown && now - last < 0.05)) return 0;
    const int n = (int) (done * 40 + 0.5);
    fprintf(stderr, "\r[%.*s%*s] %3.0f %%", n, full, 40 - n, "", 100 * done);
    fflush(stderr);
    bar_shown = true;
    last = now;
    return 0;
}
