// SPDX-License-Identifier: MIT
// bias_act and its gradients with a leaky ReLU, a ReLU or no activation, a plane at a time.
#include "cpu/clones.h"
#include "cpu/fast.h"
#include "ops/bias_act.h"
#include <math.h>
#include <string.h>

enum { X = WEFT_BIAS_X, B = WEFT_BIAS_B, NOISE = WEFT_BIAS_NOISE, STRENGTH = WEFT_BIAS_STRENGTH, D = WEFT_BIAS_D };

static bool slope_of(const weft_bias_act_attrs *at, float *slope) // below 0; above it is 1
{
    const char *name = at->act ? weft_activation_row(at->act) : "";
    *slope = !at->act ? 1 : !strcmp(name, "relu") ? 0 : at->a;
    return !at->act || !strcmp(name, "relu") || !strcmp(name, "leaky_relu");
}

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    float slope;
    (void) ctx, (void) constant, (void) scratch;
    *state = slope_of(n->attrs, &slope) ? (void *) (uintptr_t) n : NULL; // nothing to keep
    return WEFT_OK;
}

static void destroy(weft_context *ctx, void *state) { (void) ctx, (void) state; }

typedef struct plane { float scale, strength, bias, slope, gain, clamp; } plane;

WEFT_CLONES static void forward(float *restrict y, const float *restrict x, const float *restrict noise, plane p, int64_t count)
{
    const float below = p.slope * p.gain;
    if (noise)
        for (int64_t i = 0; i < count; i++) {
            const float u = x[i] * p.scale + (noise[i] * p.strength + p.bias), v = u * (u < 0 ? below : p.gain);
            y[i] = v < -p.clamp ? -p.clamp : v > p.clamp ? p.clamp : v;
        }
    else
        for (int64_t i = 0; i < count; i++) {
            const float u = x[i] * p.scale + p.bias, v = u * (u < 0 ? below : p.gain);
            y[i] = v < -p.clamp ? -p.clamp : v > p.clamp ? p.clamp : v;
        }
}

WEFT_CLONES static void backward(float *restrict du, const float *restrict dy, const float *restrict x, const float *restrict noise, plane p,
                                 int64_t count)
{
    const float below = p.slope * p.gain;
    if (noise)
        for (int64_t i = 0; i < count; i++) {
            const float u = x[i] * p.scale + (noise[i] * p.strength + p.bias), by = u > 0 ? p.gain : below;
            du[i] = fabsf(u * by) > p.clamp ? 0 : dy[i] * by;
        }
    else
        for (int64_t i = 0; i < count; i++) {
            const float u = x[i] * p.scale + p.bias, by = u > 0 ? p.gain : below;
            du[i] = fabsf(u * by) > p.clamp ? 0 : dy[i] * by;
        }
}

typedef struct job { const weft_node *node; int first; const float *const *in; const float *dy; float *y; } job; // first: where x is among the inputs

static void planes(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    const weft_node *n = j->node;
    const weft_bias_act_attrs *at = n->attrs;
    const weft_shape s = n->out_shape[0];
    const int64_t c = s.dim[1], area = weft_shape_count(s) / (s.dim[0] * c);
    for (int64_t k = begin; k < end; k++) {
        plane p = { .scale = 1, .strength = 1, .gain = at->gain, .clamp = at->clamp > 0 ? at->clamp : INFINITY };
        const float *noise = weft_has(n, j->first + NOISE) ? j->in[NOISE] + (n->in_shape[j->first + NOISE].dim[0] == 1 ? 0 : k / c) * area : NULL;
        slope_of(at, &p.slope);
        if (weft_has(n, j->first + B)) p.bias = j->in[B][k % c];
        if (weft_has(n, j->first + STRENGTH)) p.strength = j->in[STRENGTH][0];
        if (weft_has(n, j->first + D)) p.scale = j->in[D][k];
        if (j->first) backward(j->y + k * area, j->dy + k * area, j->in[X] + k * area, noise, p, area);
        else forward(j->y + k * area, j->in[X] + k * area, noise, p, area);
    }
}

static void run_planes(weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, int first)
{
    const job j = { n, first, (const float *const *) in + first, in[0], out[0] };
    weft_parallel(ctx->pool, n->out_shape[0].dim[0] * n->out_shape[0].dim[1], 1, planes, (void *) (uintptr_t) &j);
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    (void) state, (void) scratch;
    return run_planes(ctx, n, out, in, 0), WEFT_OK;
}
static weft_result run_grad(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    (void) state, (void) scratch;
    return run_planes(ctx, n, out, in, 1), WEFT_OK;
}

