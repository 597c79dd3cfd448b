// SPDX-License-Identifier: MIT
// bias_act and its gradient with a leaky ReLU, a ReLU or no activation, a plane at a time.
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

const weft_cpu_fast weft_cpu_fast_bias_act = { "bias_act", prepare, run, destroy };
const weft_cpu_fast weft_cpu_fast_bias_act_grad = { "bias_act_grad", prepare, run_grad, destroy };
