// SPDX-License-Identifier: MIT
#include "import/generator.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void generator_layer(generator *g, const char *name, int ws, int64_t channels)
{
    if (g->modulated == GENERATOR_LAYERS) { net_fail(g->n, WEFT_ERR_UNSUPPORTED, "more than %d modulated layers", GENERATOR_LAYERS); return; }
    snprintf(g->layer[g->modulated].name, GENERATOR_NAME, "%s", name);
    g->layer[g->modulated].channels = channels;
    g->layer[g->modulated++].ws = ws;
}

void generator_map(generator *g, const char *name, int64_t size)
{
    if (g->maps == GENERATOR_LAYERS) { net_fail(g->n, WEFT_ERR_UNSUPPORTED, "more than %d noise maps", GENERATOR_LAYERS); return; }
    snprintf(g->map[g->maps].name, GENERATOR_NAME, "%s", name);
    g->map[g->maps++].size = size;
}

// --- Noise. -----------------------------------------------------------------------------------------------------

static double uniform(uint32_t seed, uint32_t i) // in (0, 1)
{
    uint32_t x = i * 0x9e3779b1u + seed;
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    x ^= x >> 16;
    return ((double) (x >> 8) + 0.5) * 0x1p-24;
}

// Some networks draw noise for every picture and store none. A model holds what it needs: normal numbers that follow from the map's name.
static weft_value fixed_noise(generator *g, int map)
{
    const int64_t size = g->map[map].size, count = size * size;
    const char *name = g->map[map].name;
    const weft_shape shape = WEFT_SHAPE(size, size);
    uint32_t seed = 0x811c9dc5u;
    if (g->n->failed) return WEFT_NONE;
    if (g->map[map].made) return weft_build_weight(g->n->b, name, WEFT_F32, shape, NULL);
    float *room = malloc((size_t) count * 4);
    if (!room) return net_fail(g->n, WEFT_ERR_MEMORY, "out of memory at noise '%s'", name), WEFT_NONE;
    for (const char *c = name; *c; c++) seed = (seed ^ (unsigned char) *c) * 0x01000193u;
    for (int64_t i = 0; i < count; i++)
        room[i] = (float) (sqrt(-2 * log(uniform(seed, (uint32_t) (2 * i)))) * cos(6.283185307179586 * uniform(seed, (uint32_t) (2 * i + 1))));
    const weft_value v = weft_build_weight(g->n->b, name, WEFT_F32, shape, room);
    g->map[map].made = true;
    free(room);
    return v;
}

// --- Entries. ---------------------------------------------------------------------------------------------------

enum noise_kind { NOISE_CONSTANT, NOISE_INPUT, NOISE_NONE };

static weft_value matrix_input(generator *g, const char *name, int64_t columns)
{
    return weft_build_input(g->n->b, name, WEFT_F32, (weft_shape) WEFT_SHAPE(dim(g->n, "n", 1, 1), columns));
}

static weft_value ws_input(generator *g)
{
    return weft_build_input(g->n->b, "ws", WEFT_F32, (weft_shape) WEFT_SHAPE(dim(g->n, "n", 1, 1), g->layers, g->w));
}

static void styles_of_ws(generator *g, weft_value ws, weft_value *styles)
{
    net *n = g->n;
    weft_value w[GENERATOR_LAYERS];
    int cut = 0;
    for (int i = 0; i < g->modulated; i++)
        for (; cut <= g->layer[i].ws; cut++)
            w[cut] = SHAPED(n, part(n, ws, 1, cut, cut + 1), 0, -1);
    for (int i = 0; i < g->modulated; i++) styles[i] = g->style(g, i, w[g->layer[i].ws]);
}