// --- The gradient from y, with its sums. ---

enum { LANES = 32, BLOCK = 4096 }; // sums in float within a block, in double beyond

// du of up to a block. sum: of du, of u du - which is y dy: these activations are lines through 0 -, of noise du.
WEFT_CLONES static void back(float *restrict du, const float *restrict dy, const float *restrict y, const float *restrict noise, plane p, int64_t count,
                             double sum[3])
{
    float of_du[LANES] = { 0 }, of_u[LANES] = { 0 }, of_noise[LANES] = { 0 };
    const float above = p.gain > 0 ? p.gain : p.slope * p.gain, below = p.gain > 0 ? p.slope * p.gain : p.gain; // of y, not of u
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const float t = fabsf(y[i + k]) < p.clamp ? dy[i + k] : 0, g = t * (y[i + k] > 0 ? above : below);
            du[i + k] = g;
            of_du[k] += g, of_u[k] += t * y[i + k], of_noise[k] += g * noise[i + k];
        }
    for (; i < count; i++) {
        const float t = fabsf(y[i]) < p.clamp ? dy[i] : 0, g = t * (y[i] > 0 ? above : below);
        du[i] = g;
        sum[0] += g, sum[1] += (double) t * y[i], sum[2] += (double) g * noise[i];
    }
    for (int k = 0; k < LANES; k++) sum[0] += of_du[k], sum[1] += of_u[k], sum[2] += of_noise[k];
}

typedef struct back_job { const weft_node *node; const float *const *in; float *du, *sums; } back_job;

static void back_planes(void *user, int64_t begin, int64_t end)
{
    static const float none[BLOCK];
    const back_job *j = user;
    const weft_node *n = j->node;
    const weft_bias_act_back_attrs *at = n->attrs;
    const weft_shape s = n->out_shape[0];
    const int64_t c = s.dim[1], count = s.dim[0] * c, area = s.dim[2] * s.dim[3];
    const float strength = weft_has(n, 1 + STRENGTH) ? j->in[1 + STRENGTH][0] : 1;
    plane p = { .gain = at->of.gain, .clamp = at->of.clamp > 0 ? at->of.clamp : INFINITY };
    slope_of(&at->of, &p.slope);
    for (int64_t k = begin; k < end; k++) {
        const float *noise = weft_has(n, 1 + NOISE) ? j->in[1 + NOISE] + (n->in_shape[1 + NOISE].dim[0] == 1 ? 0 : k / c) * area : NULL;
        const double b = weft_has(n, 1 + B) ? j->in[1 + B][k % c] : 0, d = weft_has(n, 1 + D) ? j->in[1 + D][k] : 1;
        double sum[3] = { 0 };
        for (int64_t i = 0; i < area; i += BLOCK)
            back(j->du + k * area + i, j->in[0] + k * area + i, j->in[1] + k * area + i, noise ? noise + i : none, p, area - i < BLOCK ? area - i : BLOCK, sum);
        float *to = j->sums ? j->sums + k : NULL;
        if (at->sums & WEFT_SUM_DU) *to = (float) sum[0], to += count;
        if (at->sums & WEFT_SUM_DU_X) *to = (float) (d == 0 ? 0 : (sum[1] - b * sum[0] - strength * sum[2]) / d), to += count;
        if (at->sums & WEFT_SUM_DU_NOISE) *to = (float) sum[2];
    }
}

static weft_result prepare_back(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    float slope;
    (void) ctx, (void) constant, (void) scratch;
    *state = slope_of(&((const weft_bias_act_back_attrs *) n->attrs)->of, &slope) ? (void *) (uintptr_t) n : NULL;
    return WEFT_OK;
}

static weft_result run_back(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const back_job j = { n, (const float *const *) in, out[0], n->out_count > 1 ? out[1] : NULL };
    (void) state, (void) scratch;
    weft_parallel(ctx->pool, n->out_shape[0].dim[0] * n->out_shape[0].dim[1], 1, back_planes, (void *) (uintptr_t) &j);
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_bias_act_back = { "bias_act_back", prepare_back, run_back, destroy };
const weft_cpu_fast weft_cpu_fast_bias_act = { "bias_act", prepare, run, destroy };
const weft_cpu_fast weft_cpu_fast_bias_act_grad = { "bias_act_grad", prepare, run_grad, destroy };
