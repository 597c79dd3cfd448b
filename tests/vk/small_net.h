// SPDX-License-Identifier: MIT
// A small network for tests of the runtime: two branches, norms, weights of every kind, a reshape, two outputs.
#pragma once
#include <stdlib.h>
#include <string.h>
#include <weft/build.h>
#include <weft/session.h>

enum { NET_C = 6, NET_H = 14, NET_W = 11, NET_COUNT = NET_C * NET_H * NET_W };

static weft_result small_net(weft_context *ctx, weft_model **out)
{
    weft_builder *b;
    float scale[NET_C], grid[NET_H * NET_W];
    for (int i = 0; i < NET_C; i++) scale[i] = 0.5f + 0.125f * (float) i;
    for (int i = 0; i < NET_H * NET_W; i++) grid[i] = (float) (i % 7) * 0.25f - 0.5f;
    const weft_result r = weft_builder_create(ctx, &b);
    if (r != WEFT_OK) return r;
    weft_build_entry(b, "main");
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, NET_C, NET_H, NET_W));
    const weft_value m = weft_build_input(b, "m", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 1, NET_H, NET_W));
    const weft_value s = weft_build_weight(b, "scale", WEFT_F32, (weft_shape) WEFT_SHAPE(NET_C, 1, 1), scale);
    const weft_value t = weft_build_weight(b, "grid", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 1, NET_H, NET_W), grid);
    weft_build_name(b, "masked");
    const weft_value a = weft_build(b, "mul", WEFT_IN(x, m), { 0 });
    weft_build_name(b, "scaled");
    const weft_value c = weft_build(b, "mul", WEFT_IN(a, s), { 0 });
    weft_build_name(b, "norm");
    const weft_value d = weft_build(b, "instance_norm", WEFT_IN(c), { 0 });
    weft_build_name(b, "curve");
    const weft_value e = weft_build(b, "tanh", WEFT_IN(d), { 0 });
    weft_build_name(b, "branch");
    const weft_value f = weft_build(b, "add", WEFT_IN(e, t), { 0 });
    weft_build_name(b, "sum");
    const weft_value g = weft_build(b, "sub", WEFT_IN(f, a), { 0 });
    weft_build_name(b, "flat");
    const weft_value h = weft_build(b, "reshape", WEFT_IN(g), WEFT_NUM("shape", NET_C, -1));
    weft_build_name(b, "soft");
    const weft_value y = weft_build(b, "softmax", WEFT_IN(h), { 0 });
    weft_build_output(b, "y", y);
    weft_build_output(b, "f", f);
    return weft_builder_finish(&b, out);
}

typedef struct net_data {
    float x[NET_COUNT], m[NET_H * NET_W], y[NET_COUNT], f[NET_COUNT];
} net_data;

static void net_fill(net_data *d)
{
    for (int i = 0; i < NET_COUNT; i++) d->x[i] = (float) ((i * 37) % 101) / 64.0f - 0.75f;
    for (int i = 0; i < NET_H * NET_W; i++) d->m[i] = i % 5 ? 1.0f : 0.0f;
    memset(d->y, 0xcd, sizeof d->y);
    memset(d->f, 0xcd, sizeof d->f);
}

static weft_result net_run(weft_session *s, net_data *d)
{
    const weft_io in[] = { { "x", d->x, sizeof d->x }, { "m", d->m, sizeof d->m } };
    const weft_io out[] = { { "y", d->y, sizeof d->y }, { "f", d->f, sizeof d->f } };
    return weft_session_run(s, in, 2, out, 2);
}

// What the reference gives, at once.
static weft_result net_reference(weft_context *ctx, const weft_model *model, net_data *d)
{
    weft_device *dev = NULL;
    weft_session *s = NULL;
    net_fill(d);
    weft_result r = weft_device_open(ctx, &(weft_device_params) { .name = "reference" }, &dev);
    if (r == WEFT_OK) r = weft_session_create(dev, model, NULL, &s);
    if (r == WEFT_OK) r = net_run(s, d);
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    return r;
}

static inline weft_result net_learn(weft_context *ctx, net_data *d) // of the model itself
{
    weft_model *model = NULL;
    weft_result r = small_net(ctx, &model);
    if (r == WEFT_OK) r = net_reference(ctx, model, d);
    weft_model_destroy(&model);
    return r;
}

static double net_difference(const float *a, const float *b)
{
    double d = 0, n = 1e-30;
    for (int i = 0; i < NET_COUNT; i++) d += (double) (a[i] - b[i]) * (a[i] - b[i]), n += (double) b[i] * b[i];
    return d == d ? d / n : 1e30; // squared norms
}
static int net_equal(const net_data *got, const net_data *want, double tolerance)
{
    return net_difference(got->y, want->y) <= tolerance * tolerance && net_difference(got->f, want->f) <= tolerance * tolerance;
}
