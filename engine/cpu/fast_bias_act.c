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

typedef struct plane { float scale, strength, bias, slope, gain, clamp, least; } plane; // least: what is below it, infinite or not, counts as it

WEFT_CLONES static void forward(float *restrict y, const float *restrict x, const float *restrict noise, plane p, int64_t count)
{
    const float below = p.slope * p.gain;
    if (noise)
        for (int64_t i = 0; i < count; i++) {
            const float u = x[i] * p.scale + (noise[i] * p.strength + p.bias), at_least = u < p.least ? p.least : u, v = at_least * (u < 0 ? below : p.gain);
            y[i] = v < -p.clamp ? -p.clamp : v > p.clamp ? p.clamp : v;
        }
    else
        for (int64_t i = 0; i < count; i++) {
            const float u = x[i] * p.scale + p.bias, at_least = u < p.least ? p.least : u, v = at_least * (u < 0 ? below : p.gain);
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
        p.least = at->act && !strcmp(weft_activation_row(at->act), "relu") ? 0 : -INFINITY;
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

enum { LANES = 16, BLOCK = 4096 }; // sums in float within a block, in double beyond

typedef struct back_plane { plane of; float s, more_s; } back_plane;
typedef struct back_lines { const float *dy, *y, *noise, *more; } back_lines;

// du of up to a block. sum: of du, of u du - which is y times all that arrives: these activations are lines through 0 -, of noise du, dy y, more y.
WEFT_CLONES static void back(float *restrict du, back_lines at, back_plane p, int64_t count, double sum[WEFT_SUMS])
{
    const float *restrict dy = at.dy, *restrict y = at.y, *restrict noise = at.noise, *restrict more = at.more;
    float of_du[LANES] = { 0 }, of_u[LANES] = { 0 }, of_noise[LANES] = { 0 }, of_dy[LANES] = { 0 }, of_more[LANES] = { 0 };
    const float gain = p.of.gain, above = gain > 0 ? gain : p.of.slope * gain, below = gain > 0 ? p.of.slope * gain : gain; // of y, not of u
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const float v = y[i + k], a = dy[i + k], b = more[i + k];
            const float t = fabsf(v) < p.of.clamp ? a * p.s + b * p.more_s : 0, g = t * (v > 0 ? above : below);
            du[i + k] = g;
            of_du[k] += g, of_u[k] += t * v, of_noise[k] += g * noise[i + k], of_dy[k] += a * v, of_more[k] += b * v;
        }
    for (; i < count; i++) {
        const float t = fabsf(y[i]) < p.of.clamp ? dy[i] * p.s + more[i] * p.more_s : 0, g = t * (y[i] > 0 ? above : below);
        du[i] = g;
        sum[0] += g, sum[1] += (double) t * y[i], sum[2] += (double) g * noise[i], sum[3] += (double) dy[i] * y[i], sum[4] += (double) more[i] * y[i];
    }
    for (int k = 0; k < LANES; k++) sum[0] += of_du[k], sum[1] += of_u[k], sum[2] += of_noise[k], sum[3] += of_dy[k], sum[4] += of_more[k];
}

typedef struct back_job { const weft_node *node; const float *const *in; void *const *out; } back_job;

static void back_planes(void *user, int64_t begin, int64_t end)
{
    static const float none[BLOCK];
    const back_job *j = user;
    const weft_node *n = j->node;
    const weft_bias_act_back_attrs *at = n->attrs;
    const weft_shape shape = n->out_shape[0];
    const int64_t c = shape.dim[1], area = shape.dim[2] * shape.dim[3];
    const float strength = weft_has(n, 1 + STRENGTH) ? j->in[1 + STRENGTH][0] : 1;
    back_plane p = { { .gain = at->of.gain, .clamp = at->of.clamp > 0 ? at->of.clamp : INFINITY }, 1, 1 };
    slope_of(&at->of, &p.of.slope);
    for (int64_t k = begin; k < end; k++) {
        const float *noise = weft_has(n, 1 + NOISE) ? j->in[1 + NOISE] + (n->in_shape[1 + NOISE].dim[0] == 1 ? 0 : k / c) * area : NULL;
        const float *more = weft_has(n, WEFT_BACK_MORE) ? j->in[WEFT_BACK_MORE] + k * area : NULL;
        const double b = weft_has(n, 1 + B) ? j->in[1 + B][k % c] : 0, d = weft_has(n, 1 + D) ? j->in[1 + D][k] : 1;
        double sum[WEFT_SUMS] = { 0 };
        if (weft_has(n, WEFT_BACK_S)) p.s = j->in[WEFT_BACK_S][k];
        if (weft_has(n, WEFT_BACK_MORE_S)) p.more_s = j->in[WEFT_BACK_MORE_S][k];
        for (int64_t i = 0; i < area; i += BLOCK) {
            const back_lines lines = { j->in[WEFT_BACK_DY] + k * area + i, j->in[WEFT_BACK_Y] + k * area + i, noise ? noise + i : none, more ? more + i : none };
            back((float *) j->out[0] + k * area + i, lines, p, area - i < BLOCK ? area - i : BLOCK, sum);
        }
        sum[1] = d == 0 ? 0 : (sum[1] - b * sum[0] - strength * sum[2]) / d;
        for (int i = 0; i < WEFT_SUMS; i++)
            if (at->sums >> i & 1) ((float *) j->out[1 + weft_sums_below(at->sums, 1 << i)])[k] = (float) sum[i];
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
    const back_job j = { n, (const float *const *) in, out };
    (void) state, (void) scratch;
    weft_parallel(ctx->pool, n->out_shape[0].dim[0] * n->out_shape[0].dim[1], 1, back_planes, (void *) (uintptr_t) &j);
    return WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_bias_act_back = { "bias_act_back", prepare_back, run_back };
const weft_cpu_fast weft_cpu_fast_bias_act = { "bias_act", prepare, run };
const weft_cpu_fast weft_cpu_fast_bias_act_grad = { "bias_act_grad", prepare, run_grad };
