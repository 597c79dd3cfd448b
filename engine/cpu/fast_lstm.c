// SPDX-License-Identifier: MIT
// lstm on oneDNN's sgemm: all of x through w_ih at once, then per step what depends on the step before.
#ifdef WEFT_DNNL
#include "cpu/fast.h"
#include "ops/lstm.h"
#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

typedef struct buffers { float *gates, *now, *h; } buffers; // gates [t n, 4 h] in x's order, now [n, 4 h], h [n, h]

static size_t round_up(int64_t numbers) { return ((size_t) numbers * 4 + 63) / 64 * 64; }

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    const weft_lstm_sizes s = weft_lstm_sizes_of(n);
    (void) ctx, (void) constant;
    *state = (void *) (uintptr_t) n; // nothing to keep
    *scratch = round_up(s.t * s.n * 4 * s.h) + round_up(s.n * 4 * s.h) + round_up(s.n * s.h);
    return WEFT_OK;
}

static float sigmoid(float x) { return 1 / (1 + expf(-x)); }

static weft_result direction(const weft_node *n, const weft_lstm_sizes *s, int64_t dir, const buffers *b, void *const *out, const void *const *in)
{
    const weft_lstm_attrs *at = n->attrs;
    const int64_t h = s->h, rows = s->n * s->t;
    const bool backwards = at->direction == WEFT_LSTM_REVERSE || dir == 1, has_b = weft_has(n, WEFT_LSTM_B);
    const float *w_ih = (const float *) in[WEFT_LSTM_W_IH] + dir * 4 * h * s->in, *w_hh = (const float *) in[WEFT_LSTM_W_HH] + dir * 4 * h * h;
    const float *bias = has_b ? (const float *) in[WEFT_LSTM_B] + dir * 8 * h : NULL;
    float *c = (float *) out[WEFT_LSTM_CN] + dir * s->n * h;
    const size_t state_bytes = (size_t) (s->n * h) * 4;
    memset(b->h, 0, state_bytes);
    memset(c, 0, state_bytes);
    if (weft_has(n, WEFT_LSTM_H0)) memcpy(b->h, (const float *) in[WEFT_LSTM_H0] + dir * s->n * h, state_bytes);
    if (weft_has(n, WEFT_LSTM_C0)) memcpy(c, (const float *) in[WEFT_LSTM_C0] + dir * s->n * h, state_bytes);
    if (dnnl_sgemm('N', 'T', rows, 4 * h, s->in, 1, in[WEFT_LSTM_X], s->in, w_ih, s->in, 0, b->gates, 4 * h) != dnnl_success)
        return weft_fail_memory(0);
    for (int64_t step = 0; step < s->t; step++) {
        const int64_t t = backwards ? s->t - 1 - step : step;
        if (dnnl_sgemm('N', 'T', s->n, 4 * h, h, 1, b->h, h, w_hh, h, 0, b->now, 4 * h) != dnnl_success) return weft_fail_memory(0);
        for (int64_t k = 0; k < s->n; k++) {
            const float *from_x = b->gates + (k * s->x_n + t * s->x_t) * 4 * h, *from_h = b->now + k * 4 * h;
            float *y = (float *) out[WEFT_LSTM_Y] + k * s->y_n + t * s->y_t + dir * h;
            for (int64_t j = 0; j < h; j++) {
                float g[4];
                for (int p = 0; p < 4; p++) g[p] = from_x[p * h + j] + from_h[p * h + j] + (bias ? bias[p * h + j] + bias[(4 + p) * h + j] : 0);
                c[k * h + j] = sigmoid(g[1]) * c[k * h + j] + sigmoid(g[0]) * tanhf(g[2]);
                y[j] = b->h[k * h + j] = sigmoid(g[3]) * tanhf(c[k * h + j]);
            }
        }
    }
    memcpy((float *) out[WEFT_LSTM_HN] + dir * s->n * h, b->h, state_bytes);
    return WEFT_OK;
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const weft_lstm_sizes s = weft_lstm_sizes_of(n);
    const size_t gates = round_up(s.t * s.n * 4 * s.h), now = round_up(s.n * 4 * s.h);
    const buffers b = { scratch, (float *) ((char *) scratch + gates), (float *) ((char *) scratch + gates + now) };
    (void) state, (void) ctx;
    for (int64_t dir = 0; dir < s.dirs; dir++) WEFT_TRY(direction(n, &s, dir, &b, out, in));
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_lstm = { "lstm", prepare, run };
#endif // WEFT_DNNL
typedef int weft_cpu_fast_lstm_not_empty; // ISO C wants a declaration
