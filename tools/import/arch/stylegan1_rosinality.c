// SPDX-License-Identifier: MIT
// StyleGAN under the names of rosinality's PyTorch program, style-based-gan-pytorch: style.*, generator.progression.*. It grows: a file
// holds an image layer for every size, and `--set size=` says which is meant. Karras et al., A Style-Based Generator Architecture for
// Generative Adversarial Networks, 2019.
#include "import/generator.h"
#include <math.h>

static double equalised(net *n, const char *name) // what its weights are multiplied with
{
    double in = 1;
    for (int d = 1; d < rank_of(n, name); d++) in *= (double) length(n, name, d);
    return sqrt(2 / in);
}

static weft_value mapping(generator *g, weft_value z, weft_value c)
{
    net *n = g->n;
    weft_value x = OP1(n, "pixel_norm", z);
    (void) c;
    for (int i = 1; has(n, path(n, "style.%d.linear.weight_orig", i)); i += 2) {
        const char *w = path(n, "style.%d.linear.weight_orig", i);
        weft_build_name(n->b, path(n, "style.%d", i));
        x = leaky_relu(n, scaled_linear(n, w, path(n, "style.%d.linear.bias", i), x, (linear_gains) { equalised(n, w), 1, false }), 0.2);
    }
    return x;
}

static weft_value style(generator *g, int layer, weft_value w)
{
    net *n = g->n;
    const char *name = g->layer[layer].name, *weight_name = path(n, "%s.style.linear.weight_orig", name);
    weft_build_name(n->b, name);
    return scaled_linear(n, weight_name, path(n, "%s.style.linear.bias", name), w, (linear_gains) { equalised(n, weight_name), 1, false });
}

static weft_value plain_conv(net *n, const char *name, weft_value x, bool twice)
{
    const char *w = path(n, "%s.conv.weight_orig", name);
    const weft_value v = scaled(n, whole(n, w), equalised(n, w)), b = whole(n, path(n, "%s.conv.bias", name));
    weft_build_name(n->b, name);
    if (twice) return doubled_conv(n, x, v, b, false, 1);
    return op(n, "conv2d", (weft_value[]) { x, v, b }, 3, (const weft_attr_arg[]) { WEFT_NUM("pads", (double) (length(n, w, 2) / 2)) }, 1);
}

static weft_value fused_conv(net *n, const char *name, weft_value x) // stored as [ci, co, 3, 3]
{
    const char *w = path(n, "%s.weight", name);
    const weft_value v = scaled(n, whole(n, w), sqrt(2 / ((double) length(n, w, 0) * 9))), b = whole(n, path(n, "%s.bias", name));
    weft_build_name(n->b, name);
    return doubled_conv(n, x, v, b, true, 0.25);
}

static weft_value blur(net *n, const char *name, weft_value x)
{
    const char *w = path(n, "%s.weight", name);
    const weft_value v = whole(n, w);
    ignore(n, path(n, "%s.weight_flip", name));
    weft_build_name(n->b, name);
    return op(n, "conv2d", (weft_value[]) { x, v }, 2, (const weft_attr_arg[]) { WEFT_NUM("pads", 1), WEFT_NUM("groups", (double) length(n, w, 0)) }, 2);
}

static weft_value epilogue(generator *g, int layer, weft_value x, const weft_value *styles, const weft_value *noise)
{
    net *n = g->n;
    const char *strength = path(n, "generator.progression.%d.noise%d.weight_orig", layer / 2, layer % 2 + 1);
    const weft_value by = noise ? scaled(n, whole(n, strength), equalised(n, strength)) : WEFT_NONE;
    weft_build_name(n->b, g->layer[layer].name);
    return style_epilogue(n, x, noise ? noise[layer / 2] : WEFT_NONE, by, styles[layer], 0); // a block's layers share the noise
}

static weft_value synthesis(generator *g, const weft_value *styles, const weft_value *noise)
{
    net *n = g->n;
    weft_value x = WEFT_NONE;
    for (int i = 0; i < g->maps && !n->failed; i++) {
        const char *block = path(n, "generator.progression.%d", i), *first = path(n, "%s.conv1", block);
        if (i == 0) {
            const double c = (double) length(n, path(n, "%s.input", first), 1);
            x = batch_of(n, SHAPED(n, whole(n, path(n, "%s.input", first)), 1, c, 4, 4), styles[0]);
        } else if (has(n, path(n, "%s.0.weight", first))) x = blur(n, path(n, "%s.1", first), fused_conv(n, path(n, "%s.0", first), x));
        else x = blur(n, path(n, "%s.2", first), plain_conv(n, path(n, "%s.1", first), x, true));
        x = epilogue(g, 2 * i, x, styles, noise);
        x = epilogue(g, 2 * i + 1, plain_conv(n, path(n, "%s.conv2", block), x, false), styles, noise);
    }
    return plain_conv(n, path(n, "generator.to_rgb.%d", g->maps - 1), x, false);
}

static void find_layers(generator *g)
{
    net *n = g->n;
    const double wanted = setting(n, "size");
    int64_t size = 4;
    for (int i = 0; has(n, path(n, "generator.progression.%d.adain1.style.linear.weight_orig", i)); i++, size *= 2) {
        if (wanted > 0 && (double) size > wanted) break;
        g->size = size;
        generator_map(g, path(n, "noise_%d", i), size);
        for (int k = 1; k < 3; k++) {
            const char *name = path(n, "generator.progression.%d.adain%d", i, k);
            generator_layer(g, name, g->modulated, length(n, path(n, "%s.style.linear.weight_orig", name), 0));
        }
    }
    if (wanted > 0 && (double) g->size != wanted) net_fail(n, WEFT_ERR_ARGUMENT, "this network makes no pictures of %g pixels; %lld is the nearest below", wanted, (long long) g->size);
    g->w = length(n, "generator.progression.0.adain1.style.linear.weight_orig", 1);
    g->layers = g->modulated;
}

static void build(net *n)
{
    generator g = { .n = n, .style = style, .synthesis = synthesis };
    find_layers(&g);
    if (has(n, "style.1.linear.weight_orig")) g.mapping = mapping, g.z = length(n, "style.1.linear.weight_orig", 1);
    generator_build(&g);
    ignore_all(n, "generator.to_rgb."); // of the other sizes
    ignore_all(n, "generator.progression.");
}

const arch arch_stylegan1_rosinality = {
    .name = "stylegan1-rosinality", .doc = "StyleGAN as in style-based-gan-pytorch; noise, which is not stored, is made (Karras et al. 2019)",
    .probe = "generator.progression.0.conv1.input", .settings = "size=0",
    .meta = (const char *const[]) { "task", "generate", "image.range", "-1..1", NULL }, .build = build,
};
