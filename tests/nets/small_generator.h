// SPDX-License-Identifier: MIT
// A generator of a few nodes with every entry of <weft/generate.h>, for tests of what is made from generators.
#pragma once
#include "base/random.h"
#include <stdbool.h>
#include <string.h>
#include <weft/build.h>
#include <weft/generate.h>

enum { GEN_Z = 8, GEN_W = 6, GEN_L = 4, GEN_SIZE = 16, GEN_S0 = 5, GEN_S1 = 3, GEN_PICTURE = 3 * GEN_SIZE * GEN_SIZE };

typedef struct generator_kind {
    int classes;
    bool no_mapping, no_average, no_noise, no_styles; // entries left out
    bool average_per_layer;
    const char *key, *value;                          // metadata besides
} generator_kind;

static inline weft_value generator_weight(weft_builder *b, const char *name, weft_shape shape, double scale) // 0: the one already there
{
    static float data[1024];
    weft_random r = { 7 };
    int64_t n = 1;
    for (int d = 0; d < shape.rank; d++) n *= shape.dim[d];
    for (const char *p = name; *p; p++) r.state = r.state * 31 + (unsigned char) *p;
    for (int i = 0; i < n && i < 1024; i++) data[i] = (float) weft_random_uniform(&r, -scale, scale);
    return weft_build_weight(b, name, WEFT_F32, shape, scale ? data : NULL);
}

static inline weft_value generator_reshape(weft_builder *b, weft_value x, int rank, const double *shape)
{
    weft_attr_arg a = { "shape", NULL, rank, { 0 } };
    memcpy(a.num, shape, sizeof *shape * (size_t) rank);
    return weft_build_op(b, "reshape", &x, 1, &a, 1);
}
#define GENERATOR_RESHAPE(b, x, rank, ...) generator_reshape(b, x, rank, (const double[]) { __VA_ARGS__ })

static inline void generator_styles(weft_builder *b, weft_value ws, bool first, weft_value s[2])
{
    const weft_value flat = GENERATOR_RESHAPE(b, ws, 2, 0, GEN_L * GEN_W);
    s[0] = weft_build(b, "linear", WEFT_IN(flat, generator_weight(b, "s0", (weft_shape) WEFT_SHAPE(GEN_S0, GEN_L * GEN_W), first ? 0.5 : 0)), { 0 });
    s[1] = weft_build(b, "linear", WEFT_IN(flat, generator_weight(b, "s1", (weft_shape) WEFT_SHAPE(GEN_S1, GEN_L * GEN_W), first ? 0.5 : 0)), { 0 });
}

static inline void generator_image(weft_builder *b, bool first, const weft_value s[2], weft_value small, weft_value large) // noise or WEFT_NONE
{
    const weft_value both = weft_build(b, "concat", WEFT_IN(s[0], s[1]), WEFT_NUM("axis", 1));
    const weft_value flat = weft_build(b, "linear", WEFT_IN(both, generator_weight(b, "const", (weft_shape) WEFT_SHAPE(3 * 16, GEN_S0 + GEN_S1), first ? 0.5 : 0)), { 0 });
    weft_value x = GENERATOR_RESHAPE(b, flat, 4, 0, 3, 4, 4);
    if (small != WEFT_NONE) x = weft_build_op(b, "add", (weft_value[]) { x, small }, 2, NULL, 0);
    x = weft_build(b, "resize", WEFT_IN(x), WEFT_NUM("size", GEN_SIZE, GEN_SIZE), WEFT_TEXT("mode", "bilinear"));
    x = weft_build(b, "conv2d", WEFT_IN(x, generator_weight(b, "conv", (weft_shape) WEFT_SHAPE(3, 3, 3, 3), first ? 0.4 : 0)), WEFT_NUM("pads", 1));
    if (large != WEFT_NONE) x = weft_build_op(b, "add", (weft_value[]) { x, large }, 2, NULL, 0);
    weft_build_output(b, "image", weft_build_op(b, "tanh", &x, 1, NULL, 0));
}

