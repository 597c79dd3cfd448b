// SPDX-License-Identifier: MIT
// StyleGAN2 under the names of its PyTorch programs: mapping.*, synthesis.b<size>.*, and a discriminator's b<size>.* where the file has one.
// Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020; Training Generative Adversarial Networks with Limited
// Data, 2020. Which of the paper's forms a network has - skip, residual, neither - shows in its tensors.
#include "import/generator.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct ada {
    generator g;
    double clamp, rate;   // of activations, 0: none; of the mapping's learning
    char judge[NET_PATH]; // prefix of the discriminator's tensors
} ada;

static weft_value fc(net *n, const char *name, weft_value x, double rate, bool act)
{
    const double in = (double) length(n, path(n, "%s.weight", name), 1);
    weft_build_name(n->b, name);
    return scaled_linear(n, path(n, "%s.weight", name), path(n, "%s.bias", name), x, (linear_gains) { rate / sqrt(in), rate, act });
}

// The layers of a mapping network under `under` ("mapping." in both networks).
static weft_value map(ada *a, weft_value z, weft_value c)
{
    net *n = a->g.n;
    weft_value x = z >= 0 ? OP1(n, "pixel_norm", z) : WEFT_NONE;
    if (c >= 0) {
        const weft_value y = OP1(n, "pixel_norm", fc(n, "mapping.embed", c, 1, false));
        x = x >= 0 ? cat(n, x, y) : y;
    }
    for (int i = 0; has(n, path(n, "mapping.fc%d.weight", i)); i++) x = fc(n, path(n, "mapping.fc%d", i), x, a->rate, true);
    return x;
}

static weft_value mapping(generator *g, weft_value z, weft_value c) { return map((ada *) g, z, c); }

static weft_value average(generator *g) { return OP1(g->n, "identity", whole(g->n, "mapping.w_avg")); }

// --- Synthesis. -------------------------------------------------------------------------------------------------

static const char *at(net *n, const char *layer, const char *tensor) { return path(n, "synthesis.%s.%s", layer, tensor); }

static weft_value style(generator *g, int layer, weft_value w)
{
    return fc(g->n, at(g->n, g->layer[layer].name, "affine"), w, 1, false);
}

static weft_value noise_constant(generator *g, int map) { return whole(g->n, path(g->n, "synthesis.%s", g->map[map].name)); }

// What a block has in common with the next: how many layers and maps are used up.
typedef struct place { const weft_value *style, *noise; int layer, map; } place;

static weft_value activated(const ada *a, weft_value x, weft_value b, weft_value noise, weft_value strength, bool act, double gain)
{
    const double all = act ? sqrt(2) * gain : gain;
    return op(a->g.n, "bias_act", (weft_value[]) { x, b, noise, strength }, noise >= 0 ? 4 : b >= 0 ? 2 : 1,
              (const weft_attr_arg[]) { WEFT_NUM("gain", all), WEFT_NUM("clamp", a->clamp * gain), WEFT_TEXT("act", act ? "leaky_relu" : "none"), WEFT_NUM("a", 0.2) }, 4);
}

static weft_value layer(ada *a, place *p, weft_value x, bool up, double gain)
{
    net *n = a->g.n;
    const char *name = a->g.layer[p->layer].name;
    const bool has_noise = has(n, at(n, name, "noise_const"));
    const weft_value w = whole(n, at(n, name, "weight")), f = up ? fir(n, at(n, name, "resample_filter")) : WEFT_NONE;
    const int64_t pad = length(n, at(n, name, "weight"), 2) / 2;
    ignore(n, at(n, name, "resample_filter"));
    weft_build_name(n->b, at(n, name, "conv"));
    x = op(n, "modulated_conv2d", (weft_value[]) { x, w, p->style[p->layer++], f }, up ? 4 : 3,
           (const weft_attr_arg[]) { WEFT_NUM("up", up ? 2 : 1), WEFT_NUM("pad", (double) pad), WEFT_NUM("flip_weight", !up) }, 3);
    const weft_value b = whole(n, at(n, name, "bias")), noise = has_noise && p->noise ? p->noise[p->map] : WEFT_NONE;
    const weft_value strength = noise >= 0 ? whole(n, at(n, name, "noise_strength")) : WEFT_NONE;
    p->map += has_noise;
    return activated(a, x, b, noise, strength, true, gain);
}