static weft_value image_of(generator *g, const weft_value *styles, enum noise_kind kind)
{
    weft_value maps[GENERATOR_LAYERS];
    for (int i = 0; i < g->maps && kind != NOISE_NONE; i++) {
        const weft_shape shape = WEFT_SHAPE(g->map[i].size, g->map[i].size);
        maps[i] = kind == NOISE_INPUT ? weft_build_input(g->n->b, g->map[i].name, WEFT_F32, shape) : g->noise ? g->noise(g, i) : fixed_noise(g, i);
        maps[i] = SHAPED(g->n, maps[i], 1, 1, (int) g->map[i].size, (int) g->map[i].size);
    }
    return g->synthesis(g, styles, kind == NOISE_NONE ? NULL : maps);
}

static void synthesis_entry(generator *g, const char *name, enum noise_kind kind)
{
    weft_value styles[GENERATOR_LAYERS];
    entry(g->n, name);
    styles_of_ws(g, ws_input(g), styles);
    output(g->n, "image", image_of(g, styles, kind));
}

static weft_value mapped(generator *g)
{
    const weft_value z = g->z ? matrix_input(g, "z", g->z) : WEFT_NONE;
    return g->mapping(g, z, g->classes ? matrix_input(g, "c", g->classes) : WEFT_NONE);
}

static void mapping_entry(generator *g)
{
    net *n = g->n;
    entry(n, "mapping");
    const weft_value w = SHAPED(n, mapped(g), 0, 1, -1);
    output(n, "ws", OPA(n, "expand", w, WEFT_NUM("shape", -1, (double) g->layers, -1)));
}

static void generate_entry(generator *g)
{
    weft_value styles[GENERATOR_LAYERS];
    entry(g->n, "generate");
    const weft_value every = mapped(g);
    for (int i = 0; i < g->modulated; i++) styles[i] = g->style(g, i, every);
    output(g->n, "image", image_of(g, styles, NOISE_CONSTANT));
}

static void style_entries(generator *g)
{
    net *n = g->n;
    weft_value styles[GENERATOR_LAYERS];
    entry(n, "styles");
    styles_of_ws(g, ws_input(g), styles);
    for (int i = 0; i < g->modulated; i++) output(n, path(n, "%s.style", g->layer[i].name), styles[i]);
    entry(n, "synthesis_styles");
    for (int i = 0; i < g->modulated; i++) styles[i] = matrix_input(g, path(n, "%s.style", g->layer[i].name), g->layer[i].channels);
    output(n, "image", image_of(g, styles, NOISE_CONSTANT));
}

static void describe(generator *g)
{
    const struct { const char *key; int64_t value; } facts[] = {
        { "generator.layers", g->layers }, { "generator.w", g->w }, { "generator.z", g->z }, { "generator.classes", g->classes }, { "generator.size", g->size },
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) weft_build_meta(g->n->b, facts[i].key, path(g->n, "%lld", (long long) facts[i].value));
}

void generator_build(generator *g)
{
    net *n = g->n;
    describe(g);
    synthesis_entry(g, "synthesis", NOISE_CONSTANT);
    synthesis_entry(g, "synthesis_noise", NOISE_INPUT);
    synthesis_entry(g, "synthesis_none", NOISE_NONE);
    if (g->mapping) mapping_entry(g);
    if (g->average) {
        entry(n, "average");
        output(n, "w_avg", g->average(g));
    }
    if (g->has_styles) style_entries(g);
    if (g->discriminator) {
        entry(n, "discriminator");
        const weft_value image = input(n, "image", dim(n, "n", 1, 1), g->colours, g->size, g->size);
        output(n, "logits", g->discriminator(g, image, g->discriminator_classes ? matrix_input(g, "c", g->discriminator_classes) : WEFT_NONE));
    }
    if (g->mapping) generate_entry(g);
}

// --- Layers. ----------------------------------------------------------------------------------------------------

weft_value shaped(net *n, weft_value x, int rank, const double *shape)
{
    weft_attr_arg a = { .name = "shape", .count = rank };
    memcpy(a.num, shape, sizeof *shape * (size_t) rank);
    return op(n, "reshape", &x, 1, &a, 1);
}

