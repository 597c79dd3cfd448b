// SPDX-License-Identifier: MIT
// StyleGAN under the names of lernapparat's PyTorch program, to which the published TensorFlow weights are converted: g_mapping.*,
// g_synthesis.blocks.<size>x<size>.*. Karras et al., A Style-Based Generator Architecture for Generative Adversarial Networks, 2019.
#include "import/generator.h"
#include <math.h>
#include <string.h>

static const char *at(net *n, int64_t size, const char *tensor) { return path(n, "g_synthesis.blocks.%dx%d.%s", (int) size, (int) size, tensor); }

static weft_value mapping(generator *g, weft_value z, weft_value c)
{
    net *n = g->n;
    const double rate = setting(n, "lr_mul");
    weft_value x = OP1(n, "pixel_norm", z);
    (void) c;
    for (int i = 0; has(n, path(n, "g_mapping.dense%d.weight", i)); i++) {
        const char *w = path(n, "g_mapping.dense%d.weight", i), *b = path(n, "g_mapping.dense%d.bias", i);
        const double gain = sqrt(2 / (double) length(n, w, 1)) * rate;
        weft_build_name(n->b, path(n, "g_mapping.dense%d", i));
        x = leaky_relu(n, scaled_linear(n, w, b, x, (linear_gains) { gain, rate, false }), 0.2);
    }
    return x;
}

static weft_value average(generator *g) { return OP1(g->n, "identity", SHAPED(g->n, whole(g->n, "truncation.avg_latent"), -1)); }

static weft_value style(generator *g, int layer, weft_value w)
{
    net *n = g->n;
    const char *name = g->layer[layer].name, *weight_name = path(n, "g_synthesis.%s.style_mod.lin.weight", name);
    weft_build_name(n->b, path(n, "g_synthesis.%s.style_mod", name));
    return scaled_linear(n, weight_name, path(n, "g_synthesis.%s.style_mod.lin.bias", name), w, (linear_gains) { 1 / sqrt((double) length(n, weight_name, 1)), 1, false });
}

static weft_value plain_conv(net *n, const char *name, weft_value x, double gain)
{
    const char *w = path(n, "%s.weight", name);
    const int64_t k = length(n, w, 2);
    const weft_value scaled_weight = scaled(n, whole(n, w), gain / sqrt((double) (length(n, w, 1) * k * k)));
    weft_build_name(n->b, name);
    return op(n, "conv2d", (weft_value[]) { x, scaled_weight, whole(n, path(n, "%s.bias", name)) }, 3, (const weft_attr_arg[]) { WEFT_NUM("pads", (double) (k / 2)) }, 1);
}

static weft_value upward_conv(net *n, const char *name, weft_value x, int64_t size)
{
    const char *w = path(n, "%s.weight", name);
    const bool fused = (double) size >= setting(n, "fused_from"); // doubling and convolution are one step then, with another border
    weft_value v = scaled(n, whole(n, w), sqrt(2 / (double) (length(n, w, 1) * 9)));
    weft_build_name(n->b, name);
    if (fused) v = OPA(n, "transpose", v, WEFT_NUM("perm", 1, 0, 2, 3));
    x = doubled_conv(n, x, v, WEFT_NONE, fused, 1);
    const weft_value f = SHAPED(n, whole(n, path(n, "%s.intermediate.kernel", name)), 3, 3);
    x = op(n, "upfirdn2d", (weft_value[]) { x, f }, 2, (const weft_attr_arg[]) { WEFT_NUM("pads", 1), WEFT_NUM("flip", 1) }, 2);
    return add(n, x, SHAPED(n, whole(n, path(n, "%s.bias", name)), 1, -1, 1, 1));
}

static weft_value epilogue(generator *g, int layer, weft_value x, const weft_value *styles, const weft_value *noise)
{
    net *n = g->n;
    const char *strength = path(n, "g_synthesis.%s.top_epi.noise.weight", g->layer[layer].name);
    const weft_value by = noise ? SHAPED(n, whole(n, strength), 1, -1, 1, 1) : WEFT_NONE;
    weft_build_name(n->b, path(n, "g_synthesis.%s", g->layer[layer].name));
    return style_epilogue(n, x, noise ? noise[layer] : WEFT_NONE, by, styles[layer], 1);
}

static weft_value synthesis(generator *g, const weft_value *styles, const weft_value *noise)
{
    net *n = g->n;
    const double c = (double) length(n, at(n, 4, "const"), 1);
    weft_value x = batch_of(n, SHAPED(n, whole(n, at(n, 4, "const")), 1, c, 4, 4), styles[0]);
    x = add(n, x, SHAPED(n, whole(n, at(n, 4, "bias")), 1, -1, 1, 1));
    int layer = 0;
    for (int64_t size = 4; size <= g->size && !n->failed; size *= 2) {
        if (size > 4) x = upward_conv(n, at(n, size, "conv0_up"), x, size);
        x = epilogue(g, layer++, x, styles, noise);
        x = plain_conv(n, at(n, size, size > 4 ? "conv1" : "conv"), x, sqrt(2));
        x = epilogue(g, layer++, x, styles, noise);
    }
    return plain_conv(n, "g_synthesis.torgb", x, 1);
}

static void find_layers(generator *g)
{
    net *n = g->n;
    for (int64_t size = 4; has(n, at(n, size, "epi1.style_mod.lin.weight")); size *= 2) {
        g->size = size;
        for (int k = 1; k < 3; k++) {
            const char *name = path(n, "blocks.%dx%d.epi%d", (int) size, (int) size, k);
            generator_layer(g, name, g->modulated, length(n, path(n, "g_synthesis.%s.style_mod.lin.weight", name), 0));
            generator_map(g, path(n, "%s.noise", name), size);
        }
    }
    g->w = length(n, at(n, 4, "epi1.style_mod.lin.weight"), 1);
    g->layers = (int64_t) setting(n, "layers");
    if (!g->layers) g->layers = g->modulated;
    if (g->layers < g->modulated || g->layers > 1024) net_fail(n, WEFT_ERR_ARGUMENT, "this network wants %d latents or more, not %lld", g->modulated, (long long) g->layers);
}

static void build(net *n)
{
    generator g = { .n = n, .style = style, .synthesis = synthesis };
    find_layers(&g);
    if (has(n, "g_mapping.dense0.weight")) g.mapping = mapping, g.z = length(n, "g_mapping.dense0.weight", 1);
    if (has(n, "truncation.avg_latent")) g.average = average;
    generator_build(&g);
}

const arch arch_stylegan1 = {
    .name = "stylegan1", .doc = "StyleGAN with names g_mapping, g_synthesis; noise, which is not stored, is made (Karras et al. 2019)",
    .probe = "g_synthesis.blocks.4x4.const", .settings = "fused_from=128 lr_mul=0.01 layers=0",
    .meta = (const char *const[]) { "task", "generate", "image.range", "-1..1", NULL }, .build = build,
};