static inline weft_value generator_noise(weft_builder *b, int which, bool weight, bool first)
{
    const char *name = which ? "b16.noise_const" : "b4.noise_const";
    const weft_shape shape = { 2, { which ? 16 : 4, which ? 16 : 4 } };
    return weight ? generator_weight(b, name, shape, first ? 0.5 : 0) : weft_build_input(b, name, WEFT_F32, shape);
}

static inline void generator_synthesis(weft_builder *b, int64_t n, const char *entry)
{
    weft_value s[2], small = WEFT_NONE, large = WEFT_NONE;
    const bool first = !strcmp(entry, "synthesis");
    weft_build_entry(b, entry);
    const weft_value ws = weft_build_input(b, "ws", WEFT_F32, (weft_shape) WEFT_SHAPE(n, GEN_L, GEN_W));
    if (strcmp(entry, "synthesis_none")) {
        small = generator_noise(b, 0, first, first);
        large = generator_noise(b, 1, first, first);
    }
    generator_styles(b, ws, first, s);
    generator_image(b, first, s, small, large);
}

static inline void generator_mapping(weft_builder *b, int64_t n, int classes)
{
    weft_build_entry(b, "mapping");
    weft_value x = weft_build_input(b, "z", WEFT_F32, (weft_shape) WEFT_SHAPE(n, GEN_Z));
    if (classes) x = weft_build(b, "concat", WEFT_IN(x, weft_build_input(b, "c", WEFT_F32, (weft_shape) WEFT_SHAPE(n, classes))), WEFT_NUM("axis", 1));
    x = weft_build(b, "linear", WEFT_IN(x, generator_weight(b, "map", (weft_shape) WEFT_SHAPE(GEN_W, GEN_Z + classes), 0.7)), { 0 });
    x = weft_build_op(b, "leaky_relu", &x, 1, NULL, 0);
    x = GENERATOR_RESHAPE(b, x, 3, 0, 1, GEN_W);
    weft_build_output(b, "ws", weft_build(b, "tile", WEFT_IN(x), WEFT_NUM("repeats", 1, GEN_L, 1)));
}

static inline weft_result small_generator(weft_context *ctx, const generator_kind *k, weft_model **out)
{
    static const char *const numbers[] = { "generator.layers", "4", "generator.w", "6", "generator.z", "8", "generator.size", "16" };
    weft_builder *b;
    weft_value s[2];
    const weft_result r = weft_builder_create(ctx, &b);
    if (r != WEFT_OK) return r;
    weft_build_meta(b, "task", "generate");
    for (int i = 0; i < 8; i += 2)
        if (!k->no_mapping || i != 4) weft_build_meta(b, numbers[i], numbers[i + 1]);
    if (k->key) weft_build_meta(b, k->key, k->value);
    const int64_t n = weft_build_dim(b, "n", 1, 1);
    generator_synthesis(b, n, "synthesis");
    if (!k->no_noise) generator_synthesis(b, n, "synthesis_noise");
    if (!k->no_noise) generator_synthesis(b, n, "synthesis_none");
    if (!k->no_mapping) generator_mapping(b, n, k->classes);
    if (!k->no_average) {
        weft_build_entry(b, "average");
        const weft_value w = k->average_per_layer ? generator_weight(b, "w_avg", (weft_shape) WEFT_SHAPE(GEN_L, GEN_W), 1)
                                                  : generator_weight(b, "w_avg", (weft_shape) WEFT_SHAPE(GEN_W), 1);
        weft_build_output(b, "w_avg", w);
    }
    if (!k->no_styles) {
        weft_build_entry(b, "styles");
        generator_styles(b, weft_build_input(b, "ws", WEFT_F32, (weft_shape) WEFT_SHAPE(n, GEN_L, GEN_W)), false, s);
        weft_build_output(b, "b4.style", s[0]);
        weft_build_output(b, "b16.style", s[1]);
        weft_build_entry(b, "synthesis_styles");
        s[0] = weft_build_input(b, "b4.style", WEFT_F32, (weft_shape) WEFT_SHAPE(n, GEN_S0));
        s[1] = weft_build_input(b, "b16.style", WEFT_F32, (weft_shape) WEFT_SHAPE(n, GEN_S1));
        generator_image(b, false, s, generator_noise(b, 0, true, false), generator_noise(b, 1, true, false));
    }
    return weft_builder_finish(&b, out);
}