static weft_value to_rgb(ada *a, place *p, weft_value x)
{
    net *n = a->g.n;
    const char *name = a->g.layer[p->layer].name;
    const double in = (double) length(n, at(n, name, "weight"), 1);
    weft_build_name(n->b, at(n, name, "conv"));
    x = op(n, "modulated_conv2d", (weft_value[]) { x, whole(n, at(n, name, "weight")), p->style[p->layer++] }, 3,
           (const weft_attr_arg[]) { WEFT_NUM("demodulate", 0), WEFT_NUM("gain", 1 / sqrt(in)), WEFT_NUM("pad", (double) (length(n, at(n, name, "weight"), 2) / 2)) }, 3);
    return activated(a, x, whole(n, at(n, name, "bias")), WEFT_NONE, WEFT_NONE, false, 1);
}

// A residual branch: a 1x1 convolution, and its picture doubled.
static weft_value side(ada *a, const char *block, weft_value x)
{
    net *n = a->g.n;
    const double in = (double) length(n, path(n, "%s.skip.weight", block), 1);
    const weft_value w = scaled(n, whole(n, path(n, "%s.skip.weight", block)), 1 / sqrt(in));
    weft_build_name(n->b, path(n, "%s.skip", block));
    return resampled(n, OP2(n, "conv2d", x, w), path(n, "%s.skip.resample_filter", block), UP, 0, 4 * sqrt(0.5));
}

static weft_value synthesis(generator *g, const weft_value *styles, const weft_value *noise)
{
    ada *a = (ada *) g;
    net *n = g->n;
    place p = { styles, noise, 0, 0 };
    weft_value x = WEFT_NONE, image = WEFT_NONE;
    for (int64_t size = 4; size <= g->size && !n->failed; size *= 2) {
        const char *block = path(n, "synthesis.b%d", (int) size), *rgb = path(n, "%s.torgb.weight", block), *filter = path(n, "%s.resample_filter", block);
        const bool residual = has(n, path(n, "%s.skip.weight", block));
        const weft_value before = x;
        if (size == 4) x = batch_of(n, SHAPED(n, whole(n, "synthesis.b4.const"), 1, -1, 4, 4), styles[0]);
        else x = layer(a, &p, x, true, 1);
        x = layer(a, &p, x, false, residual ? sqrt(0.5) : 1);
        if (residual) x = add(n, side(a, block, before), x);
        weft_build_name(n->b, block);
        if (image >= 0) image = resampled(n, image, filter, UP, 0, 4);
        ignore(n, filter);
        if (!has(n, rgb)) continue;
        const weft_value y = to_rgb(a, &p, x);
        weft_build_name(n->b, block);
        image = image >= 0 ? add(n, image, y) : y;
    }
    return image;
}

static void find_layers(ada *a)
{
    generator *g = &a->g;
    net *n = g->n;
    int ws = 0;
    for (g->size = 4; has(n, path(n, "synthesis.b%d.conv1.weight", (int) (2 * g->size)));) g->size *= 2;
    for (int size = 4; size <= g->size; size *= 2)
        for (int k = size == 4; k < 3; k++) {
            const char *name = k < 2 ? path(n, "b%d.conv%d", size, k) : path(n, "b%d.torgb", size);
            if (k == 2 && !has(n, at(n, name, "weight"))) continue;
            generator_layer(g, name, ws, length(n, at(n, name, "affine.weight"), 0));
            if (has(n, at(n, name, "noise_const"))) generator_map(g, path(n, "%s.noise_const", name), size);
            ws += k < 2;
        }
    g->layers = ws + 1;
    g->w = length(n, "synthesis.b4.conv1.affine.weight", 1);
    if (!has(n, path(n, "synthesis.b%d.torgb.weight", (int) g->size)))
        net_fail(n, WEFT_ERR_FORMAT, "the last block, of %d pixels, has no torgb", (int) g->size);
}

// --- Discriminator. ---------------------------------------------------------------------------------------------

static weft_value judge_conv(ada *a, const char *name, weft_value x, bool down, double gain)
{
    net *n = a->g.n;
    const char *weight_name = path(n, "%s.weight", name), *bias = path(n, "%s.bias", name), *filter = path(n, "%s.resample_filter", name);
    const int64_t k = length(n, weight_name, 2);
    const weft_value w = scaled(n, whole(n, weight_name), 1 / sqrt((double) (length(n, weight_name, 1) * k * k)));
    weft_build_name(n->b, name);
    if (down) x = resampled(n, x, filter, k > 1 ? SMOOTH : DOWN, (int) (k / 2), 1);
    ignore(n, filter);
    x = op(n, "conv2d", (weft_value[]) { x, w }, 2,
           (const weft_attr_arg[]) { WEFT_NUM("stride", down && k > 1 ? 2 : 1), WEFT_NUM("pads", down ? 0 : (double) (k / 2)) }, 2);
    if (!has(n, bias)) return gain == 1 ? x : scaled(n, x, gain);
    return activated(a, x, whole(n, bias), WEFT_NONE, WEFT_NONE, true, gain);
}