weft_value whole(net *n, const char *name)
{
    weft_shape s = { .rank = rank_of(n, name) };
    for (int i = 0; i < s.rank && i < WEFT_MAX_RANK; i++) s.dim[i] = length(n, name, i);
    return weight(n, name, s);
}

weft_value batch_of(net *n, weft_value one, weft_value like)
{
    return OP2(n, "expand", one, SHAPED(n, part(n, like, 1, 0, 1), 0, 1, 1, 1));
}

weft_value scaled_linear(net *n, const char *w, const char *b, weft_value x, linear_gains gain)
{
    const double root = gain.act ? sqrt(2) : 1; // before the activation it does the same, and becomes part of the weights
    const weft_value y = op(n, "linear", (weft_value[]) { x, scaled(n, whole(n, w), gain.weight * root), scaled(n, whole(n, b), gain.bias * root) }, 3, NULL, 0);
    return gain.act ? leaky_relu(n, y, 0.2) : y;
}

weft_value fir(net *n, const char *name)
{
    const weft_value f = whole(n, name);
    if (rank_of(n, name) != 1) return f;
    return mul(n, SHAPED(n, f, -1, 1), SHAPED(n, f, 1, -1));
}

static int64_t half_down(int64_t i) { return (i - (i < 0)) / 2; }

weft_value resampled(net *n, weft_value x, const char *name, int how, int pad, double gain)
{
    double pads[4];
    for (int d = 0; d < 2; d++) {
        const int64_t f = length(n, name, rank_of(n, name) == 1 ? 0 : d);
        pads[d] = (double) (half_down(how == UP ? f + 1 : f - 1) + pad);
        pads[2 + d] = (double) (half_down(f - 2) + pad);
    }
    return op(n, "upfirdn2d", (weft_value[]) { x, fir(n, name) }, 2,
              (const weft_attr_arg[]) { WEFT_NUM("up", how == UP ? 2 : 1), WEFT_NUM("down", how == DOWN ? 2 : 1), WEFT_NUM("pads", pads[0], pads[1], pads[2], pads[3]),
                                        WEFT_NUM("gain", gain) }, 4);
}

// --- Layers of the first StyleGAN. -------------------------------------------------------------------------------

weft_value doubled_conv(net *n, weft_value x, weft_value w, weft_value bias, bool fused, double gain)
{
    if (!fused) return op(n, "conv2d", (weft_value[]) { up2(n, x), w, bias }, bias >= 0 ? 3 : 2, (const weft_attr_arg[]) { WEFT_NUM("pads", 1) }, 1);
    weft_value sum = WEFT_NONE;
    for (int k = 0; k < 4; k++) {
        const double y = k / 2, z = k % 2;
        const weft_value moved = OPA(n, "pad", w, WEFT_NUM("before", y, z), WEFT_NUM("after", 1 - y, 1 - z));
        sum = k ? add(n, sum, moved) : moved;
    }
    return op(n, "conv_transpose2d", (weft_value[]) { x, gain == 1 ? sum : scaled(n, sum, gain), bias }, bias >= 0 ? 3 : 2,
              (const weft_attr_arg[]) { WEFT_NUM("stride", 2), WEFT_NUM("pads", 1) }, 2);
}

weft_value style_epilogue(net *n, weft_value x, weft_value noise, weft_value strength, weft_value style, double one)
{
    // Stretched over the batch first: the product of two constants would be stored as one, as large as the activations.
    if (noise >= 0) x = add(n, x, mul(n, batch_of(n, noise, style), strength));
    x = OP1(n, "instance_norm", leaky_relu(n, x, 0.2));
    const weft_value s = SHAPED(n, style, 0, 2, -1, 1, 1);
    weft_value scale = SHAPED(n, part(n, s, 1, 0, 1), 0, -1, 1, 1);
    const weft_value shift = SHAPED(n, part(n, s, 1, 1, 2), 0, -1, 1, 1);
    if (one != 0) scale = OPA(n, "affine", scale, WEFT_NUM("b", one));
    return add(n, mul(n, x, scale), shift);
}
