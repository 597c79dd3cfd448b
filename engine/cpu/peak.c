// SPDX-License-Identifier: MIT
#include "cpu/peak.h"
#include "base/clock.h"
#include "base/threads.h"
#include "cpu/clones.h"
#include <string.h>

// Compiled with -ffp-contract=fast: x a + b is one instruction where there is one.
enum { WIDTH = 16, LOOPS = 256 };
static const double LONG_ENOUGH = 0.02; // seconds of a sample
static const size_t BYTES = (size_t) 256 << 20; // beyond the caches there are

struct weft_cpu_peaks {
    weft_context *ctx;
    char *from, *to;
    int chains;    // 0: not known which is better
    int64_t turns; // of a piece, once that is long enough
    int threads;
};

weft_result weft_cpu_peaks_create(weft_context *ctx, weft_cpu_peaks **out)
{
    weft_cpu_peaks *p = weft_new(ctx, sizeof *p);
    if (!p) return WEFT_ERR_MEMORY;
    p->ctx = ctx, p->turns = 1 << 14, p->threads = weft_pool_threads(ctx->pool);
    p->from = weft_new(ctx, BYTES), p->to = weft_new(ctx, BYTES);
    if (!p->from || !p->to) return weft_cpu_peaks_destroy(p), WEFT_ERR_MEMORY;
    memset(p->from, 1, BYTES), memset(p->to, 2, BYTES); // pages that nobody wrote are not there
    *out = p;
    return WEFT_OK;
}

void weft_cpu_peaks_destroy(weft_cpu_peaks *p)
{
    if (!p) return;
    weft_delete(p->ctx, p->from);
    weft_delete(p->ctx, p->to);
    weft_delete(p->ctx, p);
}

typedef struct work { weft_cpu_peaks *p; volatile float kept; } work;

// Chains that do not wait for each other, in registers. How many fit there without waiting for memory depends on the processor: the
// better of two numbers counts.
#define CHAINS(name, count)                                                                       \
    WEFT_CLONES static float name(int64_t turns, float a, float b)                                \
    {                                                                                             \
        float x[count][WIDTH], sum = 0;                                                           \
        for (int c = 0; c < (count); c++)                                                         \
            for (int i = 0; i < WIDTH; i++) x[c][i] = (float) (c + i);                            \
        for (int64_t t = 0; t < turns; t++)                                                       \
            for (int c = 0; c < (count); c++)                                                     \
                for (int i = 0; i < WIDTH; i++) x[c][i] = x[c][i] * a + b;                        \
        for (int c = 0; c < (count); c++)                                                         \
            for (int i = 0; i < WIDTH; i++) sum += x[c][i];                                       \
        return sum;                                                                               \
    }
CHAINS(chains_6, 6)
CHAINS(chains_10, 10)

static void multiply(void *user, int64_t begin, int64_t end)
{
    work *w = user;
    for (int64_t i = begin; i < end; i++) w->kept = w->p->chains == 6 ? chains_6(w->p->turns, 0.75f, 0.125f) : chains_10(w->p->turns, 0.75f, 0.125f);
}

WEFT_CLONES static uint32_t sum_words(const uint32_t *x, int64_t count)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < count; i++) sum += x[i];
    return sum;
}

static void read_piece(void *user, int64_t begin, int64_t end)
{
    work *w = user;
    w->kept = (float) sum_words((const uint32_t *) (const void *) w->p->from + begin, end - begin);
}

static void copy_piece(void *user, int64_t begin, int64_t end)
{
    work *w = user;
    memcpy(w->p->to + 4 * begin, w->p->from + 4 * begin, (size_t) (end - begin) * 4);
}

static void nothing(void *user, int64_t begin, int64_t end) { (void) user, (void) begin, (void) end; }

static double time_of(work *w, int64_t count, int64_t least, void (*loop)(void *, int64_t, int64_t))
{
    const double start = weft_seconds();
    weft_parallel(w->p->ctx->pool, count, least, loop, w);
    return weft_seconds() - start;
}

static double multiply_rate(work *w, int chains)
{
    double seconds;
    w->p->chains = chains;
    while ((seconds = time_of(w, w->p->threads, 1, multiply)) < LONG_ENOUGH && w->p->turns < (int64_t) 1 << 40) w->p->turns *= 2;
    return 2.0 * WIDTH * chains * (double) w->p->threads * (double) w->p->turns / seconds;
}

weft_result weft_cpu_peaks_sample(weft_cpu_peaks *p, weft_peak what, double *value)
{
    work w = { p, 0 };
    const int64_t words = (int64_t) (BYTES / 4), part = words / (4 * p->threads);
    double seconds;
    switch (what) {
    case WEFT_PEAK_F32:
        if (!p->chains) p->chains = multiply_rate(&w, 6) > multiply_rate(&w, 10) ? 6 : 10;
        *value = multiply_rate(&w, p->chains);
        return WEFT_OK;
    case WEFT_PEAK_READ: *value = (double) BYTES / time_of(&w, words, part, read_piece); return WEFT_OK;
    case WEFT_PEAK_COPY: *value = 2 * (double) BYTES / time_of(&w, words, part, copy_piece); return WEFT_OK;
    case WEFT_PEAK_LAUNCH:
        seconds = weft_seconds();
        for (int i = 0; i < LOOPS; i++) weft_parallel(p->ctx->pool, p->threads, 1, nothing, NULL);
        *value = (weft_seconds() - seconds) / LOOPS;
        return WEFT_OK;
    default: return weft_fail(WEFT_ERR_UNSUPPORTED, "cpu: there is no measure of that");
    }
}
