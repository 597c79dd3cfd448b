// SPDX-License-Identifier: MIT
// A StyleGAN2 of few channels with random weights, of any size, and every entry of <weft/generate.h>: for tests of what is found by
// gradient descent, which wants a generator that behaves like one.
#pragma once
#include "base/random.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/build.h>

enum { SG_W = 32 };
typedef struct stylegan {
    weft_builder *b;
    int size, channels, classes;
    int layers;        // modulated convolutions that are not toRGB; ws has one more
    int64_t n;
    char made[128][48]; // names of weights that are there
    int made_count;
} stylegan;

static inline weft_value sg_numbers(stylegan *g, const char *name, weft_shape shape, const float *data)
{
    for (int i = 0; i < g->made_count; i++)
        if (!strcmp(g->made[i], name)) return weft_build_weight(g->b, name, WEFT_F32, shape, NULL);
    snprintf(g->made[g->made_count++ % 128], sizeof g->made[0], "%s", name);
    return weft_build_weight(g->b, name, WEFT_F32, shape, data);
}

static inline weft_value sg_weight(stylegan *g, const char *name, weft_shape shape, double scale)
{
    weft_random r = { 11 };
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    for (const char *p = name; *p; p++) r.state = r.state * 31 + (unsigned char) *p;
    float *data = malloc((size_t) count * sizeof *data);
    for (int64_t i = 0; data && i < count; i++) // normal enough
        data[i] = (float) (scale * (weft_random_uniform(&r, -1, 1) + weft_random_uniform(&r, -1, 1) + weft_random_uniform(&r, -1, 1)));
    const weft_value v = sg_numbers(g, name, shape, data);
    free(data);
    return v;
}

static inline const char *sg_name(int size, const char *layer, const char *what)
{
    static char text[16][64];
    static int turn;
    snprintf(text[turn = (turn + 1) % 16], sizeof text[0], "b%d.%s.%s", size, layer, what);
    return text[turn];
}

static inline weft_value sg_fir(stylegan *g)
{
    static const float tap[4] = { 1 / 8.f, 3 / 8.f, 3 / 8.f, 1 / 8.f };
    float f[16];
    for (int i = 0; i < 16; i++) f[i] = tap[i / 4] * tap[i % 4];
    return sg_numbers(g, "resample_filter", (weft_shape) WEFT_SHAPE(4, 4), f);
}

static inline weft_value sg_affine(stylegan *g, int size, const char *layer, weft_value ws, int index)
{
    const weft_value row = weft_build(g->b, "slice", WEFT_IN(ws), WEFT_NUM("starts", index), WEFT_NUM("ends", index + 1), WEFT_NUM("axes", 1));
    const weft_value w = weft_build(g->b, "reshape", WEFT_IN(row), WEFT_NUM("shape", 0, SG_W));
    float ones[64];
    for (int i = 0; i < 64; i++) ones[i] = 1;
    const weft_value bias = sg_numbers(g, sg_name(size, layer, "affine.bias"), (weft_shape) WEFT_SHAPE(g->channels), ones);
    return weft_build_op(g->b, "linear", (weft_value[]) { w, sg_weight(g, sg_name(size, layer, "affine.weight"), (weft_shape) WEFT_SHAPE(g->channels, SG_W), 0.2), bias }, 3, NULL, 0);
}

// noise: 'c' constant, 'i' an input that was made, 'n' none
static inline weft_value sg_layer(stylegan *g, int size, const char *layer, weft_value x, weft_value style, bool up, weft_value noise)
{
    const weft_value w = sg_weight(g, sg_name(size, layer, "weight"), (weft_shape) WEFT_SHAPE(g->channels, g->channels, 3, 3), 0.2);
    x = weft_build(g->b, "modulated_conv2d", WEFT_IN(x, w, style, up ? sg_fir(g) : WEFT_NONE), WEFT_NUM("up", up ? 2 : 1), WEFT_NUM("pad", 1), WEFT_NUM("flip_weight", !up));
    const float strength = 0.1f;
    const weft_value bias = sg_weight(g, sg_name(size, layer, "bias"), (weft_shape) WEFT_SHAPE(g->channels), 0.1);
    const weft_value by = noise == WEFT_NONE ? WEFT_NONE : sg_numbers(g, sg_name(size, layer, "noise_strength"), (weft_shape) { 0 }, &strength);
    if (noise != WEFT_NONE) noise = weft_build(g->b, "reshape", WEFT_IN(noise), WEFT_NUM("shape", 1, 1, size, size));
    return weft_build(g->b, "bias_act", WEFT_IN(x, bias, noise, by), WEFT_TEXT("act", "leaky_relu"), WEFT_NUM("a", 0.2), WEFT_NUM("gain", sqrt(2)));
}

