// SPDX-License-Identifier: MIT
// A small optimisation for tests of the runtime: p is drawn to x by adam, and two states change places. Every way a state is
// updated occurs: in place, by a copy, by way of memory set aside.
#pragma once
#include <stdbool.h>
#include <string.h>
#include <weft/build.h>
#include <weft/session.h>

enum { STATE_NET = 37 };

static inline weft_result state_net(weft_context *ctx, weft_model **out)
{
    weft_builder *b;
    const weft_shape many = WEFT_SHAPE(STATE_NET), one = WEFT_SHAPE(1);
    float start[STATE_NET];
    for (int i = 0; i < STATE_NET; i++) start[i] = (float) (i % 5) - 2;
    const weft_result r = weft_builder_create(ctx, &b);
    if (r != WEFT_OK) return r;
    const weft_value x = weft_build_input(b, "x", WEFT_F32, many);
    const weft_value p = weft_build_state(b, "p", WEFT_F32, many, start);
    const weft_value m = weft_build_state(b, "m", WEFT_F32, many, NULL), v = weft_build_state(b, "v", WEFT_F32, many, NULL);
    const weft_value step = weft_build_state(b, "step", WEFT_F32, one, NULL);
    const weft_value ping = weft_build_state(b, "ping", WEFT_F32, one, (float[]) { 1 }), pong = weft_build_state(b, "pong", WEFT_F32, one, NULL);
    const weft_value last = weft_build_state(b, "last", WEFT_F32, many, NULL);
    const weft_value now = weft_build(b, "add", WEFT_IN(step, weft_build_scalar(b, 1)), { 0 });
    const weft_value apart = weft_build(b, "sub", WEFT_IN(p, x), { 0 }), slope = weft_build(b, "add", WEFT_IN(apart, apart), { 0 });
    weft_build_output(b, "loss", weft_build(b, "sum_square", WEFT_IN(apart), { 0 }));
    const weft_value made = weft_build(b, "adam", WEFT_IN(p, slope, m, v, weft_build_scalar(b, 0.125), now), { 0 });
    weft_build_next(b, p, made);
    weft_build_next(b, m, made + 1);
    weft_build_next(b, v, made + 2);
    weft_build_next(b, step, now);
    weft_build_next(b, ping, pong);
    weft_build_next(b, pong, ping);
    weft_build_next(b, last, x);
    return weft_builder_finish(&b, out);
}

typedef struct state_data { float x[STATE_NET], p[STATE_NET], loss, step, ping; } state_data;

// Seven steps in three calls, states set and read in between.
static inline weft_result state_run(weft_session *s, state_data *d)
{
    const weft_io in = { "x", d->x, sizeof d->x }, out = { "loss", &d->loss, sizeof d->loss };
    const float two = 2;
    for (int i = 0; i < STATE_NET; i++) d->x[i] = (float) i / 8;
    weft_result r = weft_session_set_state(s, NULL, NULL, 0);
    if (r == WEFT_OK) r = weft_session_run(s, &in, 1, NULL, 0);
    if (r == WEFT_OK) r = weft_session_set_state(s, "step", &two, sizeof two); // one ahead
    if (r == WEFT_OK) r = weft_session_repeat(s, 5);
    if (r == WEFT_OK) r = weft_session_run(s, &in, 1, &out, 1);
    if (r == WEFT_OK) r = weft_session_get_state(s, "p", d->p, sizeof d->p);
    if (r == WEFT_OK) r = weft_session_get_state(s, "step", &d->step, sizeof d->step);
    return r == WEFT_OK ? weft_session_get_state(s, "ping", &d->ping, sizeof d->ping) : r;
}

static inline weft_result state_reference(weft_context *ctx, const weft_model *model, state_data *d)
{
    weft_device *dev = NULL;
    weft_session *s = NULL;
    weft_result r = weft_device_open(ctx, &(weft_device_params) { .name = "reference" }, &dev);
    if (r == WEFT_OK) r = weft_session_create(dev, model, NULL, &s);
    if (r == WEFT_OK) r = state_run(s, d);
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    return r;
}

static inline bool state_equal(const state_data *got, const state_data *want)
{
    double d = 0, n = 1e-30;
    for (int i = 0; i < STATE_NET; i++) d += (double) (got->p[i] - want->p[i]) * (got->p[i] - want->p[i]), n += (double) want->p[i] * want->p[i];
    const double loss = (double) got->loss - want->loss;
    return d <= 1e-10 * n && loss * loss <= 1e-10 * want->loss * want->loss && got->step == 8 && want->step == 8 && got->ping == 0 && want->ping == 0;
}
