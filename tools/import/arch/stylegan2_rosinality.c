// SPDX-License-Identifier: MIT
// StyleGAN2 under the names of rosinality's PyTorch program, which those of encoders and editors (pSp, e4e, StyleCLIP) share: style.*,
// convs.*, to_rgbs.*, noises.*, and a discriminator's where the file has one. The paper's skip form. Karras et al., Analyzing and Improving
// the Image Quality of StyleGAN, 2020. Filters that double the size are stored with their gain of 4.
#include "import/generator.h"
#include <math.h>
#include <string.h>

typedef struct rosinality {
    generator g;
    double rate; // of the mapping's learning
    char judge[NET_PATH], mean[NET_PATH]; // prefixes of the discriminator's tensors and of latent_avg
} rosinality;

static weft_value fc(net *n, const char *name, weft_value x, double rate, bool act)
{
    const double in = (double) length(n, path(n, "%s.weight", name), 1);
    weft_build_name(n->b, name);
    return scaled_linear(n, path(n, "%s.weight", name), path(n, "%s.bias", name), x, (linear_gains) { rate / sqrt(in), rate, act });
}

static weft_value mapping(generator *g, weft_value z, weft_value c)
{
    weft_value x = OP1(g->n, "pixel_norm", z);
    (void) c;
    for (int i = 1; has(g->n, path(g->n, "style.%d.weight", i)); i++) x = fc(g->n, path(g->n, "style.%d", i), x, ((rosinality *) g)->rate, true);
    return x;
}

static weft_value average(generator *g)
{
    const char *prefix = g->n->prefix;
    g->n->prefix = ((rosinality *) g)->mean;
    weft_value v = whole(g->n, "latent_avg");
    if (rank_of(g->n, "latent_avg") == 2 && length(g->n, "latent_avg", 0) == 1) v = SHAPED(g->n, v, -1);
    g->n->prefix = prefix;
    return OP1(g->n, "identity", v);
}

// --- Synthesis. -------------------------------------------------------------------------------------------------

static weft_value style(generator *g, int layer, weft_value w)
{
    return fc(g->n, path(g->n, "%s.conv.modulation", g->layer[layer].name), w, 1, false);
}

static weft_value noise_constant(generator *g, int map) { return whole(g->n, g->map[map].name); }

// [1, co, ci, k, k] is stored; the first 1 is the place of the batch.
static weft_value modulated(net *n, const char *name, weft_value x, weft_value s, bool up, bool demodulate)
{
    const char *weight_name = path(n, "%s.conv.weight", name), *filter = path(n, "%s.conv.blur.kernel", name);
    const double ci = (double) length(n, weight_name, 2), k = (double) length(n, weight_name, 3);
    weft_build_name(n->b, path(n, "%s.conv", name));
    const weft_value w = SHAPED(n, whole(n, weight_name), -1, ci, k, k), f = up ? scaled(n, fir(n, filter), 0.25) : WEFT_NONE;
    return op(n, "modulated_conv2d", (weft_value[]) { x, w, s, f }, up ? 4 : 3,
              (const weft_attr_arg[]) { WEFT_NUM("demodulate", demodulate), WEFT_NUM("up", up ? 2 : 1), WEFT_NUM("pad", floor(k / 2)),
                                        WEFT_NUM("flip_weight", !up), WEFT_NUM("gain", 1 / sqrt(ci * k * k)) }, 5);
}

static weft_value layer(net *n, const char *name, weft_value x, weft_value s, bool up, weft_value noise)
{
    x = modulated(n, name, x, s, up, true);
    const weft_value b = whole(n, path(n, "%s.activate.bias", name)), strength = noise >= 0 ? whole(n, path(n, "%s.noise.weight", name)) : WEFT_NONE;
    if (noise < 0) ignore(n, path(n, "%s.noise.weight", name));
    return op(n, "bias_act", (weft_value[]) { x, b, noise, strength }, noise >= 0 ? 4 : 2,
              (const weft_attr_arg[]) { WEFT_NUM("gain", sqrt(2)), WEFT_TEXT("act", "leaky_relu"), WEFT_NUM("a", 0.2) }, 3);
}

static weft_value to_rgb(net *n, const char *name, weft_value x, weft_value s, weft_value image)
{
    x = modulated(n, name, x, s, false, false);
    x = OP2(n, "bias_act", x, SHAPED(n, whole(n, path(n, "%s.bias", name)), -1));
    return image < 0 ? x : add(n, x, resampled(n, image, path(n, "%s.upsample.kernel", name), UP, 0, 1));
}

static weft_value synthesis(generator *g, const weft_value *styles, const weft_value *noise)
{
    net *n = g->n;
    const double c = (double) length(n, "input.input", 1);
    weft_value x = batch_of(n, SHAPED(n, whole(n, "input.input"), 1, c, 4, 4), styles[0]), image = WEFT_NONE;
    for (int i = 0, map = 0; i < g->modulated && !n->failed; i++) {
        const char *name = g->layer[i].name;
        if (!strncmp(name, "to_rgb", 6)) image = to_rgb(n, name, x, styles[i], image);
        else x = layer(n, name, x, styles[i], has(n, path(n, "%s.conv.blur.kernel", name)), noise ? noise[map] : WEFT_NONE), map++;
    }
    return image;
}