static weft_value judge_block(ada *a, const char *block, weft_value x)
{
    net *n = a->g.n;
    const bool residual = has(n, path(n, "%s.skip.weight", block));
    const double gain = residual ? sqrt(0.5) : 1;
    const weft_value y = residual ? judge_conv(a, path(n, "%s.skip", block), x, true, gain) : WEFT_NONE;
    x = judge_conv(a, path(n, "%s.conv0", block), x, false, 1);
    x = judge_conv(a, path(n, "%s.conv1", block), x, true, gain);
    return residual ? add(n, y, x) : x;
}

static weft_value judge_end(ada *a, weft_value x, int64_t in, weft_value c)
{
    net *n = a->g.n;
    const int64_t more = length(n, "b4.conv.weight", 1) - in, compared = length(n, "b4.out.weight", 0);
    if (more > 0) x = OPA(n, "minibatch_std", x, WEFT_NUM("group", setting(n, "mbstd_group")), WEFT_NUM("channels", (double) more));
    x = judge_conv(a, "b4.conv", x, false, 1);
    x = fc(n, "b4.fc", SHAPED(n, x, 0, -1), 1, true);
    x = fc(n, "b4.out", x, 1, false);
    if (c < 0) return x;
    x = OPA(n, "sum", mul(n, x, map(a, WEFT_NONE, c)), WEFT_NUM("axes", 1), WEFT_NUM("keep", 1));
    return scaled(n, x, 1 / sqrt((double) compared));
}

static weft_value judge(generator *g, weft_value image, weft_value c)
{
    ada *a = (ada *) g;
    net *n = g->n;
    const char *prefix = n->prefix;
    const bool skip = (n->prefix = a->judge, n->scope = "discriminator.", has(n, "b4.fromrgb.weight"));
    weft_value x = WEFT_NONE;
    int64_t width = 0;
    for (int64_t size = g->size; size >= 4 && !n->failed; size /= 2) {
        const char *block = path(n, "b%d", (int) size), *rgb = path(n, "%s.fromrgb", block), *filter = path(n, "%s.resample_filter", block);
        if (has(n, path(n, "%s.weight", rgb))) {
            const weft_value y = judge_conv(a, rgb, image, false, 1);
            width = length(n, path(n, "%s.weight", rgb), 0);
            weft_build_name(n->b, block);
            x = x >= 0 ? add(n, x, y) : y;
            if (skip && size > 4) image = resampled(n, image, filter, DOWN, 0, 1);
        }
        ignore(n, filter);
        if (size == 4) break;
        x = judge_block(a, block, x);
        width = length(n, path(n, "%s.conv1.weight", block), 0);
    }
    x = judge_end(a, x, width, c);
    n->prefix = prefix, n->scope = NULL;
    return x;
}

static void find_judge(ada *a)
{
    generator *g = &a->g;
    net *n = g->n;
    const char *prefix = n->prefix;
    if (!prefix_of(n, "b4.out.weight", a->judge)) return;
    g->discriminator = judge;
    n->prefix = a->judge;
    g->colours = length(n, path(n, "b%d.fromrgb.weight", (int) g->size), 1);
    if (has(n, "mapping.embed.weight")) g->discriminator_classes = length(n, "mapping.embed.weight", 1);
    n->prefix = prefix;
}

static void build(net *n)
{
    ada a = {
        .g = { .n = n, .style = style, .noise = noise_constant, .synthesis = synthesis, .has_styles = true },
        .clamp = setting(n, "conv_clamp"), .rate = setting(n, "lr_mul"),
    };
    generator *g = &a.g;
    find_layers(&a);
    if (has(n, "mapping.fc0.weight")) {
        const bool conditional = has(n, "mapping.embed.weight");
        g->mapping = mapping;
        g->classes = conditional ? length(n, "mapping.embed.weight", 1) : 0;
        g->z = length(n, "mapping.fc0.weight", 1) - (conditional ? length(n, "mapping.embed.weight", 0) : 0);
    }
    if (has(n, "mapping.w_avg")) g->average = average;
    find_judge(&a);
    generator_build(g);
}

const arch arch_stylegan2_ada = {
    .name = "stylegan2-ada", .doc = "StyleGAN2 as in stylegan2-ada-pytorch, any size and form (Karras et al. 2020)", .probe = "synthesis.b4.const",
    .settings = "conv_clamp=256 lr_mul=0.01 mbstd_group=4",
    .meta = (const char *const[]) { "task", "generate", "image.range", "-1..1", NULL }, .build = build,
};