static inline weft_value sg_rgb(stylegan *g, int size, weft_value x, weft_value style, weft_value image)
{
    const weft_value w = sg_weight(g, sg_name(size, "torgb", "weight"), (weft_shape) WEFT_SHAPE(3, g->channels, 1, 1), 0.04);
    const weft_value bias = sg_weight(g, sg_name(size, "torgb", "bias"), (weft_shape) WEFT_SHAPE(3), 0.05);
    weft_value y = weft_build(g->b, "modulated_conv2d", WEFT_IN(x, w, style), WEFT_NUM("demodulate", 0));
    y = weft_build_op(g->b, "bias_act", (weft_value[]) { y, bias }, 2, NULL, 0);
    if (image == WEFT_NONE) return y;
    const weft_value large = weft_build(g->b, "upfirdn2d", WEFT_IN(image, sg_fir(g)), WEFT_NUM("up", 2), WEFT_NUM("pads", 2, 2, 1, 1), WEFT_NUM("gain", 4));
    return weft_build_op(g->b, "add", (weft_value[]) { large, y }, 2, NULL, 0);
}

// What each modulated layer is called, in order; its size in *size. NULL past the end.
static inline const char *sg_layer_name(int size, int index, int *at)
{
    if (index < 2) return *at = 4, index ? "torgb" : "conv1";
    *at = 8 << (index - 2) / 3;
    static const char *const names[] = { "conv0", "conv1", "torgb" };
    return *at <= size ? names[(index - 2) % 3] : NULL;
}

enum { SG_STYLES = 32 };
static inline int sg_styles(stylegan *g, weft_value ws, weft_value *style)
{
    int size, count = 0, w = 0;
    for (const char *name; (name = sg_layer_name(g->size, count, &size)); count++) {
        style[count] = sg_affine(g, size, name, ws, w);
        if (name[0] == 'c') w++; // toRGB shares the w of the next convolution
    }
    return count;
}

static inline void sg_image(stylegan *g, const weft_value *style, char noise, weft_value *maps)
{
    weft_value image = WEFT_NONE;
    weft_value x = sg_weight(g, "b4.const", (weft_shape) WEFT_SHAPE(1, g->channels, 4, 4), 1);
    // One image of the batch each: zeros of the style's batch bring it to [n, c, 4, 4].
    weft_value zeros = weft_build(g->b, "affine", WEFT_IN(style[0]), WEFT_NUM("a", 0));
    zeros = weft_build(g->b, "reshape", WEFT_IN(zeros), WEFT_NUM("shape", 0, g->channels, 1, 1));
    x = weft_build_op(g->b, "add", (weft_value[]) { x, zeros }, 2, NULL, 0);
    int size, map = 0;
    const char *name;
    for (int i = 0; (name = sg_layer_name(g->size, i, &size)); i++) {
        if (name[0] == 't') {
            image = sg_rgb(g, size, x, style[i], image);
            continue;
        }
        weft_value m = noise == 'i' ? maps[map++] : WEFT_NONE;
        if (noise == 'c') m = sg_weight(g, sg_name(size, name, "noise_const"), (weft_shape) WEFT_SHAPE(size, size), 1);
        x = sg_layer(g, size, name, x, style[i], name[4] == '0', m);
    }
    weft_build_output(g->b, "image", image);
}