static void add_layer(generator *g, const char *name, int ws)
{
    generator_layer(g, name, ws, length(g->n, path(g->n, "%s.conv.modulation.weight", name), 0));
}

static void find_layers(generator *g)
{
    net *n = g->n;
    int ws = 1;
    g->size = 4;
    g->w = length(n, "conv1.conv.modulation.weight", 1);
    add_layer(g, "conv1", 0);
    add_layer(g, "to_rgb1", 1);
    generator_map(g, "noises.noise_0", 4);
    for (int i = 0; has(n, path(n, "to_rgbs.%d.bias", i)); i++, ws += 2) {
        g->size *= 2;
        for (int k = 0; k < 2; k++) {
            add_layer(g, path(n, "convs.%d", 2 * i + k), ws + k);
            generator_map(g, path(n, "noises.noise_%d", 2 * i + 1 + k), g->size);
        }
        add_layer(g, path(n, "to_rgbs.%d", i), ws + 2);
    }
    g->layers = ws + 1;
    if (has(n, "noises.noise_0")) g->noise = noise_constant; // early programs drew it anew for every picture
}

// --- Discriminator. ---------------------------------------------------------------------------------------------

// Layer `index` of a list: a filter before it where it halves the size, bias and activation after it except in `skip`.
static weft_value judge_conv(net *n, const char *list, int index, weft_value x, bool bare)
{
    const char *weight_name = path(n, "%s.%d.weight", list, index), *filter = path(n, "%s.%d.kernel", list, index - 1);
    const char *bias = path(n, "%s.%d.bias", list, index + 1);
    const int64_t k = length(n, weight_name, 2);
    const bool down = index > 0;
    const weft_value w = scaled(n, whole(n, weight_name), 1 / sqrt((double) (length(n, weight_name, 1) * k * k)));
    weft_build_name(n->b, list);
    if (down) x = resampled(n, x, filter, k > 1 ? SMOOTH : DOWN, (int) (k / 2), 1);
    x = op(n, "conv2d", (weft_value[]) { x, w }, 2,
           (const weft_attr_arg[]) { WEFT_NUM("stride", down && k > 1 ? 2 : 1), WEFT_NUM("pads", down ? 0 : (double) (k / 2)) }, 2);
    if (bare) return x;
    return op(n, "bias_act", (weft_value[]) { x, whole(n, bias) }, 2,
              (const weft_attr_arg[]) { WEFT_NUM("gain", sqrt(2)), WEFT_TEXT("act", "leaky_relu"), WEFT_NUM("a", 0.2) }, 3);
}

static weft_value judge_network(net *n, weft_value x)
{
    x = judge_conv(n, "convs.0", 0, x, false);
    for (int i = 1; has(n, path(n, "convs.%d.conv1.0.weight", i)); i++) {
        const weft_value y = judge_conv(n, path(n, "convs.%d.conv1", i), 0, x, false);
        const weft_value skip = judge_conv(n, path(n, "convs.%d.skip", i), 1, x, true);
        x = scaled(n, add(n, judge_conv(n, path(n, "convs.%d.conv2", i), 1, y, false), skip), sqrt(0.5));
    }
    x = OPA(n, "minibatch_std", x, WEFT_NUM("group", setting(n, "mbstd_group")));
    x = SHAPED(n, judge_conv(n, "final_conv", 0, x, false), 0, -1);
    return fc(n, "final_linear.1", fc(n, "final_linear.0", x, 1, true), 1, false);
}

static weft_value judge(generator *g, weft_value image, weft_value c)
{
    net *n = g->n;
    const char *prefix = n->prefix;
    (void) c;
    n->prefix = ((rosinality *) g)->judge, n->scope = "discriminator.";
    const weft_value v = judge_network(n, image);
    n->prefix = prefix, n->scope = NULL;
    return v;
}

static void build(net *n)
{
    rosinality r = { .g = { .n = n, .style = style, .synthesis = synthesis, .has_styles = true, .colours = 3 }, .rate = setting(n, "lr_mul") };
    generator *g = &r.g;
    find_layers(g);
    if (has(n, "style.1.weight")) g->mapping = mapping, g->z = length(n, "style.1.weight", 1);
    if (prefix_of(n, "latent_avg", r.mean)) g->average = average;
    if (prefix_of(n, "final_linear.1.weight", r.judge)) g->discriminator = judge;
    generator_build(g);
}

const arch arch_stylegan2_rosinality = {
    .name = "stylegan2-rosinality", .doc = "StyleGAN2 as in stylegan2-pytorch and the encoders built on it, any size (Karras et al. 2020)",
    .probe = "conv1.conv.modulation.weight", .settings = "lr_mul=0.01 mbstd_group=4",
    .meta = (const char *const[]) { "task", "generate", "image.range", "-1..1", NULL }, .build = build,
};
