// SPDX-License-Identifier: MIT
#include "cpu/epilogue.h"
#include "cpu/clones.h"
#include "cpu/exp.h"
#include <string.h>

WEFT_CLONES static void elu(float *y, int64_t count, float a)
{
    for (int64_t i = 0; i < count; i++) y[i] = y[i] > 0 ? y[i] : a * (weft_exp_fast(y[i]) - 1);
}
WEFT_CLONES static void relu(float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] = y[i] < 0 ? 0 : y[i];
}
WEFT_CLONES static void leaky(float *y, int64_t count, float a)
{
    for (int64_t i = 0; i < count; i++) y[i] = y[i] > 0 ? y[i] : a * y[i];
}
WEFT_CLONES static void sigmoid(float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] = 1 / (1 + weft_exp_fast(-y[i]));
}
WEFT_CLONES static void hyperbolic(float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] = weft_tanh_fast(y[i]);
}
WEFT_CLONES static void own_sigmoid(float *y, int64_t count, float by)
{
    for (int64_t i = 0; i < count; i++) y[i] /= 1 + weft_exp_fast(-by * y[i]);
}
WEFT_CLONES static void times_sigmoid(float *y, const float *gate, int64_t count)
{
    for (int64_t i = 0; i < count; i++) y[i] /= 1 + weft_exp_fast(-gate[i]);
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

void weft_cpu_activate(int act, float a, float b, float *y, int64_t count)
{
    const char *name = act ? weft_activation_row(act) : "";
    if (!act) return;
    if (!strcmp(name, "relu")) relu(y, count);
    else if (!strcmp(name, "leaky_relu")) leaky(y, count, a);
    else if (!strcmp(name, "elu")) elu(y, count, a);
    else if (!strcmp(name, "sigmoid")) sigmoid(y, count);
    else if (!strcmp(name, "tanh")) hyperbolic(y, count);
    else if (!strcmp(name, "silu")) own_sigmoid(y, count, 1);
    else if (!strcmp(name, "quick_gelu")) own_sigmoid(y, count, 1.702f);
    else
        for (int64_t i = 0; i < count; i++) y[i] = (float) weft_activate(act, y[i], a, b);
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
        weft_cpu_activate(at->act, at->a, at->b, to, n);
        if (at->gain != 0 || at->clamp > 0) limit(to, at->gain != 0 ? at->gain : 1, at->clamp > 0 ? at->clamp : INFINITY, n);
        if (p->gate) times_sigmoid(to, p->gate + i, n);
        if (p->r && at->residual == WEFT_RESIDUAL_AFTER) plus(to, p->r + i, n);
    }
}