static inline void sg_synthesis(stylegan *g, const char *entry, char noise)
{
    weft_value style[SG_STYLES], maps[SG_STYLES];
    int size, count = 0;
    const char *name;
    weft_build_entry(g->b, entry);
    const weft_value ws = weft_build_input(g->b, "ws", WEFT_F32, (weft_shape) WEFT_SHAPE(g->n, g->layers, SG_W));
    for (int i = 0; noise == 'i' && (name = sg_layer_name(g->size, i, &size)); i++)
        if (name[0] == 'c') maps[count++] = weft_build_input(g->b, sg_name(size, name, "noise_const"), WEFT_F32, (weft_shape) WEFT_SHAPE(size, size));
    sg_styles(g, ws, style);
    sg_image(g, style, noise, maps);
}

static inline void sg_mapping(stylegan *g)
{
    weft_build_entry(g->b, "mapping");
    weft_value x = weft_build_input(g->b, "z", WEFT_F32, (weft_shape) WEFT_SHAPE(g->n, SG_W));
    if (g->classes) {
        const weft_value c = weft_build_input(g->b, "c", WEFT_F32, (weft_shape) WEFT_SHAPE(g->n, g->classes));
        x = weft_build_op(g->b, "add", (weft_value[]) { x, weft_build_op(g->b, "linear", (weft_value[]) { c, sg_weight(g, "embed", (weft_shape) WEFT_SHAPE(SG_W, g->classes), 1) }, 2, NULL, 0) }, 2, NULL, 0);
    }
    x = weft_build_op(g->b, "pixel_norm", &x, 1, NULL, 0);
    for (int i = 0; i < 2; i++) {
        char name[32];
        snprintf(name, sizeof name, "fc%d.weight", i);
        x = weft_build_op(g->b, "linear", (weft_value[]) { x, sg_weight(g, name, (weft_shape) WEFT_SHAPE(SG_W, SG_W), 1 / sqrt(SG_W)) }, 2, NULL, 0);
        x = weft_build(g->b, "bias_act", WEFT_IN(x), WEFT_TEXT("act", "leaky_relu"), WEFT_NUM("a", 0.2), WEFT_NUM("gain", sqrt(2)));
    }
    x = weft_build(g->b, "reshape", WEFT_IN(x), WEFT_NUM("shape", 0, 1, SG_W));
    weft_build_output(g->b, "ws", weft_build(g->b, "tile", WEFT_IN(x), WEFT_NUM("repeats", 1, g->layers, 1)));
}

// size: 8, 16, 32, ...
static inline weft_result small_stylegan(weft_context *ctx, int size, int channels, int classes, weft_model **out)
{
    stylegan g = { .size = size, .channels = channels, .classes = classes, .layers = 2 };
    weft_value style[SG_STYLES];
    int at, count = 0;
    const char *name;
    for (int s = 8; s <= size; s *= 2) g.layers += 2;
    const weft_result r = weft_builder_create(ctx, &g.b);
    if (r != WEFT_OK) return r;
    weft_build_meta(g.b, "task", "generate");
    g.n = weft_build_dim(g.b, "n", 1, 1);
    sg_synthesis(&g, "synthesis", 'c');
    sg_synthesis(&g, "synthesis_noise", 'i');
    sg_synthesis(&g, "synthesis_none", 'n');
    sg_mapping(&g);
    weft_build_entry(g.b, "styles");
    const int styles = sg_styles(&g, weft_build_input(g.b, "ws", WEFT_F32, (weft_shape) WEFT_SHAPE(g.n, g.layers, SG_W)), style);
    for (int i = 0; i < styles; i++) name = sg_layer_name(size, i, &at), weft_build_output(g.b, sg_name(at, name, "style"), style[i]);
    weft_build_entry(g.b, "synthesis_styles");
    for (; (name = sg_layer_name(size, count, &at)); count++)
        style[count] = weft_build_input(g.b, sg_name(at, name, "style"), WEFT_F32, (weft_shape) WEFT_SHAPE(g.n, channels));
    sg_image(&g, style, 'c', NULL);
    return weft_builder_finish(&g.b, out);
}
