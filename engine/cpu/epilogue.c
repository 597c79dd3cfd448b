// SPDX-License-Identifier: MIT
#include "cpu/epilogue.h"
#include "cpu/clones.h"
#include <string.h>

// e^x to 2 ulp: e^x = 2^n e^r with |r| <= ln 2 / 2, and e^r by its Taylor series. Branch-free, so that loops vectorise.
static inline float exp_fast(float x)
{
    const float shift = 0x1.8p23f; // adding it rounds to a whole number
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float t = x * 1.44269504f + shift, n = t - shift;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    const float p = 1.0f + r * (1.0f + r * (0.5f + r * (0.16666667f + r * (0.041666668f + r * (0.008333334f + r * (0.0013888889f + r * 1.984127e-4f))))));
    int32_t bits;
    float scale;
    memcpy(&bits, &t, 4);
    bits = (bits - 0x4b400000 + 127) << 23;
    memcpy(&scale, &bits, 4);
    return p * scale;
}

WEFT_CLONES static void elu(float *y, int64_t count, float a)
{
    for (int64_t i = 0; i < count; i++) y[i] = y[i] > 0 ? y[i] : a * (exp_fast(y[i]) - 1);
}
WEFT_CLONES static void leaky(float *y, int64_t count, float a)
{
    for (int64_t i = 0; i < count; i++) y[i] = y[i] > 0 ? y[i] : a * y[i];
}
WEFT_CLONES static void sigmoid(float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] = 1 / (1 + exp_fast(-y[i]));
}
WEFT_CLONES static void times_sigmoid(float *y, const float *gate, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] /= 1 + exp_fast(-gate[i]);
}
WEFT_CLONES static void plus(float *y, const float *r, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] += r[i];
}

WEFT_CLONES static void shift(float *y, const weft_cpu_plane *p, int64_t first, int64_t count)
{
    if (p->noise)
        for (int64_t i = 0; i < count; i++) y[i] = y[i] * p->scale + (p->noise[first + i] * p->strength + p->bias);
    else
        for (int64_t i = 0; i < count; i++) y[i] = y[i] * p->scale + p->bias;
}
WEFT_CLONES static void limit(float *y, float gain, float most, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float v = y[i] * gain;
        y[i] = v < -most ? -most : v > most ? most : v;
    }
}

static bool is(const weft_conv_attrs *at, const char *name) // whether `act` is this choice
{
    const char *choice = weft_activation_names;
    for (int k = 0; k < at->act; k++) choice += strcspn(choice, "|") + 1;
    const size_t n = strlen(name);
    return !strncmp(choice, name, n) && (choice[n] == '|' || !choice[n]);
}

static void activate(const weft_conv_attrs *at, float *y, int64_t count)
{
    if (!at->act) return;
    if (is(at, "relu")) leaky(y, count, 0);
    else if (is(at, "leaky_relu")) leaky(y, count, at->a);
    else if (is(at, "elu")) elu(y, count, at->a);
    else if (is(at, "sigmoid")) sigmoid(y, count);
    else
        for (int64_t i = 0; i < count; i++) y[i] = (float) weft_activate(at->act, y[i], at->a, at->b);
}

weft_cpu_plane weft_cpu_plane_of(const weft_node *n, const float *const *in, const weft_cpu_ending *e, int64_t plane, int64_t pixel)
{
    const int64_t *y = n->out_shape[0].dim;
    weft_cpu_plane p = { .scale = 1, .strength = 1 };
    if (weft_has(n, e->d)) p.scale = in[e->d][plane];
    if (weft_has(n, e->noise)) p.noise = in[e->noise] + (n->in_shape[e->noise].dim[0] == 1 ? 0 : plane / y[1]) * y[2] * y[3] + pixel;
    if (weft_has(n, e->strength)) p.strength = in[e->strength][0];
    if (weft_has(n, e->b)) p.bias = in[e->b][plane % y[1]];
    return p;
}

void weft_cpu_epilogue(const weft_conv_attrs *at, const weft_cpu_plane *p, bool styled, float *y, int64_t count)
{
    enum { STRETCH = 4096 }; // stays in the nearest cache from step to step
    for (int64_t i = 0; i < count; i += STRETCH) {
        const int64_t n = count - i < STRETCH ? count - i : STRETCH;
        float *to = y + i;
        if (y != p->sum) memcpy(to, p->sum + i, (size_t) n * sizeof *y);
        if (styled) shift(to, p, i, n);
        if (p->r && at->residual == WEFT_RESIDUAL_BEFORE) plus(to, p->r + i, n);
        activate(at, to, n);
        if (at->gain != 0 || at->clamp > 0) limit(to, at->gain != 0 ? at->gain : 1, at->clamp > 0 ? at->clamp : INFINITY, n);
        if (p->gate) times_sigmoid(to, p->gate + i, n);
        if (p->r && at->residual == WEFT_RESIDUAL_AFTER) plus(to, p->r + i, n);
    }
}
