// SPDX-License-Identifier: MIT
// lstm_back on oneDNN's sgemm: what h of all sequences receives is one product per step.
#ifdef WEFT_DNNL
#include "cpu/fast.h"
#include "ops/lstm.h"
#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

enum { SUMS, W, C0, DY, DH, DC };
enum { DSUMS, DH0, DC0 };

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    (void) ctx, (void) constant, (void) scratch;
    *state = (void *) (uintptr_t) n; // nothing to keep
    return WEFT_OK;
}

static float sigmoid(float x) { return 1 / (1 + expf(-x)); }

typedef struct unit_job { // one sequence at one step
    const float *x, *before, *dy; // before: cells of the step before; before and dy: NULL where they are 0
    float *d, *back, *came;       // d: cells of this step, then what the sums receive
    int64_t h;
} unit_job;

static void cells(const unit_job *u)
{
    for (int64_t j = 0; j < u->h; j++)
        u->d[j] = sigmoid(u->x[u->h + j]) * (u->before ? u->before[j] : 0) + sigmoid(u->x[j]) * tanhf(u->x[2 * u->h + j]);
}

static void slopes(const unit_job *u)
{
    const int64_t h = u->h;
    for (int64_t j = 0; j < h; j++) {
        const float i = sigmoid(u->x[j]), f = sigmoid(u->x[h + j]), g = tanhf(u->x[2 * h + j]), o = sigmoid(u->x[3 * h + j]), c = tanhf(u->d[j]);
        const float y = u->back[j] + (u->dy ? u->dy[j] : 0), dc = u->came[j] + y * o * (1 - c * c);
        u->d[j] = dc * g * i * (1 - i);
        u->d[h + j] = u->before ? dc * u->before[j] * f * (1 - f) : 0;
        u->d[2 * h + j] = dc * i * (1 - g * g);
        u->d[3 * h + j] = y * c * o * (1 - o);
        u->came[j] = dc * f;
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *node, void *const *out, const void *const *in, void *scratch)
{
    const weft_lstm_back_attrs *at = node->attrs;
    const int64_t *x = node->in_shape[SUMS].dim, n = x[at->time_first ? 1 : 0], t = x[at->time_first ? 0 : 1], h = x[2] / 4;
    const int64_t row_n = at->time_first ? 1 : t, row_t = at->time_first ? n : 1;
    float *const back = out[DH0], *const came = out[DC0], *const all = out[DSUMS];
    const size_t state_bytes = (size_t) (n * h) * 4;
    (void) state, (void) ctx, (void) scratch;
#define ROW(step, k) ((k) * row_n + (at->backwards ? t - 1 - (step) : (step)) * row_t)
#define JOB(step, k) {                                                                                                                       \
        (const float *) in[SUMS] + ROW(step, k) * 4 * h,                                                                                      \
        (step) ? all + ROW((step) - 1, k) * 4 * h : weft_has(node, C0) ? (const float *) in[C0] + (k) * h : NULL,                              \
        weft_has(node, DY) ? (const float *) in[DY] + ROW(step, k) * h : NULL, all + ROW(step, k) * 4 * h, back + (k) * h, came + (k) * h, h }
    for (int64_t step = 0; step < t; step++)
        for (int64_t k = 0; k < n; k++) cells(&(const unit_job) JOB(step, k));
    memset(back, 0, state_bytes);
    memset(came, 0, state_bytes);
    if (weft_has(node, DH)) memcpy(back, in[DH], state_bytes);
    if (weft_has(node, DC)) memcpy(came, in[DC], state_bytes);
    for (int64_t step = t - 1; step >= 0; step--) {
        for (int64_t k = 0; k < n; k++) slopes(&(const unit_job) JOB(step, k));
        if (dnnl_sgemm('N', 'N', n, h, 4 * h, 1, all + ROW(step, 0) * 4 * h, row_n * 4 * h, in[W], h, 0, back, h) != dnnl_success) return weft_fail_memory(0);
    }
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_lstm_back = { "lstm_back", prepare, run };
#endif // WEFT_DNNL
typedef int weft_cpu_fast_lstm_back_not_empty; // ISO C wants a declaration
