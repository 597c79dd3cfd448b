// SPDX-License-Identifier: MIT
// resample: the rows that make one first, all columns at once, then its columns; a row that is made like the one above is a copy of it.
#include "cpu/add.h"
#include "cpu/clones.h"
#include "cpu/fast.h"
#include <string.h>

enum { LINE = 8192 }; // the longest row, and what its last taps look at

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    (void) ctx, (void) constant, (void) scratch;
    *state = n->in_shape[0].dim[3] + n->in_shape[2].dim[1] <= LINE ? (void *) (uintptr_t) n : NULL; // nothing to keep
    return WEFT_OK;
}

static inline float weight(const int32_t *bits)
{
    float f;
    memcpy(&f, bits, 4);
    return f;
}

WEFT_CLONES static void pick(float *restrict y, const float *restrict line, const int32_t *restrict h, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] = weight(h + 2 * i + 1) * line[h[2 * i]];
}
WEFT_CLONES static void mix_two(float *restrict y, const float *restrict line, const int32_t *restrict h, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] = weight(h + 3 * i + 1) * line[h[3 * i]] + weight(h + 3 * i + 2) * line[h[3 * i] + 1];
}
WEFT_CLONES static void mix(float *restrict y, const float *restrict line, const int32_t *restrict h, int64_t taps, int64_t count)
{
    for (int64_t i = 0; i < count; i++, h += taps + 1) {
        float sum = 0;
        for (int64_t k = 0; k < taps; k++) sum += weight(h + 1 + k) * line[h[0] + k];
        y[i] = sum;
    }
}

typedef struct job { const weft_node *node; const float *x; const int32_t *v, *h; float *y; } job;

static void rows(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    const int64_t *xs = j->node->in_shape[0].dim, *ys = j->node->out_shape[0].dim;
    const int64_t step = j->node->in_shape[1].dim[1], taps = j->node->in_shape[2].dim[1] - 1;
    float line[LINE];
    memset(line + xs[3], 0, (size_t) taps * sizeof *line);
    for (int64_t row = begin; row < end; row++) {
        const int32_t *v = j->v + row % ys[2] * step;
        const float *x = j->x + (row / ys[2] * xs[2] + v[0]) * xs[3];
        float *y = j->y + row * ys[3];
        if (row > begin && row % ys[2] && !memcmp(v, v - step, (size_t) step * sizeof *v)) {
            memcpy(y, y - ys[3], (size_t) ys[3] * sizeof *y);
            continue;
        }
        memset(line, 0, (size_t) xs[3] * sizeof *line);
        for (int64_t i = 1; i < step && v[0] + i <= xs[2]; i++) weft_cpu_add(line, x + (i - 1) * xs[3], weight(v + i), xs[3]);
        if (taps == 1) pick(y, line, j->h, ys[3]);
        else if (taps == 2) mix_two(y, line, j->h, ys[3]);
        else mix(y, line, j->h, taps, ys[3]);
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const int64_t *y = n->out_shape[0].dim;
    (void) state, (void) scratch;
    weft_parallel(ctx->pool, y[0] * y[1] * y[2], 32, rows, &(job) { n, in[0], in[1], in[2], out[0] });
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_resample = { "resample", prepare, run };
